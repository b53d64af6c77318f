// The plan, run with its tiles and overwriting, gives the bytes of the graph run op by op.
#include "planner/execute.h"

#include <gtest/gtest.h>

#include <random>

#include "tests/planner/random_graph.h"

namespace onnx2mcu {
namespace {

using fake::kTarget;

std::vector<std::vector<uint8_t>> RandomInputs(const Graph &graph, uint32_t seed) {
  std::mt19937 random(seed);
  std::vector<std::vector<uint8_t>> inputs;
  for (TensorId id : graph.inputs) {
    std::vector<uint8_t> &bytes = inputs.emplace_back(BytesOf(graph.tensors[id]));
    for (uint8_t &byte : bytes) byte = static_cast<uint8_t>(random());
  }
  return inputs;
}

std::vector<const void *> Pointers(const std::vector<std::vector<uint8_t>> &blocks) {
  std::vector<const void *> pointers;
  for (const auto &block : blocks) pointers.push_back(block.data());
  return pointers;
}

std::vector<std::vector<uint8_t>> RunPlan(const Graph &graph, const Plan &plan,
                                          const std::vector<std::vector<uint8_t>> &inputs) {
  std::vector<std::vector<uint8_t>> outputs;
  std::vector<void *> pointers;
  for (TensorId id : graph.outputs) outputs.emplace_back(BytesOf(graph.tensors[id]));
  for (auto &output : outputs) pointers.push_back(output.data());
  Executor(graph, plan, kTarget).Run(Pointers(inputs), pointers);
  return outputs;
}

std::vector<std::vector<uint8_t>> RunReference(const Graph &graph, const std::vector<std::vector<uint8_t>> &inputs) {
  const WholeRun run = RunWhole(graph, kTarget, Pointers(inputs));
  std::vector<std::vector<uint8_t>> outputs;
  for (TensorId id : graph.outputs) outputs.push_back(run.memory[id]);
  return outputs;
}

TEST(Executor, EveryAlternativeGivesTheBytesOfTheWholeRun) {
  for (int64_t dim : {8, 12}) {
    fake::VitSizes sizes;
    sizes.dim = dim;
    const Graph graph = fake::Vit(sizes);
    const auto inputs = RandomInputs(graph, 11);
    const auto expected = RunReference(graph, inputs);
    Host host;
    for (int32_t rows : {0, 1, 3, 5, 17}) {
      PlanOptions options;
      options.rows = rows;
      const auto alternatives = ChooseSchedule(graph, host, kTarget, options);
      ASSERT_TRUE(alternatives.ok()) << alternatives.status();
      for (const Alternative &a : *alternatives) {
        EXPECT_EQ(ValidatePlan(a.graph, kTarget, a.plan), absl::OkStatus()) << a.name;
        EXPECT_EQ(RunPlan(a.graph, a.plan, inputs), expected) << a.name << " rows " << rows;
      }
    }
  }
}

TEST(Executor, RandomGraphsGiveTheBytesOfTheWholeRun) {
  int loops = 0, tiles = 0, overwrites = 0;
  for (uint32_t seed = 0; seed < 150; seed++) {
    const Graph graph = RandomGraph{}.Make(seed);
    const auto inputs = RandomInputs(graph, seed);
    const auto expected = RunReference(graph, inputs);
    for (int32_t rows : {0, 1, 2, 4}) {
      PlanOptions options;
      options.rows = rows;
      const auto plan = MakePlan(graph, kTarget, options);
      ASSERT_TRUE(plan.ok()) << plan.status() << " seed " << seed;
      ASSERT_EQ(ValidatePlan(graph, kTarget, *plan), absl::OkStatus()) << "seed " << seed << " rows " << rows;
      ASSERT_EQ(RunPlan(graph, *plan, inputs), expected) << "seed " << seed << " rows " << rows;
      for (const Stage &stage : plan->stages) loops += stage.nodes.size() > 1;
      for (const Buffer &buffer : plan->buffers) tiles += buffer.tile;
      overwrites += static_cast<int>(plan->overwrites.size());
    }
  }
  EXPECT_GT(loops, 100);  // the test means something only if these occur
  EXPECT_GT(tiles, 100);
  EXPECT_GT(overwrites, 100);
}

TEST(Executor, RandomGraphsSurviveTheRewrites) {
  Host host;
  for (uint32_t seed = 0; seed < 40; seed++) {
    const Graph graph = RandomGraph{}.Make(seed);
    const auto inputs = RandomInputs(graph, seed);
    const auto expected = RunReference(graph, inputs);
    const auto alternatives = ChooseSchedule(graph, host, kTarget, {});
    ASSERT_TRUE(alternatives.ok()) << alternatives.status();
    for (const Alternative &a : *alternatives) {
      ASSERT_EQ(ValidatePlan(a.graph, kTarget, a.plan), absl::OkStatus()) << a.name << " seed " << seed;
      ASSERT_EQ(RunPlan(a.graph, a.plan, inputs), expected) << a.name << " seed " << seed;
    }
  }
}

TEST(Dequantize, ReadsThroughViewsPerChannel) {
  Graph graph;
  const TensorId base = fake::AddBase(graph, "x", {3, 4});
  const TensorId view = fake::AddView(graph, base, {2, 3}, 1, {1, 4});  // columns 1, 2, transposed
  graph.tensors[view].quant = {{0.5f, 2.0f}, {1, -1}, 0};
  WholeRun run;
  run.memory.resize(graph.tensors.size());
  for (int i = 0; i < 12; i++) run.memory[base].push_back(static_cast<uint8_t>(i - 6));
  EXPECT_EQ(Dequantize(graph, run, view), (std::vector<float>{-3, -1, 1, -6, 2, 10}));
}

}  // namespace
}  // namespace onnx2mcu
