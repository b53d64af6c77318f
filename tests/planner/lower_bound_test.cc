#include "planner/lower_bound.h"

#include <gtest/gtest.h>

#include "planner/place_check.h"
#include "tests/planner/place_problems.h"

namespace onnx2mcu {
namespace {

Buffer Alive(int64_t bytes, int32_t first = 0, int32_t last = 0) {
  Buffer buffer;
  buffer.bytes = bytes, buffer.first = first, buffer.last = last;
  return buffer;
}

TEST(LowerBound, IsTheMostThatIsAliveAtOnce) {
  EXPECT_EQ(LowerBound({}, {}, 1), 0);
  EXPECT_EQ(LowerBound({Alive(0)}, {}, 1), 0);
  EXPECT_EQ(LowerBound({Alive(5, 0, 1), Alive(7, 1, 2), Alive(9, 3, 4), Alive(2, 4, 4)}, {}, 1), 12);
  EXPECT_EQ(LowerBound({Alive(9, 0, 4), Alive(7, 1, 1), Alive(8, 3, 3)}, {}, 1), 17);
}

TEST(LowerBound, CountsWhatOverwritingCannotSave) {
  const std::vector<Buffer> two = {Alive(100), Alive(80)};
  EXPECT_EQ(LowerBound(two, {{0, 1, 10}}, 1), 110);
  EXPECT_EQ(LowerBound(two, {{0, 1, 0}}, 1), 100);
  EXPECT_EQ(LowerBound(two, {{0, 1, 200}}, 1), 180);
  EXPECT_EQ(LowerBound(two, {{1, 0, 10}}, 1), 100);
  const std::vector<Buffer> three = {Alive(100), Alive(150), Alive(60)};  // 2 over 1 over 0, each 50 further down
  EXPECT_EQ(LowerBound(three, {{0, 1, 50}, {1, 2, 50}}, 1), 200);
}

TEST(LowerBound, CountsWholeUnitsOfTheAlignmentButTheLast) {
  EXPECT_EQ(LowerBound({Alive(9), Alive(3)}, {}, 8), 17);  // 3 at 0, 9 at 8
  EXPECT_EQ(LowerBound({Alive(9), Alive(9)}, {{0, 1, 3}}, 8), 17);
}

// Where all are alive at once there is nothing else to lose: the bound is what the placer needs.
TEST(LowerBound, IsExactForOneMomentOfUpToSevenRelatedBlocks) {
  std::mt19937 random(3);
  int saved = 0;
  for (int trial = 0; trial < 3000; trial++) {
    ProblemKind kind{.blocks = 1 + trial % 7, .times = 1, .sizes = 30, .overwritable = 0};
    Problem problem = RandomProblem(random, kind);
    for (int32_t y = 1; y < kind.blocks; y++)
      for (int32_t x = 0; x < y; x++)
        if (Below(random, 2)) problem.distances.push_back({x, y, Below(random, 3) ? Below(random, 30) : 0});
    const Solution solution = PlaceBlocks(problem);
    ASSERT_TRUE(solution.optimal);
    ASSERT_EQ(BoundOf(problem), solution.bytes) << WriteCsv(problem, &solution);
    problem.distances.clear();
    saved += solution.bytes < BoundOf(problem);
  }
  EXPECT_GT(saved, 1500);
}

TEST(LowerBound, StaysABoundWhereManyAreRelated) {
  std::mt19937 random(4);
  for (int trial = 0; trial < 300; trial++) {
    ProblemKind kind{.blocks = 8 + trial % 8, .times = 1, .sizes = 30, .overwritable = 0};
    Problem problem = RandomProblem(random, kind);
    int64_t even = 0;
    for (int32_t y = 1; y < kind.blocks; y++) problem.distances.push_back({y - 1, y, Below(random, 20)});
    for (int32_t i = 0; i < kind.blocks; i += 2) even += problem.blocks[i].bytes;
    const Solution solution = PlaceBlocks(problem);
    ASSERT_EQ(CheckSolution(problem, solution), absl::OkStatus());
    EXPECT_LE(BoundOf(problem), solution.bytes);
    EXPECT_GE(BoundOf(problem) * 2, even);  // no two of these may overlap
  }
}

}  // namespace
}  // namespace onnx2mcu
