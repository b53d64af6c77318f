#include "planner/place.h"

#include <gtest/gtest.h>

#include "planner/place_check.h"
#include "tests/planner/place_problems.h"

namespace onnx2mcu {
namespace {

ProblemKind RandomKind(std::mt19937 &random) {
  ProblemKind kind;
  kind.blocks = 1 + Below(random, Below(random, 8) ? 16 : 60);
  kind.times = 1 + Below(random, 30);
  kind.sizes = 1 << Below(random, 17);
  kind.aligned = Below(random, 2) == 0;
  kind.overwritable = Below(random, 12);
  kind.in_time = Below(random, 4) > 0;
  kind.fixed_blocks = Below(random, 3) ? 0 : Below(random, 4);
  return kind;
}

TEST(Place, EverySolutionIsValidAboveTheBoundAndTheSameTwice) {
  std::mt19937 random(1);
  int optimal = 0, at_bound = 0;
  for (int trial = 0; trial < 40000 / kFewer; trial++) {
    Problem problem = RandomProblem(random, RandomKind(random));
    problem.work_limit = trial % 4 ? 2000 : 200;
    const int64_t bound = BoundOf(problem);
    if (trial % 2) problem.lower_bound = bound;
    const Solution solution = PlaceBlocks(problem);
    ASSERT_EQ(CheckSolution(problem, solution), absl::OkStatus()) << "trial " << trial;
    ASSERT_GE(solution.bytes, bound) << "trial " << trial;
    const Solution again = PlaceBlocks(problem);
    ASSERT_EQ(solution.offsets, again.offsets) << "trial " << trial;
    ASSERT_EQ(solution.bytes, again.bytes);
    optimal += solution.optimal, at_bound += solution.bytes == bound;
  }
  EXPECT_GT(optimal, 24000 / kFewer);
  EXPECT_GT(at_bound, 16000 / kFewer);
}

TEST(Place, LaysOneBlockOverAnotherAtTheDistance) {
  Problem problem;
  problem.blocks = {{"x", 100, 1, 0, 1}, {"y", 100, 1, 1, 2}};
  EXPECT_EQ(PlaceBlocks(problem).bytes, 200);
  problem.distances = {{0, 1, 16}};
  const Solution solution = PlaceBlocks(problem);
  EXPECT_EQ(solution.bytes, 116);
  EXPECT_EQ(solution.offsets[0] - solution.offsets[1], 16);
  EXPECT_TRUE(solution.optimal);
}

TEST(Place, LaysNothingAboveWhatItNeeds) {
  EXPECT_EQ(PlaceBlocks({}).bytes, 0);
  Problem problem;
  problem.blocks = {{"a", 100, 16, 0, 1}, {"empty", 0, 16, 0, 1}};
  EXPECT_EQ(PlaceBlocks(problem).bytes, 100);
}

TEST(Place, LeavesFixedBlocksWhereTheyAre) {
  Problem problem;
  problem.blocks = {{"a", 100, 1, 0, 1}, {"b", 60, 1, 0, 1}, {"c", 50, 1, 0, 1}};
  problem.blocks[0].fixed = 60;
  const Solution solution = PlaceBlocks(problem);
  EXPECT_EQ(solution.offsets, (std::vector<int64_t>{60, 0, 160}));
  EXPECT_EQ(solution.bytes, 210);
  EXPECT_TRUE(solution.optimal);
}

// 14 KiB as a whole, in regions of 8 and 6 KiB: what lives together must be parted so that nothing lies across.
TEST(Place, PartsBlocksBetweenRegions) {
  constexpr int64_t kKi = 1024;
  Problem problem;
  problem.blocks = {{"a", 5 * kKi, 16, 0, 3},
                    {"b", 4 * kKi, 16, 1, 2},
                    {"c", 3 * kKi, 16, 0, 3},
                    {"d", 2 * kKi, 16, 1, 3},
                    {"e", 6 * kKi, 16, 3, 4}};
  problem.lower_bound = BoundOf(problem);
  problem.blocks[4].first = 4, problem.blocks[4].last = 5;
  EXPECT_EQ(PlaceBlocks(problem).bytes, 14 * kKi);
  problem.boundaries = {8 * kKi};
  const Solution solution = PlaceBlocks(problem);
  EXPECT_EQ(CheckSolution(problem, solution), absl::OkStatus());
  EXPECT_EQ(solution.bytes, 14 * kKi);
  Solution across = solution;
  across.offsets[4] = 4 * kKi;
  EXPECT_FALSE(CheckSolution(problem, across).ok());
  problem.boundaries = {7 * kKi};  // 5 + 2 below, 4 + 3 above
  EXPECT_EQ(PlaceBlocks(problem).bytes, 14 * kKi);
}

// 14 KiB of three blocks, no two of which fit 8 KiB.
TEST(Place, SaysHowMuchIsNeededWhereRegionsDoNotDo) {
  constexpr int64_t kKi = 1024;
  Problem problem;
  problem.blocks = {{"a", 5 * kKi, 16, 0, 1}, {"b", 5 * kKi, 16, 0, 1}, {"c", 4 * kKi, 16, 0, 1}};
  problem.lower_bound = BoundOf(problem);
  EXPECT_EQ(PlaceBlocks(problem).bytes, 14 * kKi);
  problem.boundaries = {8 * kKi};
  const Solution solution = PlaceBlocks(problem);
  EXPECT_EQ(CheckSolution(problem, solution), absl::OkStatus());
  EXPECT_EQ(solution.bytes, 17 * kKi);  // 5 below, 5 + 4 above
  EXPECT_TRUE(solution.optimal);
}

TEST(Place, MindsNoBoundaryAboveAll) {
  std::mt19937 random(11);
  for (int trial = 0; trial < 2000 / kFewer; trial++) {
    Problem problem = RandomProblem(random, RandomKind(random));
    problem.work_limit = 2000;
    const Solution whole = PlaceBlocks(problem);
    problem.boundaries = {(whole.bytes + 7) / 8 * 8};
    if (std::any_of(problem.blocks.begin(), problem.blocks.end(), [](const Block &b) { return b.fixed >= 0; }))
      continue;
    EXPECT_EQ(PlaceBlocks(problem).offsets, whole.offsets) << "trial " << trial;
  }
}

// Any problem, cut anywhere, is placed; the transformers also well.
TEST(Place, LaysNothingAcrossABoundary) {
  std::mt19937 random(13);
  for (int trial = 0; trial < 20000 / kFewer; trial++) {
    ProblemKind kind = RandomKind(random);
    kind.fixed_blocks = 0;
    Problem problem = RandomProblem(random, kind);
    problem.work_limit = trial % 4 ? 2000 : 200, problem.lower_bound = BoundOf(problem);
    for (int64_t at = 0; problem.boundaries.size() < 3;) {
      at += 8 * (1 + Below(random, static_cast<int>(problem.lower_bound / 8) + 1));
      problem.boundaries.push_back(at);
    }
    ASSERT_EQ(CheckSolution(problem, PlaceBlocks(problem)), absl::OkStatus()) << "trial " << trial;
  }
}

// The first region ends where a tensor does not: what is left of it is proven lost for most.
TEST(Place, PartsTransformersBetweenTwoRegions) {
  std::mt19937 random(17);
  int optimal = 0;
  for (int trial = 0; trial < 40; trial++) {
    Problem problem = TransformerProblem(random, 1 + trial % 12, 6 + trial % 30);
    problem.boundaries = {problem.lower_bound * 3 / 4 / 16 * 16};
    const Solution solution = PlaceBlocks(problem);
    ASSERT_EQ(CheckSolution(problem, solution), absl::OkStatus());
    EXPECT_LE(solution.bytes * 100, problem.lower_bound * 115) << "trial " << trial;
    optimal += solution.optimal;
  }
  EXPECT_GE(optimal, 20);
}

TEST(Place, ComesCloseToTheBoundOfTransformers) {
  std::mt19937 random(5);
  for (int trial = 0; trial < 40; trial++) {
    const Problem problem = TransformerProblem(random, 1 + trial % 12, 6 + trial % 30);
    const Solution solution = PlaceBlocks(problem);
    ASSERT_EQ(CheckSolution(problem, solution), absl::OkStatus());
    EXPECT_LE(solution.bytes * 100, problem.lower_bound * 102) << "trial " << trial;
  }
}

}  // namespace
}  // namespace onnx2mcu
