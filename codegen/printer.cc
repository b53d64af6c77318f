#include "codegen/printer.h"

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <sstream>

namespace onnx2mcu {
namespace {

// The parenthesis that opens the argument list closed last in `text`; npos without one.
size_t OuterParenthesis(const std::string &text) {
  const size_t close = text.rfind(')');
  if (close == std::string::npos) return close;
  int depth = 0;
  for (size_t i = close + 1; i-- > 0;) {
    if (text[i] == ')') depth++;
    if (text[i] == '(' && --depth == 0) return i;
  }
  return std::string::npos;
}

// The pieces between the commas of depth zero, each with its comma.
std::vector<std::string> SplitArguments(const std::string &text) {
  std::vector<std::string> pieces(1);
  int depth = 0;
  for (size_t i = 0; i < text.size(); i++) {
    const char c = text[i];
    depth += (c == '(' || c == '[' || c == '{') - (c == ')' || c == ']' || c == '}');
    if (c == ' ' && pieces.back().empty()) continue;
    pieces.back() += c;
    if (c == ',' && depth == 0) pieces.emplace_back();
  }
  return pieces;
}

}  // namespace

std::string Fill(const std::string &pattern, const std::vector<std::pair<std::string, std::string>> &values) {
  std::string text;
  for (size_t i = 0; i < pattern.size(); i++) {
    const size_t end = pattern[i] == '$' ? pattern.find('$', i + 1) : std::string::npos;
    if (end == std::string::npos) {
      text += pattern[i];
      continue;
    }
    const std::string name = pattern.substr(i + 1, end - i - 1);
    if (name.empty()) text += '$';
    for (const auto &[key, value] : values) {
      if (key == name) text += value;
    }
    i = end;
  }
  return text;
}

std::string Statement(const std::string &text, size_t indent) {
  const std::string margin(indent, ' ');
  const size_t open = OuterParenthesis(text);
  if (indent + text.size() <= kLineWidth || open == std::string::npos || text.find('\n') != std::string::npos) {
    return margin + text + "\n";
  }
  const size_t equals = text.substr(0, open).find(" = ");
  if (equals != std::string::npos && indent + 4 + text.size() - equals - 3 <= kLineWidth) {  // all behind it in a line
    return margin + text.substr(0, equals + 2) + "\n" + margin + "    " + text.substr(equals + 3) + "\n";
  }
  const bool macro = open > 0 && text[open - 1] == ')';  // NAME(kernel)(..): taken for a statement with one behind it
  const std::string own(std::min(text.find_first_not_of(' '), open), ' ');  // within a loop of the op's
  const std::string head = margin + (macro ? own + "(" : text.substr(0, open + 1));
  std::string result = macro ? margin + text.substr(0, open) + "\n" : "", line = head;
  bool fresh = true;  // nothing behind the parenthesis or the margin yet
  for (const std::string &piece : SplitArguments(text.substr(open + 1))) {
    if (!fresh && line.size() + 1 + piece.size() > kLineWidth) {
      result += line + "\n";
      line = std::string(head.size(), ' ');
      fresh = true;
    }
    line += (fresh ? "" : " ") + piece;
    fresh = false;
  }
  return result + line + "\n";
}

std::string StatementWithoutEnd(const std::string &text) {
  std::string lines = Statement(text, 0);
  lines.pop_back();
  return lines;
}

std::string Comment(const std::string &text, size_t indent) {
  std::istringstream lines(text);
  std::string line, result;
  while (std::getline(lines, line)) {
    while (!line.empty() && line.back() == ' ') line.pop_back();
    const size_t room = kLineWidth - indent - 3;
    if (line.size() > room) line = line.substr(0, room - 3) + " ..";
    result += std::string(indent, ' ') + (line.empty() ? "//" : "// " + line) + "\n";
  }
  return result;
}

std::string FloatLiteral(float value) {
  char text[64];
  for (int precision = 1; precision <= 9; precision++) {
    snprintf(text, sizeof(text), "%.*g", precision, static_cast<double>(value));
    if (strtof(text, nullptr) == value) break;
  }
  const std::string number = text;
  return number + (number.find_first_of(".en") == std::string::npos ? ".0f" : "f");
}

std::string ShapeText(const std::vector<int64_t> &dims, bool drop_leading_ones) {
  std::string text;
  for (size_t i = 0; i < dims.size(); i++) {
    if (drop_leading_ones && text.empty() && dims[i] == 1 && i + 1 < dims.size()) continue;
    text += "[" + std::to_string(dims[i]) + "]";
  }
  return text.empty() ? "[1]" : text;
}

}  // namespace onnx2mcu
