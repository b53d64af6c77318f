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
  for (int trial = 0; trial < 100000 / kSlow; trial++) {
    Problem problem = RandomProblem(random, RandomKind(random));
    problem.work_limit = trial % 4 ? 2000 : 200;
    const int64_t bound = BoundOf(problem);
    if (trial % 2) problem.lower_bound = bound;
    const Solution solution = Place(problem);
    ASSERT_EQ(CheckSolution(problem, solution), absl::OkStatus()) << "trial " << trial;
    ASSERT_GE(solution.bytes, bound) << "trial " << trial;
    const Solution again = Place(problem);
    ASSERT_EQ(solution.offsets, again.offsets) << "trial " << trial;
    ASSERT_EQ(solution.bytes, again.bytes);
    optimal += solution.optimal, at_bound += solution.bytes == bound;
  }
  EXPECT_GT(optimal, 60000 / kSlow);
  EXPECT_GT(at_bound, 40000 / kSlow);
}

TEST(Place, LaysOneBlockOverAnotherAtTheDistance) {
  Problem problem;
  problem.blocks = {{"x", 100, 1, 0, 1}, {"y", 100, 1, 1, 2}};
  EXPECT_EQ(Place(problem).bytes, 200);
  problem.distances = {{0, 1, 16}};
  const Solution solution = Place(problem);
  EXPECT_EQ(solution.bytes, 116);
  EXPECT_EQ(solution.offsets[0] - solution.offsets[1], 16);
  EXPECT_TRUE(solution.optimal);
}

TEST(Place, LaysNothingAboveWhatItNeeds) {
  EXPECT_EQ(Place({}).bytes, 0);
  Problem problem;
  problem.blocks = {{"a", 100, 16, 0, 1}, {"empty", 0, 16, 0, 1}};
  EXPECT_EQ(Place(problem).bytes, 100);
}

TEST(Place, LeavesFixedBlocksWhereTheyAre) {
  Problem problem;
  problem.blocks = {{"a", 100, 1, 0, 1}, {"b", 60, 1, 0, 1}, {"c", 50, 1, 0, 1}};
  problem.blocks[0].fixed = 60;
  const Solution solution = Place(problem);
  EXPECT_EQ(solution.offsets, (std::vector<int64_t>{60, 0, 160}));
  EXPECT_EQ(solution.bytes, 210);
  EXPECT_TRUE(solution.optimal);
}

TEST(Place, ComesCloseToTheBoundOfTransformers) {
  std::mt19937 random(5);
  for (int trial = 0; trial < 40; trial++) {
    const Problem problem = TransformerProblem(random, 1 + trial % 12, 6 + trial % 30);
    const Solution solution = Place(problem);
    ASSERT_EQ(CheckSolution(problem, solution), absl::OkStatus());
    EXPECT_LE(solution.bytes * 100, problem.lower_bound * 102) << "trial " << trial;
  }
}

}  // namespace
}  // namespace onnx2mcu
