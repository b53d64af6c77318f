// How well strategies search, apart from the noise of training: on the table of tests/nas/table.
#include <gtest/gtest.h>

#include <cstdio>

#include "nas/search/pareto.h"
#include "nas/search/search.h"
#include "tests/nas/table_problem.h"

namespace onnx2mcu {
namespace {

constexpr uint64_t kSeeds = 20;

SearchProblem Problem(const Limits &limits) {
  const auto like = ReadLikeBlocks(std::string(O2M_SOURCE_DIR) + "/tests/nas/table");
  EXPECT_TRUE(like.ok()) << like.status();
  return UnlikeBlocks(*like, limits);
}

std::vector<Evaluation> Evaluations(const SearchProblem &problem, const Strategy &strategy, uint64_t seed) {
  SearchOptions options;
  options.seed = seed;
  const auto history = Search(problem, strategy, options);
  EXPECT_TRUE(history.ok()) << history.status();
  return history->evaluations;
}

double BestAccuracy(const std::vector<Evaluation> &evaluations) { return evaluations[BestOf(evaluations)].accuracy; }

// Of 1 - accuracy up to 0.2, RAM to 16 KiB, flash to 256 KiB, instructions to 64 million; as part of that box.
double VolumeOf(const std::vector<Evaluation> &evaluations) {
  const Point reference = {0.2, 16384, 262144, 64e6};
  std::vector<Point> points;
  for (const size_t i : FrontierOf(evaluations)) points.push_back(PointOf(evaluations[i]));
  return Hypervolume(points, reference) / (reference[0] * reference[1] * reference[2] * reference[3]);
}

using Measure = double (*)(const std::vector<Evaluation> &);

struct Comparison {
  uint64_t wins = 0;  // seeds on which the strategy is strictly better
  double mean = 0, mean_random = 0;
};

// With random search after as many evaluations.
Comparison AgainstRandom(const SearchProblem &problem, const std::string &strategy, const StrategyOptions &options,
                         Measure measure) {
  Comparison c;
  for (uint64_t seed = 0; seed < kSeeds; seed++) {
    const auto mine = Evaluations(problem, *StrategyNamed(strategy, options), seed);
    const auto others = Evaluations(problem, RandomSearch(options), seed);
    EXPECT_EQ(mine.size(), others.size());
    c.wins += measure(mine) > measure(others) ? 1 : 0;
    c.mean += measure(mine) / kSeeds, c.mean_random += measure(others) / kSeeds;
  }
  std::printf("%s %.5f, random %.5f (means): better on %d of %d seeds\n", strategy.c_str(), c.mean, c.mean_random,
              static_cast<int>(c.wins), static_cast<int>(kSeeds));
  return c;
}

TEST(Quality, TheTableHoldsEveryNetworkOfItsSpace) {
  const auto like = *ReadLikeBlocks(std::string(O2M_SOURCE_DIR) + "/tests/nas/table");
  size_t all = 1;
  for (const Gene &gene : like->genes) all *= gene.values.size();
  EXPECT_EQ(like->table.rows.size(), all);
  EXPECT_EQ(all, 2240u);
}

TEST(Quality, EvolutionBeatsRandomSearch) {
  EXPECT_GE(AgainstRandom(Problem({8192, 131072, 0}), "evolution", {}, BestAccuracy).wins, 18u);
}

TEST(Quality, EvolutionOfAFifthBeatsRandomSearch) {
  StrategyOptions options;
  options.population = 20;
  options.parents = 5;
  options.mutations = options.crossovers = 10;
  options.generations = 10;
  EXPECT_GE(AgainstRandom(Problem({8192, 131072, 0}), "evolution", options, BestAccuracy).wins, 18u);
}

// 96 KiB leave few depths and dims: random search comes close, and the parents may gather around another network.
TEST(Quality, EvolutionIsBetterInTheMeanWhereTheLimitsLeaveLittle) {
  const Comparison c = AgainstRandom(Problem({8192, 98304, 0}), "evolution", {}, BestAccuracy);
  EXPECT_GT(c.mean, c.mean_random);
}

TEST(Quality, Nsga2DominatesMoreThanRandomSearch) {
  EXPECT_GE(AgainstRandom(Problem({}), "nsga2", {}, VolumeOf).wins, 18u);
}

// The other ways to choose a space, as MCUFormer's table 1 has them: all of them hold patch and rank ratio or nothing.
TEST(Quality, TheWholeSpaceIsNoWorseThanARandomOne) {
  SearchProblem problem = Problem({8192, 98304, 0});
  const double composition = BestAccuracy(Evaluations(problem, Evolution({}), 1));
  problem.held = HoldRandom(problem.objective, {0, 3}, 1);
  EXPECT_GE(composition, BestAccuracy(Evaluations(problem, Evolution({}), 1)));
  problem.held = *HoldMaximal(problem.objective, {0, 3});
  EXPECT_EQ(problem.held[0], 0);  // patch 4
  EXPECT_EQ(problem.held[1], -1);
}

}  // namespace
}  // namespace onnx2mcu
