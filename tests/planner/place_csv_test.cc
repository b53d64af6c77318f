#include <gtest/gtest.h>

#include "tests/planner/place_problems.h"

namespace onnx2mcu {
namespace {

TEST(PlaceCsv, ReadsWhatItWrites) {
  Problem problem;
  problem.blocks = {{"a", 100, 1, 0, 1}, {"b", 50, 1, 1, 4}};
  const Solution solution = PlaceBlocks(problem);
  const std::string text = WriteCsv(problem, &solution);
  EXPECT_EQ(text, "id,lower,upper,size,offset\na,0,2,100,0\nb,1,5,50,100\n");
  const auto csv = ReadCsv(text);
  ASSERT_TRUE(csv.ok());
  EXPECT_EQ(WriteCsv(csv->problem, &csv->solution), text);
  EXPECT_EQ(csv->solution.bytes, solution.bytes);
}

TEST(PlaceCsv, WritesTheColumnsThatAreNeeded) {
  Problem problem;
  problem.blocks = {{"x", 100, 8, 0, 1}, {"y", 50, 1, 1, 4, 24}};
  problem.distances = {{0, 1, 16}};
  EXPECT_EQ(WriteCsv(problem, nullptr),
            "id,lower,upper,size,alignment,over,fixed\nx,0,2,100,8,,\ny,1,5,50,1,x@16,24\n");
}

TEST(PlaceCsv, CountsRegions) {
  Problem problem;
  problem.blocks = {{"a", 16, 1, 0, 1}, {"b", 16, 1, 0, 1}};
  problem.boundaries = {24};
  const Solution solution = PlaceBlocks(problem);
  const std::string text = "id,lower,upper,size,offset,region\na,0,2,16,0,0\nb,0,2,16,24,1\n";
  EXPECT_EQ(WriteCsv(problem, &solution), text);
  EXPECT_EQ(ReadCsv(text)->solution.offsets, solution.offsets);
}

TEST(PlaceCsv, KeepsRandomProblems) {
  std::mt19937 random(7);
  for (int trial = 0; trial < 500 / kFewer; trial++) {
    ProblemKind kind{.blocks = 1 + trial % 20, .aligned = trial % 2 == 0, .overwritable = trial % 3};
    kind.fixed_blocks = trial % 4;
    Problem problem = RandomProblem(random, kind);
    problem.work_limit = 2000;
    const Solution solution = PlaceBlocks(problem);
    const std::string text = WriteCsv(problem, &solution);
    auto csv = ReadCsv(text);
    ASSERT_EQ(csv.status(), absl::OkStatus()) << text;
    csv->problem.work_limit = 2000;
    EXPECT_EQ(WriteCsv(csv->problem, &csv->solution), text);
    EXPECT_EQ(PlaceBlocks(csv->problem).offsets, solution.offsets);
  }
}

TEST(PlaceCsv, ReadsColumnsInAnyOrder) {
  const auto csv = ReadCsv("gaps,size,id,offset,upper,lower\r\n,7,a,3,4,1\r\n\r\n");
  ASSERT_EQ(csv.status(), absl::OkStatus());
  ASSERT_EQ(csv->problem.blocks.size(), 1u);
  EXPECT_EQ(csv->problem.blocks[0].last, 3);
  EXPECT_EQ(csv->solution.bytes, 10);
}

struct BadCsv {
  const char *text, *says;
};

TEST(PlaceCsv, SaysWhichLineIsBad) {
  const std::string header = "id,lower,upper,size,alignment,over,fixed,offset,gaps\n";
  const BadCsv kBad[] = {
      {"a,0,2\n", "csv line 2: 3 fields where the first line has 9"},
      {"a,2,2,5,1,,,0,\n", "csv line 2: upper '2' is no number >= 3"},
      {"a,0,2,x,1,,,0,\n", "csv line 2: size 'x' is no number >= 0"},
      {"a,0,2,99999999999999999,1,,,0,\n", "size '99999999999999999' is no number"},
      {"a,0,2,5,0,,,0,\n", "alignment '0' is no number >= 1"},
      {"a,0,2,5,1,,-1,0,\n", "fixed '-1' is no number >= 0"},
      {"a,0,2,5,1,,,-3,\n", "offset '-3' is no number >= 0"},
      {"a,0,2,5,1,,,0,1-2\n", "gaps are not supported"},
      {"a,0,2000000000,5,1,,,0,\n", "upper 2000000000 is past"},
      {"\na,0,2,5,1,b@3,,0,\n", "csv line 3: over 'b@3' is not id@distance of a block"},
      {"a,0,2,5,1,a,,0,\n", "over 'a' is not id@distance of a block"},
      {"a,0,2,5,1,a@-1,,0,\n", "over 'a@-1' is not id@distance of a block"},
      {"a,0,2,5,1,a@1,,0,\na,0,2,5,1,,,0,\n", "two blocks have the same id"},
  };
  for (const BadCsv &bad : kBad) {
    const auto csv = ReadCsv(header + bad.text);
    ASSERT_FALSE(csv.ok()) << bad.text;
    EXPECT_NE(std::string(csv.status().message()).find(bad.says), std::string::npos) << csv.status();
  }
  EXPECT_FALSE(ReadCsv("id,lower,upper\n").ok());
  EXPECT_FALSE(ReadCsv("id,lower,upper,size,size\n").ok());
  EXPECT_FALSE(ReadCsv("id,lower,upper,size,colour\n").ok());
}

}  // namespace
}  // namespace onnx2mcu
