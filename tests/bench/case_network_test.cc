// The cases of the ops as a network: counted twice alike, equal to the host, dearer in more calls.
#include "bench/case_network.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <set>

#include "bench/measure.h"

namespace onnx2mcu {
namespace {

std::map<std::string, Row> MeasureSome(const std::string &target, const std::vector<std::string> &select,
                                       int32_t rows) {
  Registry registry;
  registry.LoadFolder(O2M_PLUGIN_DIR);
  CaseOptions options;
  options.target = target, options.select = select, options.rows = rows;
  const auto measured = MeasureCases(registry, options);
  EXPECT_TRUE(measured.ok()) << measured.status();
  std::map<std::string, Row> by_name;
  if (measured.ok())
    for (const Row &row : *measured) by_name[row.name] = row;
  return by_name;
}

TEST(CaseNetwork, CountsTheSameTwice) {
  const auto once = MeasureSome("cortex-m4", {"linear/64x64x64", "softmax/32x50"}, 0);
  const auto twice = MeasureSome("cortex-m4", {"linear/64x64x64", "softmax/32x50"}, 0);
  ASSERT_EQ(once.count("linear/64x64x64"), 1u);
  ASSERT_EQ(once.count("linear/64x64x64+table"), 1u);
  ASSERT_EQ(once.count("softmax/32x50"), 1u);
  for (const auto &[name, row] : once) {
    ASSERT_EQ(twice.count(name), 1u) << name;
    EXPECT_EQ(row.instructions, twice.at(name).instructions) << name;
    EXPECT_EQ(row.cycles, twice.at(name).cycles) << name;
    EXPECT_GE(row.cycles, row.instructions) << name;
  }
  EXPECT_EQ(once.at("linear/64x64x64").work, 64 * 64 * 64);
  EXPECT_GT(once.at("linear/64x64x64").instructions, 64 * 64 * 64 / 4);
}

TEST(CaseNetwork, ACaseCountsTheSameAmongOthers) {
  const auto alone = MeasureSome("rv32imc", {"layer_norm/32x64"}, 8);
  const auto among = MeasureSome("rv32imc", {"layer_norm/32x64", "softmax/32x50"}, 8);
  // what calls the kernel four times may be compiled otherwise
  EXPECT_NEAR(static_cast<double>(alone.at("layer_norm/32x64").instructions),
              static_cast<double>(among.at("layer_norm/32x64").instructions), 40);
}

TEST(CaseNetwork, MoreCallsCostMore) {
  const auto whole = MeasureSome("cortex-m0", {"gelu/50x64"}, 0), rows = MeasureSome("cortex-m0", {"gelu/50x64"}, 1);
  EXPECT_GT(rows.at("gelu/50x64").instructions, whole.at("gelu/50x64").instructions + 49 * 10);
}

// Numbered through all ops: a batch goes on where the last one ended; what only the host has memory for is left out.
TEST(CaseNetwork, WorstCasesHoldTheEndsOfTheirInputs) {
  Registry registry;
  registry.LoadFolder(O2M_PLUGIN_DIR);
  Host host;
  CaseOptions options;
  options.target = "cortex-m4", options.worst = true, options.ops = {"mul", "reduce"}, options.random_count = 10;
  std::vector<std::string> names;
  for (options.random_first = 0; options.random_first < 1000; options.random_first += options.random_count) {
    const auto network = NetworkOfCases(registry, options, host);
    ASSERT_TRUE(network.ok()) << network.status();
    for (const CountedCase &c : network->cases) names.push_back(c.name);
  }
  EXPECT_EQ(std::set<std::string>(names.begin(), names.end()).size(), names.size());
  EXPECT_THAT(names, ::testing::Contains("mul/finest_s8_s8_s8"));
  EXPECT_THAT(names, ::testing::Contains("reduce/mean_of_s16"));
  EXPECT_THAT(names, ::testing::Not(::testing::Contains("reduce/host_mean_of_s8")));
  options.random_first = 0, options.random_count = 1, options.ops = {"mul"};
  const auto network = NetworkOfCases(registry, options, host);
  ASSERT_TRUE(network.ok()) << network.status();
  ASSERT_EQ(network->compilation.graph.inputs.size(), 2u);
  const auto first_low = EndInputsOf(*network, 2), in_turns = EndInputsOf(*network, 8);
  EXPECT_THAT(first_low[0], ::testing::Each(0x80));
  EXPECT_THAT(first_low[1], ::testing::Each(0x7f));
  EXPECT_EQ(in_turns[0][0], 0x80);
  EXPECT_EQ(in_turns[0][1], 0x7f);
}

TEST(CaseNetwork, NoCaseIsNoNetwork) { EXPECT_TRUE(MeasureSome("cortex-m4", {"no such case"}, 0).empty()); }

}  // namespace
}  // namespace onnx2mcu
