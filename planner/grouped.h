// planner/grouped.h - numbers as messages show them.
#pragma once
#include <cstdint>
#include <string>

namespace onnx2mcu {

std::string Grouped(int64_t bytes);  // 402112 -> "402,112"; not for negative numbers

}  // namespace onnx2mcu
