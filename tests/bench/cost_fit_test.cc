#include "bench/cost_fit.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

namespace onnx2mcu {
namespace {

using testing::HasSubstr;

Sample SampleOf(int64_t blocks, int64_t tiles, double instructions) {
  return {"", {{"dot", "blocks", blocks}, {"dot", "tiles", tiles}, {"dot", "calls", 1}}, instructions};
}

TEST(FitSamples, FindsWhatEveryTermCosts) {
  std::vector<Sample> samples;
  for (const auto &[blocks, tiles] : {std::pair{10, 2}, {100, 3}, {40, 40}, {7, 1}})
    samples.push_back(SampleOf(blocks, tiles, 2.5 * blocks + 30 * tiles + 60));
  const Coefficients fit = FitSamples(samples);
  EXPECT_EQ(fit.at({"dot", "blocks"}), 2500);
  EXPECT_EQ(fit.at({"dot", "tiles"}), 30000);
  EXPECT_EQ(fit.at({"dot", "calls"}), 60000);
  EXPECT_DOUBLE_EQ(Predict(fit, SampleOf(1000, 10, 1)), 2860);
}

TEST(FitSamples, KeepsKernelsApartUnlessASampleHasBoth) {
  const Sample one{"", {{"a", "calls", 2}}, 20}, other{"", {{"b", "calls", 3}}, 21};
  const Sample both{"", {{"a", "calls", 1}, {"b", "calls", 1}}, 17};
  const Coefficients fit = FitSamples({one, other, both});
  EXPECT_EQ(fit.at({"a", "calls"}), 10000);
  EXPECT_EQ(fit.at({"b", "calls"}), 7000);
}

TEST(Predict, KnowsNoTermThatWasNotCounted) {
  EXPECT_EQ(Predict(FitSamples({SampleOf(1, 1, 10)}), {"", {{"dot", "others", 1}}, 1}), kUnknownCost);
}

TEST(CostTableText, IsSortedAndMarksWhatACoreHasNot) {
  const std::string text = CostTableText({{{{"b", "x"}, 1500}}, {{{"a", "y"}, 20}, {{"b", "x"}, 0}}});
  EXPECT_THAT(text, HasSubstr("{\"a\", \"y\", {-1, 20}},\n{\"b\", \"x\", {1500, 0}},\n"));
}

TEST(ReadFitData, ReadsWhatWasWritten) {
  const std::string path = testing::TempDir() + "/fit_data.csv";
  const FitData data = {{{"add/two, three", "best", 4}, 100}, {{"add/two, three", "plain", 0}, 7}};
  ASSERT_TRUE(WriteFitData(path, data).ok());
  const absl::StatusOr<FitData> read = ReadFitData(path);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(*read, data);
  std::ofstream(path) << "case,form,rows,instructions\nadd/x,best,1\n";
  EXPECT_THAT(std::string(ReadFitData(path).status().message()), HasSubstr("fit_data.csv:2"));
}

}  // namespace
}  // namespace onnx2mcu
