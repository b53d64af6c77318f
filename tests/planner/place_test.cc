#include "planner/place.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

namespace onnx2mcu {
namespace {

bool Together(const Block &a, const Block &b) { return a.first <= b.last && b.first <= a.last; }

bool MayShare(const Problem &problem, const std::vector<int64_t> &offsets, int32_t a, int32_t b) {
  for (const Distance &d : problem.distances)
    if (((d.x == a && d.y == b) || (d.x == b && d.y == a)) && offsets[d.x] - offsets[d.y] >= d.distance) return true;
  return false;
}

bool Fits(const Problem &problem, const std::vector<int64_t> &offsets, int32_t a, int32_t b) {
  const Block &p = problem.blocks[a], &q = problem.blocks[b];
  if (!Together(p, q) || offsets[a] >= offsets[b] + q.bytes || offsets[b] >= offsets[a] + p.bytes) return true;
  return MayShare(problem, offsets, a, b);
}

bool Valid(const Problem &problem, const Solution &solution) {
  for (int32_t a = 0; a < static_cast<int32_t>(problem.blocks.size()); a++) {
    const Block &block = problem.blocks[a];
    if (solution.offsets[a] < 0 || solution.offsets[a] % block.align) return false;
    if (solution.offsets[a] + block.bytes > solution.bytes) return false;
    for (int32_t b = 0; b < a; b++)
      if (!Fits(problem, solution.offsets, a, b)) return false;
  }
  return true;
}

Problem RandomProblem(std::mt19937 &random, int blocks, int times, int sizes, bool aligned) {
  const auto upto = [&](int n) { return static_cast<int32_t>(random() % n); };
  Problem problem;
  for (int i = 0; i < blocks; i++) {
    const int32_t first = upto(times);
    problem.blocks.push_back({"", 1 + upto(sizes), aligned ? 1 << upto(4) : 1, first, first + upto(times - first)});
  }
  for (int32_t y = 0; y < blocks; y++)
    for (int32_t x = 0; x < blocks; x++)
      if (x != y && problem.blocks[x].first < problem.blocks[y].first && upto(3) == 0)
        problem.distances.push_back({x, y, upto(sizes)});
  return problem;
}

int64_t Sum(const Problem &problem) {
  int64_t sum = 0;
  for (const Block &block : problem.blocks) sum += block.bytes + block.align - 1;
  return sum;
}

TEST(Place, EverySolutionIsValid) {
  std::mt19937 random(1);
  for (int trial = 0; trial < 8000; trial++) {
    Problem problem = RandomProblem(random, 1 + trial % 24, 2 + trial % 9, 40, trial % 2);
    problem.work_limit = 300;
    const Solution solution = Place(problem);
    ASSERT_TRUE(Valid(problem, solution)) << "trial " << trial;
    ASSERT_LE(solution.bytes, Sum(problem)) << "trial " << trial;
  }
}

// Tries every offset of every block.
void BruteForce(const Problem &problem, std::vector<int64_t> &offsets, int64_t top, int64_t &best) {
  if (top >= best) return;
  const int32_t block = static_cast<int32_t>(offsets.size());
  if (offsets.size() == problem.blocks.size()) {
    best = top;
    return;
  }
  for (int64_t offset = 0; offset + problem.blocks[block].bytes < best; offset++) {
    offsets.push_back(offset);
    bool fits = true;
    for (int32_t b = 0; b < block && fits; b++) fits = Fits(problem, offsets, block, b);
    if (fits) BruteForce(problem, offsets, std::max(top, offset + problem.blocks[block].bytes), best);
    offsets.pop_back();
  }
}

TEST(Place, FindsTheLeastArenaOfSmallProblems) {
  std::mt19937 random(2);
  for (int trial = 0; trial < 600; trial++) {
    const Problem problem = RandomProblem(random, 2 + trial % 4, 4, 5, false);
    const Solution solution = Place(problem);
    int64_t best = Sum(problem) + 1;
    std::vector<int64_t> offsets;
    BruteForce(problem, offsets, 0, best);
    ASSERT_TRUE(solution.optimal);
    ASSERT_EQ(solution.bytes, best) << "trial " << trial;
  }
}

TEST(Place, LaysOneBlockOverAnotherAtTheDistance) {
  Problem problem;
  problem.blocks = {{"x", 100, 1, 0, 1}, {"y", 100, 1, 1, 2}};
  EXPECT_EQ(Place(problem).bytes, 200);
  problem.distances = {{0, 1, 16}};
  const Solution solution = Place(problem);
  EXPECT_EQ(solution.bytes, 116);
  EXPECT_EQ(solution.offsets[0] - solution.offsets[1], 16);
}

TEST(Place, IsTheSameTwice) {
  std::mt19937 random(3);
  const Problem problem = RandomProblem(random, 40, 12, 1000, true);
  EXPECT_EQ(Place(problem).offsets, Place(problem).offsets);
}

TEST(PlaceCsv, ReadsWhatItWrites) {
  Problem problem;
  problem.blocks = {{"a", 100, 1, 0, 1}, {"b", 50, 1, 1, 4}};
  const Solution solution = Place(problem);
  const std::string text = WriteCsv(problem, &solution);
  EXPECT_EQ(text, "id,lower,upper,size,offset\na,0,2,100,0\nb,1,5,50,100\n");
  const auto csv = ReadCsv(text);
  ASSERT_TRUE(csv.ok());
  EXPECT_EQ(WriteCsv(csv->problem, &csv->solution), text);
  EXPECT_EQ(csv->solution.bytes, solution.bytes);
}

TEST(PlaceCsv, SaysWhichLineIsBad) {
  for (const char *text : {"h\na,0,2\n", "h\na,2,2,5\n", "h\na,0,2,x\n", "h\na,0,2,5,0\nb,0,2,5\n"}) {
    const auto csv = ReadCsv(text);
    ASSERT_FALSE(csv.ok()) << text;
    EXPECT_NE(std::string(csv.status().message()).find("csv line "), std::string::npos);
  }
}

}  // namespace
}  // namespace onnx2mcu
