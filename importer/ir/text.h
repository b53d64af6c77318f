// importer/ir/text.h - words and numbers for messages and reports.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

namespace onnx2mcu {

// Levenshtein's distance, upper and lower case alike.
size_t EditDistance(const std::string &a, const std::string &b);
// The candidate with the least edit distance, the first on a tie; empty without candidates.
std::string Nearest(const std::string &word, const std::vector<std::string> &candidates);
std::string Grouped(int64_t value);  // 402112 -> "402,112"

}  // namespace onnx2mcu
