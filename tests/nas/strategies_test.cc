// What every strategy keeps to: legal, canonical, never twice, the same for the same seed; and what a search says where
// nothing is legal.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "nas/search/reach.h"
#include "nas/search/search.h"
#include "tests/nas/toy_problem.h"

namespace onnx2mcu {
namespace {

using ::testing::HasSubstr;

History MustSearch(const SearchProblem &problem, const Strategy &strategy, uint64_t seed, int64_t tries = 500) {
  SearchOptions options;
  options.seed = seed;
  options.tries = tries;
  const auto history = Search(problem, strategy, options);
  EXPECT_TRUE(history.ok()) << history.status();
  return history.ok() ? *history : History();
}

bool Same(const History &a, const History &b) {
  if (a.evaluations.size() != b.evaluations.size() || a.refusals.drawn != b.refusals.drawn) return false;
  for (size_t i = 0; i < a.evaluations.size(); i++)
    if (a.evaluations[i].genes != b.evaluations[i].genes || a.evaluations[i].accuracy != b.evaluations[i].accuracy)
      return false;
  return true;
}

TEST(RandomStream, IsTheSameOnEveryMachine) {
  RandomStream random(1, 2, 3);
  EXPECT_EQ(random.Next(), 14993571380999628095u);
  EXPECT_NE(RandomStream(1, 2, 4).Next(), RandomStream(1, 3, 3).Next());
  EXPECT_NE(RandomStream(2, 2, 3).Next(), RandomStream(1, 2, 3).Next());
  std::array<int, 3> seen = {};
  for (int i = 0; i < 30000; i++) seen[static_cast<size_t>(random.Below(3))]++;
  for (const int count : seen) EXPECT_NEAR(count, 10000, 400);
}

class EveryStrategy : public ::testing::TestWithParam<const char *> {};

TEST_P(EveryStrategy, EvaluatesLegalCanonicalNetworksOnce) {
  const SearchProblem problem = ToyProblem({1700, 1500, 0});
  StrategyOptions options;
  options.generations = 6;
  const Strategy strategy = *StrategyNamed(GetParam(), options);
  const History history = MustSearch(problem, strategy, 7);
  std::set<Genes> seen;
  for (const Evaluation &evaluation : history.evaluations) {
    EXPECT_TRUE(seen.insert(evaluation.genes).second);
    EXPECT_TRUE(Within(evaluation.cost, problem.limits));
    EXPECT_EQ(evaluation.genes, CanonicalOf(problem, evaluation.genes));
  }
  EXPECT_EQ(history.generations, std::string(GetParam()) == "maximal" ? 1 : 6);
  EXPECT_TRUE(Same(history, MustSearch(problem, strategy, 7)));
}

TEST_P(EveryStrategy, StaysInTheHeldSpace) {
  SearchProblem problem = ToyProblem({});
  problem.held = HoldRandom(problem.objective, {2}, 5);
  StrategyOptions options;
  options.generations = 2;
  const History history = MustSearch(problem, *StrategyNamed(GetParam(), options), 1);
  for (const Evaluation &evaluation : history.evaluations) EXPECT_EQ(evaluation.genes[2], problem.held[2]);
}

INSTANTIATE_TEST_SUITE_P(All, EveryStrategy, ::testing::Values("evolution", "random", "nsga2", "maximal"));

TEST(Strategies, GenerationsHaveThePapersSizes) {
  const History history = MustSearch(ToyProblem({}), Evolution({}), 3);
  EXPECT_EQ(history.generations, 20);
  EXPECT_EQ(history.evaluations.size(), 1000u);
  EXPECT_EQ(history.refusals.refused, 0);
  EXPECT_EQ(history.refusals.drawn, 1000);
  EXPECT_FALSE(Same(history, MustSearch(ToyProblem({}), Evolution({}), 4)));
}

TEST(Strategies, EvolutionFindsTheBestOfAnEasySpace) {
  const History history = MustSearch(ToyProblem({}), Evolution({}), 11);
  EXPECT_DOUBLE_EQ(history.evaluations[BestOf(history.evaluations)].accuracy, 0.5 + 0.12 + 0.24);
}

TEST(Strategies, MaximalEndsAtTheMostWeights) {
  const History history = MustSearch(ToyProblem({0, 2000, 0}), MaximalNetwork({}), 2);
  ASSERT_EQ(history.evaluations.size(), 1u);
  EXPECT_GE(history.evaluations[0].cost.weight_bytes, 900);  // 1000 is what code leaves
}

TEST(Strategies, AUsersStrategyIsThreeFunctions) {
  const auto deepest = [](const Parents &, Sampler &sampler) {
    return sampler.AddOne({sampler.generation(), 2, 0, 3, 3, 3, 3, 3, 3});
  };
  const Strategy mine = {[](const History &) { return Parents(); }, deepest,
                         [](const History &history) { return history.generations == 4; }};
  const History history = MustSearch(ToyProblem({}), mine, 0);
  ASSERT_EQ(history.evaluations.size(), 4u);
  EXPECT_EQ(history.evaluations[3].genes[0], 3);
}

TEST(Strategies, AnUnknownNameListsTheKnown) {
  EXPECT_THAT(std::string(StrategyNamed("annealing", {}).status().message()), HasSubstr("evolution, random, nsga2"));
}

TEST(Search, EndsWhereAllLegalNetworksAreEvaluated) {
  const SearchProblem problem = ToyProblem({1000, 1080, 0});  // dim 16, depth 1 or 2, either patch
  std::set<Genes> legal;
  for (int i = 0; i < 20000; i++) {
    RandomStream random(99, 0, static_cast<uint64_t>(i));
    Genes genes;
    for (const Gene &gene : problem.objective.genes)
      genes.push_back(random.Below(static_cast<int32_t>(gene.values.size())));
    genes = CanonicalOf(problem, genes);
    if (Within(*problem.objective.cost(genes), problem.limits)) legal.insert(genes);
  }
  StrategyOptions options;
  options.generations = 1000;
  const History history = MustSearch(problem, Evolution(options), 5, 20000);
  EXPECT_TRUE(history.exhausted);
  EXPECT_EQ(history.evaluations.size(), legal.size());
}

TEST(Search, FindsTheOnlyLegalNetworkOfThousands) {
  // dim 16, patch 7, depth 1, one head, mlp_ratio 1: 356 B of RAM and 1032 B of flash
  const SearchProblem problem = ToyProblem({356, 1032, 0});
  SearchOptions options;
  options.tries = 1;
  const auto history = Search(problem, RandomSearch({}), options);
  ASSERT_TRUE(history.ok()) << history.status();
  EXPECT_EQ(history->evaluations[0].genes, (Genes{0, 0, 1, 0, 0, 0, 0, 0, 0}));
}

TEST(Search, SaysWhichLimitIsInfeasibleAndWhatTheLeastIs) {
  const auto ram = Search(ToyProblem({300, 5000, 0}), Evolution({}), {});
  EXPECT_EQ(ram.status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(std::string(ram.status().message()), HasSubstr("no network found meets the limit of ram;"));
  EXPECT_THAT(std::string(ram.status().message()), HasSubstr("ram: least found 356 B of 300 B allowed (arena 256 B"));
  EXPECT_THAT(std::string(ram.status().message()), HasSubstr("flash: least found 1032 B of 5000 B"));
}

TEST(Search, SaysWhereLimitsExcludeEachOther) {
  SearchProblem problem = ToyProblem({500, 1100, 0});
  const auto cost = problem.objective.cost;
  problem.objective.cost = [cost](const Genes &genes) -> absl::StatusOr<Cost> {
    Cost result = *cost(genes);
    if (genes[2] == 1) result.constant_bytes = 200;  // few tokens cost flash
    return result;
  };
  const auto both = Search(problem, Evolution({}), {});
  EXPECT_THAT(std::string(both.status().message()), HasSubstr("no network found meets all limits together"));
}

TEST(Search, NamesWhatBindsANetwork) {
  Prices prices;
  const auto ram = BindingOf(ToyProblem({356, 0, 0}), {0, 0, 1, 0, 0, 0, 0, 0, 0}, &prices);
  EXPECT_EQ(ram->limit, "ram");
  EXPECT_EQ(ram->neighbours, 5);  // dim, depth, patch, heads, mlp_ratio
  EXPECT_EQ(ram->refused[0], 2);  // dim, patch
  EXPECT_EQ(BindingOf(ToyProblem({}), {0, 0, 1, 0, 0, 0, 0, 0, 0}, &prices)->limit, "none");
}

TEST(Search, PassesOnWhatAPredictorSays) {
  SearchProblem problem = ToyProblem({});
  problem.objective.accuracy = [](const Genes &) -> absl::StatusOr<double> { return absl::NotFoundError("no images"); };
  EXPECT_EQ(Search(problem, Evolution({}), {}).status().message(), "no images");
}

TEST(Search, CountsTheRefusedShareOfASpace) {
  Prices prices;
  const Refusals refusals = *RefusedShare(ToyProblem({2000, 0, 0}), 4000, 1, &prices);
  EXPECT_EQ(refusals.drawn, 4000);
  EXPECT_NEAR(static_cast<double>(refusals.refused), 4000 * 0.25, 120);  // patch 4 with dim 48 or 64
  EXPECT_EQ(refusals.refused, refusals.by_limit[0]);
}

}  // namespace
}  // namespace onnx2mcu
