// A problem as a chain of parts. That the whole is as good and as right as can be, place_exact_test and place_test say.
#include "planner/place_parts.h"

#include <gtest/gtest.h>

#include "planner/place_check.h"
#include "tests/planner/place_problems.h"

namespace onnx2mcu {
namespace {

// x alive over [0, 4], something beside it at 1 and 3, nothing else at 2; then y over x, and z alone.
Problem Chain() {
  Problem problem;
  problem.blocks = {{"", 100, 1, 0, 4}, {"", 7, 1, 1, 1}, {"", 7, 1, 3, 3}, {"", 100, 1, 4, 6}, {"", 50, 1, 8, 9}};
  problem.distances = {{0, 3, 0}};
  return problem;
}

TEST(CutInTime, PartsShareTheOneBlockThatLivesAcross) {
  const std::vector<Part> parts = CutInTime(Chain(), -1, -1);
  ASSERT_EQ(parts.size(), 5u);
  EXPECT_EQ(parts[0].blocks, std::vector<int32_t>{0});
  EXPECT_EQ(parts[1].blocks, (std::vector<int32_t>{0, 1}));
  EXPECT_EQ(parts[2].blocks, (std::vector<int32_t>{0, 2}));
  EXPECT_EQ(parts[3].blocks, (std::vector<int32_t>{0, 3}));
  EXPECT_EQ(parts[4].blocks, std::vector<int32_t>{4});
  EXPECT_TRUE(parts[0].in == -1 && parts[0].out == 0);
  EXPECT_TRUE(parts[1].in == 0 && parts[1].out == 0);
  EXPECT_TRUE(parts[3].in == 0 && parts[3].out == -1);
  ASSERT_EQ(parts[3].problem.distances.size(), 1u);
  EXPECT_EQ(parts[3].problem.distances[0].y, 1);
}

TEST(CutInTime, BlocksBeyondTheProblemAreShared) {
  const std::vector<Part> parts = CutInTime(Chain(), 0, 4);
  ASSERT_EQ(parts.size(), 4u);
  EXPECT_TRUE(parts[0].in == 0 && parts[0].out == 0);
  EXPECT_TRUE(parts[3].in == -1 && parts[3].out == 0);
}

TEST(Placements, PartsOfEqualContentAreOne) {
  const std::vector<Part> parts = CutInTime(Chain(), -1, -1);
  Placements known;
  EXPECT_EQ(IdOf(known, parts[1].problem), IdOf(known, parts[2].problem));
  EXPECT_NE(IdOf(known, parts[1].problem), IdOf(known, parts[3].problem));
  EXPECT_EQ(known.entries.size(), 2u);
}

TEST(PlaceChain, SharedBlocksAgreeAndTheWorstPartBinds) {
  const Problem problem = Chain();
  Placements known;
  std::vector<Link> links;
  const std::vector<Part> parts = CutInTime(problem, -1, -1);
  for (const Part &part : parts) links.push_back({IdOf(known, part.problem), part.in, part.out});
  const ChainSolution chain = PlaceChain(known, links, 0);
  EXPECT_EQ(chain.bytes, 107);
  EXPECT_TRUE(chain.optimal);
  for (const ChainSolution &again : {PlaceChain(known, links, 0)}) EXPECT_EQ(again.parts, chain.parts);  // looked up
  for (size_t i = 0; i < 3; i++)
    EXPECT_EQ(chain.parts[i]->offsets[links[i].out], chain.parts[i + 1]->offsets[links[i + 1].in]);
}

// Parts that want a shared block in different places, so that the whole needs more than any of them alone.
TEST(PlaceChain, SaysWhereThePartsDoNotFitTogether) {
  Problem problem;  // x of 10 must lie 5 above y, and 5 below w
  problem.blocks = {{"", 10, 1, 0, 1}, {"", 10, 1, 1, 3}, {"", 10, 1, 3, 5}, {"", 10, 1, 5, 6}};
  problem.distances = {{0, 1, 5}, {1, 2, 5}, {2, 3, 5}};
  EXPECT_EQ(CutInTime(problem, -1, -1).size(), 4u);
  const Solution solution = PlaceBlocks(problem);
  EXPECT_EQ(CheckSolution(problem, solution), absl::OkStatus());
  EXPECT_EQ(solution.bytes, 20);  // 10, 0, 10, 0; any two alone take 15
  EXPECT_TRUE(solution.optimal);
}

TEST(Placements, ChangeNoSolution) {
  std::mt19937 random(7);
  Placements known;
  for (int trial = 0; trial < 40 / kFewer; trial++) {
    const Problem problem = TransformerProblem(random, 2 + trial % 5, 4 + trial % 9);
    const Solution one = PlaceBlocks(problem), other = PlaceBlocks(problem, &known),
                   again = PlaceBlocks(problem, &known);
    ASSERT_EQ(CheckSolution(problem, one), absl::OkStatus());
    EXPECT_EQ(one.offsets, other.offsets);
    EXPECT_EQ(one.offsets, again.offsets);
    EXPECT_EQ(one.optimal, other.optimal);
  }
}

}  // namespace
}  // namespace onnx2mcu
