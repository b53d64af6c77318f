// codegen/printer.h - text templates instead of stream chains, and C text that fits a line.
#pragma once
#include <string>
#include <utility>
#include <vector>

namespace onnx2mcu {

inline constexpr size_t kLineWidth = 120;

// `pattern` with every $name$ replaced; "$$" is a dollar. Precondition: every name is listed.
std::string Fill(const std::string &pattern, const std::vector<std::pair<std::string, std::string>> &values);

// One C statement at `indent` spaces, broken at the commas of its outermost argument list where it exceeds the line,
// as clang-format's Google style does. Lines that are statements of several lines already only get the indent.
std::string Statement(const std::string &text, size_t indent);
std::string StatementWithoutEnd(const std::string &text);  // not indented; without the last line's end

// "// " before every line; lines that exceed the width are cut short with "..".
std::string Comment(const std::string &text, size_t indent = 0);

std::string FloatLiteral(float value);  // shortest text that reads back as the same float, with its "f"
std::string ShapeText(const std::vector<int64_t> &dims, bool drop_leading_ones = true);  // "[65][64]"

}  // namespace onnx2mcu
