#include "nas/search/finalists.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace onnx2mcu {
namespace {

using testing::ElementsAre;

std::vector<Evaluation> Accuracies(const std::vector<double> &accuracies) {
  std::vector<Evaluation> evaluations;
  for (const double accuracy : accuracies)
    evaluations.push_back({{static_cast<int32_t>(evaluations.size())}, accuracy, {}, 0});
  return evaluations;
}

TEST(Finalists, AreTheMostAccurateAndTheEarlierOfEquals) {
  const auto evaluations = Accuracies({0.1, 0.5, 0.3, 0.5, 0.4});
  EXPECT_THAT(MostAccurate(evaluations, 3), ElementsAre(1, 3, 4));
  EXPECT_THAT(MostAccurate(evaluations, 9), ElementsAre(1, 3, 4, 2, 0));
}

TEST(Finalists, TheBestIsTheOneThatTrainingMadeBest) {
  const auto evaluations = Accuracies({0.1, 0.5, 0.3});
  const auto tune = [](const Genes &genes, size_t evaluation) -> absl::StatusOr<Tuned> {
    EXPECT_EQ(genes[0], static_cast<int32_t>(evaluation));
    return Tuned{{}, genes[0] == 2 ? 0.8 : 0.6};
  };
  const auto finalists = TuneMostAccurate(evaluations, 2, tune);
  ASSERT_TRUE(finalists.ok()) << finalists.status();
  ASSERT_EQ(finalists->size(), 2u);
  EXPECT_EQ((*finalists)[BestOf(*finalists)].evaluation, 2u);
}

// As rank 0 of two would see it.
TEST(Finalists, WhatAnotherProcessTrainsHasItsAccuracy) {
  const auto tune = [](const Genes &genes, size_t) -> absl::StatusOr<Tuned> {
    return Tuned{{}, genes[0] == 1 ? 0.7 : 0.1};
  };
  const auto spread = [](size_t count, const Task &task) -> absl::StatusOr<std::vector<double>> {
    EXPECT_EQ(count, 2u);
    return std::vector<double>{*task(0), 0.9};
  };
  const auto finalists = TuneMostAccurate(Accuracies({0.1, 0.5, 0.3}), 2, tune, spread);
  ASSERT_TRUE(finalists.ok()) << finalists.status();
  EXPECT_EQ((*finalists)[0].tuned.accuracy, 0.7);
  EXPECT_EQ((*finalists)[BestOf(*finalists)].evaluation, 2u);
}

TEST(Finalists, AnErrorOfTrainingEndsIt) {
  const auto tune = [](const Genes &, size_t) -> absl::StatusOr<Tuned> { return absl::CancelledError("stopped"); };
  EXPECT_EQ(TuneMostAccurate(Accuracies({0.1}), 1, tune).status().code(), absl::StatusCode::kCancelled);
}

}  // namespace
}  // namespace onnx2mcu
