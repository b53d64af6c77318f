#include "codegen/sections.h"

#include <algorithm>
#include <cctype>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace onnx2mcu {
namespace {

absl::Status CheckName(const char *option, const std::string &name) {
  const auto good = [](unsigned char c) { return c < 128 && (std::isalnum(c) != 0 || c == '_' || c == '.'); };
  if (std::all_of(name.begin(), name.end(), good)) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat(option, ": '", name, "' is no section's name; letters, digits, '_' and '.' work, as in .itcm"));
}

size_t EndOf(const std::string &text, size_t found, size_t length) {
  return found == std::string::npos ? text.size() : found + length;
}

// Past the comment, string or character that begins at `at`; `at` where none does.
size_t PastToken(const std::string &text, size_t at) {
  if (text.compare(at, 2, "//") == 0) return EndOf(text, text.find('\n', at), 0);
  if (text.compare(at, 2, "/*") == 0) return EndOf(text, text.find("*/", at + 2), 2);
  if (text[at] != '"' && text[at] != '\'') return at;
  size_t i = at + 1;
  while (i < text.size() && text[i] != text[at]) i += text[i] == '\\' ? 2 : 1;
  return std::min(i + 1, text.size());
}

// Past the line of the preprocessor and those that continue it.
size_t PastDirective(const std::string &text, size_t at) {
  do at = EndOf(text, text.find('\n', at), 1);
  while (at < text.size() && at >= 2 && text[at - 2] == '\\');
  return at;
}

// What stands at file scope since the last declaration ended.
struct Declaration {
  size_t start = std::string::npos;
  std::string text;  // without comments, strings and blanks

  // Of a macro's body: an `if` or `for` looks alike, so that it must begin as functions do.
  bool IsFunction(bool in_macro) const {
    const bool balanced = std::count(text.begin(), text.end(), '(') == std::count(text.begin(), text.end(), ')');
    const bool head = !in_macro || absl::StartsWith(text, "static") || absl::StartsWith(text, "void");
    return head && balanced && absl::EndsWith(text, ")") && !absl::StrContains(text, "=");
  }
  bool IsLinkage() const { return text == "extern"; }  // "C"
  void Add(size_t at, char c) {
    if (std::isspace(static_cast<unsigned char>(c)) != 0 || c == '\\') return;
    if (start == std::string::npos) start = at;
    text += c;
  }
};

std::string WithAttribute(const std::string &attribute, const std::string &source, bool in_macro);

// The body of a macro may define functions.
std::string RewriteDirective(const std::string &attribute, const std::string &line) {
  if (!absl::StartsWith(line, "#define ")) return line;
  const size_t name = line.find_first_of("( \n", sizeof("#define ") - 1);
  const size_t body = name != std::string::npos && line[name] == '(' ? line.find(')', name) : name;
  if (body == std::string::npos) return line;
  return line.substr(0, body + 1) + WithAttribute(attribute, line.substr(body + 1), true);
}

std::string WithAttribute(const std::string &attribute, const std::string &source, bool in_macro) {
  std::string result;
  Declaration declaration;
  size_t written = 0;
  int depth = 0;
  for (size_t i = 0; i < source.size(); i++) {
    const char c = source[i];
    if (c == '#' && !in_macro) {
      const size_t end = PastDirective(source, i);
      absl::StrAppend(&result, source.substr(written, i - written),
                      RewriteDirective(attribute, source.substr(i, end - i)));
      written = end, i = end - 1;
      continue;
    }
    if (const size_t past = PastToken(source, i); past > i) {
      i = past - 1;
      continue;
    }
    if (depth == 0 && c == '{' && declaration.IsFunction(in_macro)) {
      absl::StrAppend(&result, source.substr(written, declaration.start - written), attribute, in_macro ? " " : "\n");
      written = declaration.start;
    }
    const bool opens = c == '{' && (depth > 0 || !declaration.IsLinkage());
    const bool closes = c == '}' && depth > 0;
    if (depth == 0 && c != '{' && c != '}' && c != ';')
      declaration.Add(i, c);
    else if (depth == 0 || (closes && depth == 1))
      declaration = {};
    depth += opens - closes;
  }
  return result + source.substr(written);
}

}  // namespace

absl::Status CheckSections(const Sections &sections) {
  const std::pair<const char *, const std::string &> names[] = {
      {"--section-weights", sections.weights}, {"--section-code", sections.code}, {"--section-arena", sections.arena}};
  for (const auto &[option, name] : names) O2M_RETURN_IF_ERROR(CheckName(option, name));
  for (const auto &[option, name] : {names[0], names[2]}) {
    if (name.empty() || name != sections.code) continue;
    return absl::InvalidArgumentError(absl::StrCat(
        option, ": '", name, "' is the section of the code too; give data and code sections of their own"));
  }
  return absl::OkStatus();
}

std::string SectionAttribute(const std::string &name) {
  return absl::StrCat("__attribute__((section(\"", name, "\")))");
}

std::string WithCodeIn(const std::string &section, const std::string &source) {
  return section.empty() ? source : WithAttribute(SectionAttribute(section), source, false);
}

}  // namespace onnx2mcu
