// The exact search against trying every offset of every block.
#include <gtest/gtest.h>

#include <algorithm>

#include "planner/place_check.h"
#include "tests/planner/place_problems.h"

namespace onnx2mcu {
namespace {

// What this file believes of a pair, stated as plainly as possible: bytes that both own at one time are shared, and
// that is fine only at a distance.
bool Fits(const Problem &problem, const std::vector<int64_t> &offsets, int32_t a, int32_t b) {
  const Block &p = problem.blocks[a], &q = problem.blocks[b];
  if (p.last < q.first || q.last < p.first) return true;
  if (offsets[a] >= offsets[b] + q.bytes || offsets[b] >= offsets[a] + p.bytes) return true;
  for (const Distance &d : problem.distances) {
    if (d.x == a && d.y == b && offsets[a] - offsets[b] >= d.distance) return true;
    if (d.x == b && d.y == a && offsets[b] - offsets[a] >= d.distance) return true;
  }
  return false;
}

// Is there a placement in `arena` bytes? Tries every offset of every block.
bool Feasible(const Problem &problem, int64_t arena, std::vector<int64_t> &offsets) {
  const int32_t block = static_cast<int32_t>(offsets.size());
  if (offsets.size() == problem.blocks.size()) return true;
  const Block &b = problem.blocks[block];
  const int64_t low = b.fixed >= 0 ? b.fixed : 0, high = b.fixed >= 0 ? b.fixed : arena - b.bytes;
  if (low + b.bytes > arena) return false;
  for (int64_t offset = low; offset <= high; offset += b.align) {
    offsets.push_back(offset);
    bool fits = true;
    for (const int64_t at : problem.boundaries) fits = fits && (at <= offset || offset + b.bytes <= at);
    for (int32_t other = 0; other < block && fits; other++) fits = Fits(problem, offsets, block, other);
    if (fits && Feasible(problem, arena, offsets)) return true;
    offsets.pop_back();
  }
  return false;
}

struct Tally {
  int optimal = 0, tried = 0, related = 0;
};

void Compare(std::mt19937 &random, const ProblemKind &kind, Tally &tally, std::vector<int64_t> boundaries = {}) {
  Problem problem = RandomProblem(random, kind);
  problem.boundaries = std::move(boundaries);
  const Solution solution = PlaceBlocks(problem);
  ASSERT_EQ(CheckSolution(problem, solution), absl::OkStatus());
  std::vector<int64_t> offsets;
  tally.tried++;
  if (!solution.optimal) return;
  tally.optimal++;
  tally.related += !problem.distances.empty();
  ASSERT_FALSE(Feasible(problem, solution.bytes - 1, offsets))
      << WriteCsv(problem, &solution) << "fits " << solution.bytes - 1;
}

TEST(SearchExactly, IsOptimalWhereItSaysSo) {
  std::mt19937 random(1);
  Tally tally;
  for (int trial = 0; trial < 10000 / kFewer; trial++) {
    ProblemKind kind{.blocks = 2 + trial % 6, .times = 1 + trial / 6 % 5, .sizes = 5, .overwritable = trial % 5};
    kind.zero_distances = trial % 3;
    Compare(random, kind, tally);
    if (testing::Test::HasFatalFailure()) FAIL() << "trial " << trial;
  }
  EXPECT_EQ(tally.optimal, tally.tried);
  EXPECT_GT(tally.related, 4000 / kFewer);
}

TEST(SearchExactly, IsOptimalWithAlignment) {
  std::mt19937 random(2);
  Tally tally;
  for (int trial = 0; trial < 6000 / kFewer; trial++) {
    ProblemKind kind{.blocks = 2 + trial % 5, .times = 1 + trial / 6 % 4, .sizes = 12, .aligned = true};
    kind.overwritable = trial % 4;
    Compare(random, kind, tally);
    if (testing::Test::HasFatalFailure()) FAIL() << "trial " << trial;
  }
  EXPECT_EQ(tally.optimal, tally.tried);
}

TEST(SearchExactly, IsOptimalAroundFixedBlocks) {
  std::mt19937 random(3);
  Tally tally;
  for (int trial = 0; trial < 6000 / kFewer; trial++) {
    ProblemKind kind{.blocks = 2 + trial % 5, .times = 1 + trial / 6 % 4, .sizes = 6, .aligned = trial % 2 == 0};
    kind.overwritable = trial % 4, kind.fixed_blocks = 1 + trial % 3;
    Compare(random, kind, tally);
    if (testing::Test::HasFatalFailure()) FAIL() << "trial " << trial;
  }
  EXPECT_EQ(tally.optimal, tally.tried);
}

TEST(SearchExactly, IsOptimalBetweenBoundaries) {
  std::mt19937 random(4);
  Tally tally;
  for (int trial = 0; trial < 6000 / kFewer; trial++) {
    ProblemKind kind{.blocks = 2 + trial % 5, .times = 1 + trial / 6 % 4, .sizes = 6, .aligned = trial % 2 == 0};
    kind.overwritable = trial % 4;
    const int64_t unit = kind.aligned ? 8 : 1, first = unit * (1 + Below(random, 8));
    std::vector<int64_t> boundaries = {first};
    if (trial % 3 == 0) boundaries.push_back(first + unit * (1 + Below(random, 8)));
    Compare(random, kind, tally, boundaries);
    if (testing::Test::HasFatalFailure()) FAIL() << "trial " << trial;
  }
  EXPECT_EQ(tally.optimal, tally.tried);
}

// Larger problems are searched in windows. Here they fall apart into small ones that never meet, so that each can be
// tried on its own: the whole needs what the hardest of them needs.
TEST(SearchWindows, AreOptimalWhereTheySaySo) {
  std::mt19937 random(5);
  int optimal = 0;
  for (int trial = 0; trial < 1500 / kFewer; trial++) {
    std::vector<Problem> parts;
    Problem whole;
    whole.work_limit = 50000;
    for (int32_t part = 0; part < 5; part++) {
      ProblemKind kind{.blocks = 6, .times = 1 + trial % 5, .sizes = 5, .aligned = trial % 4 == 0, .overwritable = 2};
      parts.push_back(RandomProblem(random, kind));
      const int32_t base = static_cast<int32_t>(whole.blocks.size());
      for (Block block : parts.back().blocks) {
        block.first += 10 * part, block.last += 10 * part;
        whole.blocks.push_back(block);
      }
      for (const Distance &d : parts.back().distances) whole.distances.push_back({d.x + base, d.y + base, d.distance});
    }
    if (trial % 2) whole.lower_bound = BoundOf(whole);
    const Solution solution = PlaceBlocks(whole);
    ASSERT_EQ(CheckSolution(whole, solution), absl::OkStatus());
    if (!solution.optimal) continue;
    optimal++;
    const auto fits = [&](const Problem &part) {
      std::vector<int64_t> offsets;
      return Feasible(part, solution.bytes - 1, offsets);
    };
    ASSERT_FALSE(std::all_of(parts.begin(), parts.end(), fits)) << WriteCsv(whole, &solution);
  }
  EXPECT_GT(optimal, 1000 / kFewer);
}

// Distances in any direction: blocks may then follow one another at 0 in a circle, and the search must not claim more
// than it has seen.
TEST(SearchExactly, ClaimsNothingFalseInCircles) {
  std::mt19937 random(4);
  Tally tally;
  for (int trial = 0; trial < 12000 / kFewer; trial++) {
    ProblemKind kind{.blocks = 3 + trial % 4, .times = 1 + trial % 2, .sizes = 8, .aligned = trial % 3 == 0};
    kind.overwritable = 2 + trial % 2, kind.in_time = false, kind.zero_distances = 1 + trial % 2;
    Compare(random, kind, tally);
    if (testing::Test::HasFatalFailure()) FAIL() << "trial " << trial;
  }
  EXPECT_GT(tally.optimal, tally.tried / 4);
}

}  // namespace
}  // namespace onnx2mcu
