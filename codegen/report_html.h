// codegen/report_html.h - report.html: one file without anything from outside, the same bytes for the same input.
#pragma once
#include <string>

#include "codegen/compiler.h"
#include "codegen/sizes.h"

namespace onnx2mcu {

// Key figures, memory map, frontier, layers and buffers; the numbers once more as JSON in the element "data".
// Well-formed as XML too. Sizes and budget: of the generated C, as the summary on the terminal has them.
std::string ReportHtml(const Compilation &compilation, const Sizes &sizes, const Budget &budget);

}  // namespace onnx2mcu
