// Placing and bounding networks of real size. Processor time, the least of several runs; the limits are several times
// what an optimised build takes.
#include <gtest/gtest.h>

#include <ctime>
#include <limits>

#include "planner/place_check.h"
#include "planner/place_search.h"
#include "tests/planner/place_problems.h"

namespace onnx2mcu {
namespace {

template <typename Run>
double Milliseconds(const Run &run) {
  double least = std::numeric_limits<double>::max();
  for (int i = 0; i < 5; i++) {
    const std::clock_t start = std::clock();
    run();
    least = std::min(least, 1000.0 * static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC);
  }
  return least;
}

TEST(PlaceSpeed, SevenHundredBlocksTakeTwentyMilliseconds) {
  std::mt19937 random(1);
  double most = 0;
  for (int trial = 0; trial < 12; trial++) {
    Problem problem = TransformerProblem(random, 12, 55);
    ASSERT_GE(problem.blocks.size(), 690u);
    if (trial % 2) problem.lower_bound = problem.lower_bound * 9 / 10;  // out of reach: the search does not end early
    most = std::max(most, Milliseconds([&] { PlaceBlocks(problem); }));
  }
  RecordProperty("milliseconds", std::to_string(most));
  EXPECT_LE(most, 20 * kSlow);
}

TEST(PlaceSpeed, OneHundredAndFiftyThatMeetTheBoundTakeTwo) {
  std::mt19937 random(2);
  double most = 0;
  for (int trial = 0; trial < 12; trial++) {
    Problem problem = TransformerProblem(random, 12, 9);
    problem.lower_bound = std::max(problem.lower_bound, PlaceGreedily(problem).bytes);  // met at once
    most = std::max(most, Milliseconds([&] { PlaceBlocks(problem); }));
  }
  RecordProperty("milliseconds", std::to_string(most));
  EXPECT_LE(most, 2 * kSlow);
}

TEST(PlaceSpeed, TheBoundOfSevenHundredTakesFive) {
  std::mt19937 random(3);
  const Problem problem = TransformerProblem(random, 12, 55);
  const double time = Milliseconds([&] { EXPECT_GT(BoundOf(problem), 0); });
  RecordProperty("milliseconds", std::to_string(time));
  EXPECT_LE(time, 5 * kSlow);
}

}  // namespace
}  // namespace onnx2mcu
