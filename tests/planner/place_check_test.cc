#include "planner/place_check.h"

#include <gtest/gtest.h>

namespace onnx2mcu {
namespace {

Problem ThreeBlocks() {
  Problem problem;
  problem.blocks = {{"x", 100, 1, 0, 1}, {"y", 80, 16, 1, 2}, {"z", 10, 1, 2, 3, 0}};
  problem.distances = {{0, 1, 10}};
  return problem;
}

Problem Fixed(int64_t offset) {
  Problem problem = ThreeBlocks();
  problem.blocks[2].fixed = offset;
  return problem;
}

std::string Says(const Problem &problem, const Solution &solution) {
  return std::string(CheckSolution(problem, solution).message());
}

TEST(CheckSolution, AcceptsWhatIsRight) {
  EXPECT_EQ(Says(Fixed(-1), {{10, 0, 80}, 110}), "");
  EXPECT_EQ(Says(Fixed(-1), {{80, 0, 80}, 180}), "");  // x and z never meet
  EXPECT_EQ(Says(Fixed(100), {{10, 0, 100}, 110}), "");
  EXPECT_EQ(Says({}, {}), "");
}

TEST(CheckSolution, NamesWhatIsWrong) {
  EXPECT_EQ(Says(Fixed(-1), {{9, 0, 80}, 110}), "placement: block 'x' and block 'y' are alive together and overlap");
  EXPECT_EQ(Says(Fixed(-1), {{0, 16, 96}, 110}), "placement: block 'x' and block 'y' are alive together and overlap");
  EXPECT_EQ(Says(Fixed(-1), {{10, 0, 79}, 110}), "placement: block 'y' and block 'z' are alive together and overlap");
  EXPECT_EQ(Says(Fixed(-1), {{100, 8, 90}, 200}), "placement: block 'y' is not aligned");
  EXPECT_EQ(Says(Fixed(-1), {{10, 0, 80}, 109}), "placement: block 'x' ends above the arena");
  EXPECT_EQ(Says(Fixed(-1), {{-1, 0, 80}, 110}), "placement: block 'x' has no offset");
  EXPECT_EQ(Says(Fixed(90), {{10, 0, 80}, 110}), "placement: block 'z' is not where it was to lie");
  EXPECT_EQ(Says(Fixed(-1), {{10, 0}, 110}), "placement: 2 offsets for 3 blocks");
  Problem nameless = Fixed(-1);
  nameless.blocks[0].id = "";
  EXPECT_EQ(Says(nameless, {{-1, 0, 80}, 110}), "placement: block 0 has no offset");
}

TEST(CheckSolution, KnowsWhichOfTwoMayLieOver) {
  Problem problem = Fixed(-1);
  problem.distances = {{1, 0, 10}};
  EXPECT_NE(Says(problem, {{10, 0, 80}, 110}), "");
  EXPECT_EQ(Says(problem, {{0, 16, 96}, 110}), "");
}

}  // namespace
}  // namespace onnx2mcu
