#include "codegen/sections.h"

#include <gtest/gtest.h>

#include "absl/strings/str_replace.h"

namespace onnx2mcu {
namespace {

// Every '@' in `source` is where the attribute belongs.
void ExpectAttributes(const std::string &source) {
  const std::string attribute = SectionAttribute(".itcm") + "\n";
  EXPECT_EQ(WithCodeIn(".itcm", absl::StrReplaceAll(source, {{"@", ""}})),
            absl::StrReplaceAll(source, {{"@", attribute}}));
}

TEST(Sections, EveryDefinitionOfAFunction) {
  ExpectAttributes("@static int f(int a) { return a; }\n@void g(void) {\n  if (1) { f(2); }\n}\n");
  ExpectAttributes(
      "#include <stdint.h>\n\n// f\n@static inline int32_t f(const int8_t *x,\n  int n) {\n  return x[n];\n}\n");
  ExpectAttributes("@__attribute__((naked)) void O2M_SYM(f)(void) { __asm__(\"bx lr\"); }\n");
}

TEST(Sections, InsideOfALinkageBlock) {
  ExpectAttributes(
      "#ifdef __cplusplus\nextern \"C\" {\n#endif\n@int f(void) { return 1; }\n#ifdef __cplusplus\n}\n#endif\n");
}

// No line of its own there: a macro has one.
TEST(Sections, WhatMacrosDefine) {
  const std::string attribute = SectionAttribute(".itcm") + " ";
  const std::string source =
      "#define ADD(NAME, A) @static A NAME##_row(A a) { \\\n    if (a) { return 1; } return 0; \\\n  } \\\n"
      "  @void O2M_SYM(NAME)(A a) { NAME##_row(a); }\n"
      "#define EACH(n) for (int i = 0; i < n; ++i) { f(i); }\n#define TWICE(x) do { x; if (y) { x; } } while "
      "(0)\nADD(f, int)\n";
  EXPECT_EQ(WithCodeIn(".itcm", absl::StrReplaceAll(source, {{"@", ""}})),
            absl::StrReplaceAll(source, {{"@", attribute}}));
}

TEST(Sections, NothingElse) {
  ExpectAttributes(
      "int f(int a);\nstatic const int t[2] = {1, 2};\nenum { kA = 1 };\ntypedef struct s {\n  int a;\n} s;\n");
  ExpectAttributes("static const s one = {.a = (2)};\nextern const int8_t w[4] __attribute__((section(\".x\")));\n");
  ExpectAttributes("#define F(a) \\\n  a * (1)\n/* int f(void) { */ // int g(void) {\n");
  ExpectAttributes("static const char c[] = \"int f(void) {\", d = '{', e = '\\'';\n@int f(void) { return '}'; }\n");
  EXPECT_EQ(WithCodeIn("", "int f(void) { }"), "int f(void) { }");
}

TEST(Sections, NamesAreChecked) {
  EXPECT_TRUE(CheckSections({".ext_flash", ".itcm", ".bss.dtcm"}).ok());
  EXPECT_FALSE(CheckSections({"", "a b", ""}).ok());
  EXPECT_FALSE(CheckSections({".x\"", "", ""}).ok());
  EXPECT_FALSE(CheckSections({".x", ".x", ""}).ok());
}

}  // namespace
}  // namespace onnx2mcu
