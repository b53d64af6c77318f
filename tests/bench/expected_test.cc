// What bench/run says of counts that differ, and what it writes.
#include "bench/expected.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "codegen/process.h"
#include "importer/data/files.h"

namespace onnx2mcu {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

Row RowOf(const std::string &name, int64_t instructions, int64_t cycles = 0) {
  Row row;
  row.name = name, row.instructions = instructions, row.cycles = cycles;
  return row;
}

Counts CountsOf(const std::vector<Row> &rows) { return Updated({}, rows, false); }

TEST(Changes, SaysOldNewAndRatio) {
  const Counts expected = CountsOf({RowOf("add/a", 1000, 1500), RowOf("add/a:f", 900)});
  EXPECT_THAT(Changes(expected, {RowOf("add/a", 1000, 1500), RowOf("add/a:f", 900)}, true), IsEmpty());
  EXPECT_THAT(
      Changes(expected, {RowOf("add/a", 900, 1501), RowOf("add/a:f", 900)}, true),
      ElementsAre("add/a: 1,000 -> 900 instructions (0.900)", "add/a: 1,500 -> 1,501 cycles (estimate) (1.001)"));
}

TEST(Changes, SaysWhatIsNewAndWhatIsGone) {
  const Counts expected = CountsOf({RowOf("add/a", 10), RowOf("add/a:f", 9), RowOf("add/b", 8), RowOf("net", 7)});
  const std::vector<Row> measured = {RowOf("add/a", 10), RowOf("add/a:g", 9)};
  EXPECT_THAT(Changes(expected, measured, false),
              ElementsAre("add/a:g: new, 9 instructions", "add/a:f: gone, 9 instructions"));
  // a network that was not asked for is not missed
  EXPECT_THAT(
      Changes(expected, measured, true),
      ElementsAre("add/a:g: new, 9 instructions", "add/a:f: gone, 9 instructions", "add/b: gone, 8 instructions"));
}

TEST(Updated, KeepsWhatWasNotMeasured) {
  const Counts expected = CountsOf({RowOf("add/a", 10), RowOf("add/a:f", 9), RowOf("add/b", 8), RowOf("net", 7)});
  const Counts some = Updated(expected, {RowOf("add/a", 11)}, false);
  ASSERT_EQ(some.size(), 3u);
  EXPECT_EQ(some.at("add/a").instructions, 11);
  EXPECT_EQ(some.at("add/b").instructions, 8);
  EXPECT_EQ(Updated(expected, {RowOf("add/a", 11)}, true).count("add/b"), 0u);
  EXPECT_EQ(Updated(expected, {RowOf("add/a", 11)}, true).count("net"), 1u);
}

TEST(Counts, ComeBackFromTheFile) {
  const TempFolder temp(TempPrefix());
  const std::string path = temp.path() + "/a.csv";
  Row row = RowOf("net", 5, 6);
  row.ram = 7, row.flash = 8;
  ASSERT_TRUE(WriteCounts(path, CountsOf({row, RowOf("add/a", 1)})).ok());
  const auto counts = ReadCounts(path);
  ASSERT_TRUE(counts.ok()) << counts.status();
  EXPECT_EQ(counts->size(), 2u);
  EXPECT_THAT(Changes(*counts, {row, RowOf("add/a", 1)}, true), IsEmpty());
  EXPECT_TRUE(ReadCounts(temp.path() + "/none.csv")->empty());
  ASSERT_TRUE(WriteFileBytes(path, "row,instructions,cycles,ram,flash\nnet,5,6,7\n").ok());
  EXPECT_EQ(ReadCounts(path).status().message(), path + ":2: not a line of such a table");
}

TEST(Limits, AddSubtractAndDivide) {
  const TempFolder temp(TempPrefix());
  const std::string path = temp.path() + "/limits.csv";
  ASSERT_TRUE(WriteFileBytes(path,
                             "figure,rows,of,count,m4,m3\ntable,add/a+t -add/a,instructions,4,1.5,\n"
                             "two,add/a:f* add/b,cycles,1,9,30\n")
                  .ok());
  const auto limits = ReadLimits(path);
  ASSERT_TRUE(limits.ok()) << limits.status();
  const std::vector<Row> rows = {RowOf("add/a", 10), RowOf("add/a+t", 18), RowOf("add/a:f1", 3, 4),
                                 RowOf("add/b", 5, 6)};
  const std::vector<std::string> m4 = AgainstLimits(*limits, "m4", rows);
  ASSERT_EQ(m4.size(), 2u);
  EXPECT_THAT(m4[0], ::testing::ContainsRegex("table +2.000 +at most 1.5 +OVER"));
  EXPECT_THAT(m4[1], ::testing::ContainsRegex("two +10.000 +at most 9 +OVER"));
  EXPECT_THAT(AgainstLimits(*limits, "m3", rows), ElementsAre(::testing::ContainsRegex("two .* reached")));
  EXPECT_THAT(AgainstLimits(*limits, "m4", {RowOf("mul/a", 1)}), IsEmpty());         // no such rows
  EXPECT_THAT(AgainstLimits(*limits, "m3", {RowOf("add/a", 1), RowOf("add/b", 1)}),  // some of them
              ElementsAre(::testing::ContainsRegex("two +missing +no row 'add/a:f[*]'")));
  ASSERT_TRUE(WriteFileBytes(path, "figure,rows,of,count,m4\ntable,add/a,seconds,4,1.5\n").ok());
  EXPECT_FALSE(ReadLimits(path).ok());
}

}  // namespace
}  // namespace onnx2mcu
