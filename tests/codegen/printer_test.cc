#include "codegen/printer.h"

#include <gtest/gtest.h>

#include <cstdlib>

namespace onnx2mcu {
namespace {

TEST(Fill, ReplacesNames) {
  EXPECT_EQ(Fill("a $b$ c $$ $d$", {{"b", "X"}, {"d", ""}}), "a X c $ ");
  EXPECT_EQ(Fill("no end $b", {{"b", "X"}}), "no end $b");
}

TEST(Statement, ShortOnesStayOnOneLine) { EXPECT_EQ(Statement("f(a, b);", 2), "  f(a, b);\n"); }

TEST(Statement, BreaksAtTheOutermostCommas) {
  const std::string argument = "first_argument_of_some_length(1, 2, 3)";
  const std::string arguments = argument + ", " + argument + ", " + argument;
  EXPECT_EQ(Statement("kernel(" + arguments + ", last);", 4),
            "    kernel(" + argument + ", " + argument + ",\n" + std::string(11, ' ') + argument + ", last);\n");
}

// As clang-format breaks what looks like a macro in front of a statement.
TEST(Statement, RenamedKernelsBreakBehindTheirName) {
  const std::string argument = "first_argument_of_some_length(1, 2, 3)", two = argument + ", " + argument;
  EXPECT_EQ(Statement("O2M_SYM(kernel)(" + two + ", one, two, three, four, five);", 4),
            "    O2M_SYM(kernel)\n    (" + two + ", one, two, three, four, five);\n");
  EXPECT_EQ(Statement("O2M_SYM(kernel)(" + two + ", " + argument + ", last);", 4),
            "    O2M_SYM(kernel)\n    (" + two + ",\n     " + argument + ", last);\n");
  EXPECT_EQ(Statement("  O2M_SYM(kernel)(" + two + ", one, two, three, four, five);", 4),
            "      O2M_SYM(kernel)\n      (" + two + ", one, two, three, four, five);\n");
}

TEST(Statement, AssignmentsBreakBehindTheEqualsSign) {
  const std::string call = "add_bytes(hash, " + std::string(87, 'x') + ", 16384);";
  EXPECT_EQ(Statement("hash = " + call, 2), "  hash =\n      " + call + "\n");
}

TEST(Statement, EveryLineFits) {
  for (int n = 1; n < 30; n++) {
    std::string text = "kernel(";
    for (int i = 0; i < n; i++) text += "argument_" + std::to_string(i) + ", ";
    text += "last);";
    const std::string out = Statement(text, 6);
    for (size_t at = 0; at < out.size(); at = out.find('\n', at) + 1) {
      EXPECT_LE(out.find('\n', at) - at, kLineWidth);
    }
    EXPECT_EQ(out.back(), '\n');
  }
}

TEST(Comment, CutsLongLines) {
  EXPECT_EQ(Comment("one\n\ntwo  "), "// one\n//\n// two\n");
  const std::string cut = Comment(std::string(300, 'x'), 2);
  EXPECT_EQ(cut.size(), kLineWidth + 1);
  EXPECT_EQ(cut.substr(cut.size() - 4), " ..\n");
}

TEST(FloatLiteral, ReadsBackAsTheSameFloat) {
  EXPECT_EQ(FloatLiteral(1.0f), "1.0f");
  EXPECT_EQ(FloatLiteral(0.5f), "0.5f");
  for (const float value : {0.0831f, 1e-20f, 3.4e38f, 0.1f / 3}) {
    const std::string text = FloatLiteral(value);
    EXPECT_EQ(std::strtof(text.c_str(), nullptr), value) << text;
    EXPECT_EQ(text.back(), 'f');
  }
}

TEST(ShapeText, DropsLeadingOnes) {
  EXPECT_EQ(ShapeText({1, 65, 64}), "[65][64]");
  EXPECT_EQ(ShapeText({1, 65, 64}, false), "[1][65][64]");
  EXPECT_EQ(ShapeText({1, 1}), "[1]");
  EXPECT_EQ(ShapeText({}), "[1]");
}

}  // namespace
}  // namespace onnx2mcu
