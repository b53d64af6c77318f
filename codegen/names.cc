#include "codegen/names.h"

#include <algorithm>
#include <cctype>

namespace onnx2mcu {
namespace {

bool IsReserved(const std::string &word) {
  static const std::set<std::string> words = {
      "alignas",  "alignof",  "and",      "asm",       "auto",     "bool",     "break",     "case",   "catch",
      "char",     "class",    "const",    "continue",  "default",  "delete",   "do",        "double", "else",
      "enum",     "explicit", "export",   "extern",    "false",    "float",    "for",       "friend", "goto",
      "if",       "inline",   "int",      "long",      "main",     "mutable",  "namespace", "new",    "not",
      "operator", "or",       "private",  "protected", "public",   "register", "restrict",  "return", "short",
      "signed",   "sizeof",   "static",   "struct",    "switch",   "template", "this",      "throw",  "true",
      "try",      "typedef",  "typename", "union",     "unsigned", "using",    "virtual",   "void",   "volatile",
      "while",    "xor"};
  return words.count(word) > 0;
}

std::string Numbered(const std::string &name, int i) { return i == 0 ? name : name + std::to_string(i); }

}  // namespace

std::string CIdentifier(const std::string &name) {
  std::string id;
  for (const char c : name) {
    const bool keep = std::isalnum(static_cast<unsigned char>(c)) != 0 && static_cast<unsigned char>(c) < 128;
    if (keep) id += c;
    if (!keep && !id.empty() && id.back() != '_') id += '_';
  }
  while (!id.empty() && id.back() == '_') id.pop_back();
  if (id.empty() || std::isdigit(static_cast<unsigned char>(id[0])) != 0) id = "x" + id;
  return IsReserved(id) ? id + "_" : id;
}

std::string UpperCase(const std::string &name) {
  std::string upper = name;
  std::transform(upper.begin(), upper.end(), upper.begin(), [](unsigned char c) { return std::toupper(c); });
  return upper;
}

std::string CType(DType dtype) {
  switch (dtype) {
    case DType::kU8:
    case DType::kBool:
    case DType::kAny:
      return "uint8_t";
    case DType::kS8:
      return "int8_t";
    case DType::kS16:
      return "int16_t";
    case DType::kS32:
      return "int32_t";
    case DType::kS64:
      return "int64_t";
    case DType::kF32:
      return "float";
  }
  return "uint8_t";
}

std::string InputName(const Graph &graph, int i) {
  const bool pixels = graph.tensors[graph.inputs[i]].dtype == DType::kU8;
  return Numbered(pixels ? "image" : "input", i);
}

std::string OutputName(const Graph &, int i) { return Numbered("output", i); }

std::string InputMacro(const Graph &graph, int i) { return Numbered(UpperCase(graph.name) + "_INPUT", i); }

std::string OutputMacro(const Graph &graph, int i) { return Numbered(UpperCase(graph.name) + "_OUTPUT", i); }

std::string NameSet::Unique(const std::string &name) {
  std::string unique = name;
  for (int n = 2; !used_.insert(unique).second; n++) unique = name + "_" + std::to_string(n);
  return unique;
}

}  // namespace onnx2mcu
