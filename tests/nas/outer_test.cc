// The search-space evolution on tabulated scores over the paper's grid of 12 rank ratios and 5 patch sizes.
#include "nas/search/outer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "nas/search/random.h"

namespace onnx2mcu {
namespace {

// A table of scores with its best at (best_rank, best_patch): accuracy saturates with the rank ratio and falls with the
// patch size; it rises with training, and each training has a noise of its own.
struct ScoreTable {
  SpacePoint best;
  double noise = 0;
  SpaceScore At(const SpacePoint &point, int32_t rounds) const {
    const double rank = (point[0] - best[0]) / 11.0, patch = (point[1] - best[1]) / 4.0;
    RandomStream random(static_cast<uint64_t>(point[0] * 5 + point[1]), static_cast<uint64_t>(rounds));
    const double trained = 0.2 * (1 - std::exp(-rounds));
    const double jitter = noise * (random.Uniform() + random.Uniform() - 1);
    return {0.6 + trained - 0.10 * rank * rank - 0.06 * patch * patch - 0.04 * rank * patch + jitter, 0.5};
  }
};

// What the search asks for, of a function that scores one space.
template <class Score>
TrainSpaces Each(const Score &score) {
  return [&score](const std::vector<SpaceTraining> &trainings) -> absl::StatusOr<std::vector<SpaceScore>> {
    std::vector<SpaceScore> scores;
    for (const SpaceTraining &training : trainings) scores.push_back(score(training.point, training.rounds));
    return scores;
  };
}

SpacePoint BestOf(const ScoreTable &table, const OuterOptions &options) {
  SpacePoint best = {};
  double most = -1;
  for (int32_t i = 0; i < options.sizes[0]; i++)
    for (int32_t j = 0; j < options.sizes[1]; j++)
      if (const double score = table.At({i, j}, 1).accuracy; score > most) most = score, best = {i, j};
  return best;
}

int Distance(const SpacePoint &a, const SpacePoint &b) {
  return std::max(std::abs(a[0] - b[0]), std::abs(a[1] - b[1]));
}

// The farthest that the evolution ends from the best, over all starts.
int Farthest(const ScoreTable &table, OuterOptions options) {
  const SpacePoint best = BestOf({table.best, 0}, options);
  int farthest = 0;
  for (int32_t i = 0; i < options.sizes[0]; i++) {
    for (int32_t j = 0; j < options.sizes[1]; j++) {
      options.starts = {{i, j}};
      const auto train = [&](const SpacePoint &point, int32_t rounds) { return table.At(point, rounds); };
      const auto result = EvolveSpace(options, Each(train));
      EXPECT_TRUE(result.ok()) << result.status();
      farthest = std::max(farthest, Distance(result->best, best));
    }
  }
  return farthest;
}

TEST(Outer, ClimbsToWithinOneStepOfTheBestFromEveryStart) {
  for (const SpacePoint best :
       {SpacePoint{6, 2}, SpacePoint{9, 1}, SpacePoint{11, 0}, SpacePoint{0, 4}, SpacePoint{3, 3}}) {
    SCOPED_TRACE(std::to_string(best[0]) + ", " + std::to_string(best[1]));
    EXPECT_LE(Farthest({best, 0}, {}), 1);
  }
}

TEST(Outer, EndsTwoStepsOffAtWorstWhereTrainingIsNoisy) {
  for (const SpacePoint best : {SpacePoint{6, 2}, SpacePoint{9, 1}, SpacePoint{3, 3}})
    EXPECT_LE(Farthest({best, 0.002}, {}), 2);  // 0.2 points up or down
}

TEST(Outer, TheSlopeIsOfTheScoreAndAscends) {
  const OuterOptions options;
  std::vector<SpaceRecord> records;
  for (const SpacePoint point :
       {SpacePoint{4, 2}, SpacePoint{5, 2}, SpacePoint{4, 3}, SpacePoint{5, 3}, SpacePoint{3, 1}})
    records.push_back({point, 1, {0.01 * point[0], -0.1 * point[1]}});
  OuterOptions exact;
  exact.ridge = 0;
  const auto plane = Tendency(exact, {4, 2}, records);
  ASSERT_TRUE(plane.ok());
  EXPECT_NEAR((*plane)[0], 0.01 * 11, 1e-9);
  EXPECT_NEAR((*plane)[1], -0.1 * exact.eta * 4, 1e-9);
  const auto shrunk = Tendency({}, {4, 2}, records);
  EXPECT_LT((*shrunk)[0], (*plane)[0]);
}

TEST(Outer, FitsNoPlaneThroughALineOrThreePoints) {
  std::vector<SpaceRecord> line;
  for (int32_t i = 0; i < 6; i++) line.push_back({{i, 2}, 1, {0.1 * i, 0}});
  EXPECT_EQ(Tendency({}, {2, 2}, line).status().code(), absl::StatusCode::kFailedPrecondition);
  const std::vector<SpaceRecord> three = {{{0, 0}, 1, {}}, {{1, 0}, 1, {}}, {{0, 1}, 1, {}}};
  EXPECT_EQ(Tendency({}, {0, 0}, three).status().code(), absl::StatusCode::kFailedPrecondition);
}

TEST(Outer, TrainsInRoundsAndStaysOnTheGrid) {
  OuterOptions options;
  options.starts = {{0, 4}, {11, 0}};
  std::vector<SpaceRecord> trained;
  const auto train = [&](const SpacePoint &point, int32_t rounds) {
    int32_t before = 0;
    for (const SpaceRecord &record : trained) before += record.point == point ? 1 : 0;
    EXPECT_EQ(rounds, before + 1);
    for (size_t i = 0; i < 2; i++) EXPECT_TRUE(point[i] >= 0 && point[i] < options.sizes[i]);
    trained.push_back({point, rounds, {}});
    return SpaceScore{0.001 * point[0] * point[0], 0};
  };
  ASSERT_TRUE(EvolveSpace(options, Each(train)).ok());
}

// Candidates are trained side by side.
TEST(Outer, AsksForDifferentSpacesTogether) {
  OuterOptions options;
  options.starts = {{0, 4}, {11, 0}, {5, 2}, {5, 2}};
  std::vector<size_t> together;
  const auto train = [&](const std::vector<SpaceTraining> &trainings) -> absl::StatusOr<std::vector<SpaceScore>> {
    std::set<SpacePoint> points;
    for (const SpaceTraining &training : trainings) points.insert(training.point);
    EXPECT_EQ(points.size(), trainings.size());
    together.push_back(trainings.size());
    return std::vector<SpaceScore>(trainings.size());  // a plane without a slope
  };
  ASSERT_TRUE(EvolveSpace(options, train).ok());
  EXPECT_EQ(together[0], 3u);
  EXPECT_EQ(std::count(together.begin(), together.end(), 3u), options.iterations);
}

// Interrupted after any number of trainings it goes on with the same result.
TEST(Outer, GoesOnFromItsRecords) {
  const ScoreTable table = {{7, 1}, 0.002};
  OuterOptions options;
  options.starts = {{0, 4}, {11, 4}};
  int trainings = 0;
  const auto train = [&](const SpacePoint &point, int32_t rounds) {
    trainings++;
    return table.At(point, rounds);
  };
  const OuterResult whole = *EvolveSpace(options, Each(train));
  const int all = trainings;
  for (size_t kept = 0; kept <= whole.records.size(); kept += 5) {
    trainings = 0;
    const auto again =
        EvolveSpace(options, Each(train), {whole.records.begin(), whole.records.begin() + static_cast<int64_t>(kept)});
    ASSERT_TRUE(again.ok());
    EXPECT_EQ(again->best, whole.best);
    EXPECT_EQ(again->paths, whole.paths);
    EXPECT_EQ(trainings, all - static_cast<int>(kept));
  }
  std::vector<SpaceRecord> others = whole.records;
  others[0].point = {5, 2};
  EXPECT_THAT(std::string(EvolveSpace(options, Each(train), others).status().message()),
              ::testing::HasSubstr("other options"));
}

}  // namespace
}  // namespace onnx2mcu
