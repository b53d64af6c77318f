// Placing and bounding networks of real size, against sorting 100,000 numbers on the same machine. The limits are some
// two to four times what an optimised build takes.
#include <gtest/gtest.h>

#include "planner/place_check.h"
#include "planner/place_search.h"
#include "tests/planner/place_problems.h"
#include "tests/planner/relative_time.h"

namespace onnx2mcu {
namespace {

TEST(PlaceSpeed, SevenHundredBlocksTakeSomeTimesOfSorting) {
  std::mt19937 random(1);
  double most = 0;
  for (int trial = 0; trial < 12; trial++) {
    Problem problem = TransformerProblem(random, 12, 55);
    ASSERT_GE(problem.blocks.size(), 690u);
    if (trial % 2) problem.lower_bound = problem.lower_bound * 9 / 10;  // out of reach: the search does not end early
    most = std::max(most, TimesOfSorting([&] { PlaceBlocks(problem); }, 5));
  }
  RecordProperty("times_of_sorting", std::to_string(most));
  EXPECT_LE(most, 10 * kSlow);
}

TEST(PlaceSpeed, OneHundredAndFiftyThatMeetTheBoundTakeLittle) {
  std::mt19937 random(2);
  double most = 0;
  for (int trial = 0; trial < 12; trial++) {
    Problem problem = TransformerProblem(random, 12, 9);
    problem.lower_bound = std::max(problem.lower_bound, PlaceGreedily(problem).bytes);  // met at once
    most = std::max(most, TimesOfSorting([&] { PlaceBlocks(problem); }, 5));
  }
  RecordProperty("times_of_sorting", std::to_string(most));
  EXPECT_LE(most, 0.2 * kSlow);
}

TEST(PlaceSpeed, TheBoundOfSevenHundredTakesLittle) {
  std::mt19937 random(3);
  const Problem problem = TransformerProblem(random, 12, 55);
  const double time = TimesOfSorting([&] { EXPECT_GT(BoundOf(problem), 0); }, 5);
  RecordProperty("times_of_sorting", std::to_string(time));
  EXPECT_LE(time, 0.05 * kSlow);
}

}  // namespace
}  // namespace onnx2mcu
