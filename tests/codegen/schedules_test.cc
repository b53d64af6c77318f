// Schedules of real ops: every alternative of the search gives the bytes of the graph without any schedule.
#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "importer/copies.h"
#include "importer/ir/op_node.h"
#include "importer/passes.h"
#include "importer/quant/quantize.h"
#include "planner/execute.h"
#include "planner/order.h"
#include "planner/plan_cache.h"
#include "planner/rewrites.h"
#include "planner/target.h"
#include "planner/variants.h"

namespace onnx2mcu {
namespace {

struct Model {
  Registry registry;
  Host host;
  Target core = *FindTarget("cortex-m4");
  o2m_target target = core.abi();
  Graph graph;
  const o2m_op *copy = nullptr;
};

absl::Status Load(const std::string &file, Model &m) {
  m.registry.LoadFolder(O2M_PLUGIN_DIR);
  O2M_ASSIGN_OR_RETURN(m.graph, ReadOnnx(file));
  O2M_RETURN_IF_ERROR(FoldConstants(m.graph));
  O2M_RETURN_IF_ERROR(Canonicalize(m.graph));
  O2M_RETURN_IF_ERROR(LowerToOps(m.graph, m.registry));
  O2M_RETURN_IF_ERROR(ResolveViews(m.graph, m.registry));
  O2M_RETURN_IF_ERROR(Quantize(m.graph, {}, m.host, m.target));
  O2M_RETURN_IF_ERROR(LegalizeLayouts(m.graph, m.registry, m.target));
  O2M_RETURN_IF_ERROR(InferAll(m.graph, m.host, m.target));
  O2M_RETURN_IF_ERROR(FuseEpilogues(m.graph, m.host, m.target));
  O2M_ASSIGN_OR_RETURN(m.copy, FindCopy(m.registry, m.graph));
  return absl::OkStatus();
}

using Bytes = std::vector<uint8_t>;

Bytes RandomInput(const Graph &graph) {
  std::mt19937 random(7);
  Bytes bytes(BytesOf(graph.tensors[graph.inputs[0]]));
  for (uint8_t &byte : bytes) byte = static_cast<uint8_t>(random());
  return bytes;
}

Bytes Scheduled(Model &m, Alternative &alternative, const Bytes &input) {
  EXPECT_EQ(PackAll(alternative.graph, m.host, m.target), absl::OkStatus());
  EXPECT_EQ(ValidatePlan(alternative.graph, m.target, alternative.plan), absl::OkStatus());
  Executor executor(alternative.graph, alternative.plan, m.target);
  Bytes output(BytesOf(alternative.graph.tensors[alternative.graph.outputs[0]]));
  executor.Run({input.data()}, {output.data()});
  return output;
}

Bytes Unscheduled(Model &m, const Bytes &input) {
  Graph packed = m.graph;
  EXPECT_EQ(PackAll(packed, m.host, m.target), absl::OkStatus());
  return RunWhole(packed, m.target, {input.data()}).memory[packed.outputs[0]];
}

class Schedules : public testing::TestWithParam<std::string> {};

TEST_P(Schedules, EveryAlternativeGivesTheBytesOfTheGraphAsWritten) {
  Model m;
  ASSERT_EQ(Load(std::string(O2M_SOURCE_DIR "/models/") + GetParam(), m), absl::OkStatus());
  PlanOptions options;
  options.copy = m.copy;
  const Bytes input = RandomInput(m.graph), expected = Unscheduled(m, input);
  auto all = ChooseSchedule(m.graph, m.host, m.target, options);
  ASSERT_TRUE(all.ok()) << all.status();
  EXPECT_GE(all->size(), 5u);
  bool parts = false;
  for (const Alternative &priced : *all) {
    options.arena_budget = priced.plan.arena_bytes;  // the fewest instructions that fit: this one, with its data
    auto chosen = ChooseSchedule(m.graph, m.host, m.target, options);
    ASSERT_TRUE(chosen.ok()) << chosen.status();
    EXPECT_LE(chosen->front().plan.arena_bytes, priced.plan.arena_bytes);
    EXPECT_TRUE(chosen->front().exact);
    EXPECT_EQ(Scheduled(m, chosen->front(), input), expected) << chosen->front().name;
    parts = parts || chosen->front().name.find("parts") != std::string::npos;
  }
  EXPECT_TRUE(parts) << "no alternative runs a node in parts";
}

INSTANTIATE_TEST_SUITE_P(Models, Schedules, testing::Values("vit_fmnist.onnx"));
INSTANTIATE_TEST_SUITE_P(More, Schedules, testing::Values("vit_fmnist_lowrank.onnx"));

// Three of four blocks of 1x4 along k become zero, in every matrix of weights.
void Prune(Graph &graph) {
  for (Tensor &tensor : graph.tensors) {
    if (!tensor.is_constant || tensor.dtype != DType::kF32 || tensor.dims.size() != 2 || tensor.data.empty()) continue;
    auto *const w = reinterpret_cast<float *>(tensor.data.data());
    for (int64_t k = 0; k < tensor.dims[0]; k++)
      for (int64_t n = 0; n < tensor.dims[1]; n++)
        if ((k / 4 + n) % 4 != 0) w[k * tensor.dims[1] + n] = 0;
  }
}

absl::Status LoadPruned(const std::string &core, Model &m) {
  m.core = *FindTarget(core), m.target = m.core.abi();
  O2M_RETURN_IF_ERROR(Load(O2M_SOURCE_DIR "/models/vit_fmnist.onnx", m));
  Prune(m.graph);
  return InferAll(m.graph, m.host, m.target);
}

int64_t CountOf(const Graph &graph, const std::string &variant) {
  return std::count_if(graph.nodes.begin(), graph.nodes.end(),
                       [&](const Node &node) { return VariantName(node) == variant; });
}

TEST(Variants, EverySchedulesBytesAreThoseOfDenseWeights) {
  Model m;
  ASSERT_EQ(LoadPruned("cortex-m4", m), absl::OkStatus());
  const Bytes input = RandomInput(m.graph), expected = Unscheduled(m, input);
  const int64_t dense = ConstantBytes(m.graph);
  ASSERT_EQ(ChooseVariants(m.graph, m.host, m.target, {}), absl::OkStatus());
  EXPECT_GE(CountOf(m.graph, "sparse_1x4"), 20);
  EXPECT_LT(ConstantBytes(m.graph), dense / 2);
  EXPECT_EQ(Unscheduled(m, input), expected);
  PlanOptions options;
  options.copy = m.copy;
  for (const char *optimize : {"ram", "balanced", "speed"}) {  // in parts, by rows, with the most scratch
    options.optimize = optimize;
    auto all = ChooseSchedule(m.graph, m.host, m.target, options);
    ASSERT_TRUE(all.ok()) << all.status();
    Alternative &chosen = all->front();
    ASSERT_EQ(RefineVariants(chosen.graph, chosen.plan, m.host, m.target), absl::OkStatus());
    EXPECT_GE(CountOf(chosen.graph, "sparse_1x4"), 20) << optimize;
    EXPECT_EQ(Scheduled(m, chosen, input), expected) << optimize;
  }
}

TEST(Variants, AreKindsOfTheirOwnInAPlanCache) {
  Model m;
  ASSERT_EQ(LoadPruned("cortex-m4", m), absl::OkStatus());
  PlanOptions options;
  options.copy = m.copy;
  PlanCache cache;
  const auto dense = ChooseSchedule(m.graph, m.host, m.target, options, &cache);
  ASSERT_EQ(ChooseVariants(m.graph, m.host, m.target, {}), absl::OkStatus());
  const auto sparse = ChooseSchedule(m.graph, m.host, m.target, options, &cache),
             fresh = ChooseSchedule(m.graph, m.host, m.target, options);
  ASSERT_TRUE(dense.ok() && sparse.ok() && fresh.ok()) << sparse.status();
  EXPECT_LT(sparse->front().instructions, 3 * dense->front().instructions / 4);
  ASSERT_EQ(sparse->size(), fresh->size());
  for (size_t i = 0; i < fresh->size(); i++) {
    EXPECT_EQ((*sparse)[i].instructions, (*fresh)[i].instructions);
    EXPECT_EQ((*sparse)[i].plan.arena_bytes, (*fresh)[i].plan.arena_bytes);
  }
}

// Where dense weights are quicker they stay, but for as many bytes as are missing.
TEST(Variants, ShrinkWhereFlashBindsAndNoFurther) {
  Model m;
  ASSERT_EQ(LoadPruned("cortex-m55", m), absl::OkStatus());
  ASSERT_EQ(ChooseVariants(m.graph, m.host, m.target, {}), absl::OkStatus());
  EXPECT_EQ(CountOf(m.graph, "sparse_1x4") + CountOf(m.graph, "nonzeros"), 0);
  VariantOptions room;
  room.constant_room = ConstantBytes(m.graph) - 10000;
  ASSERT_EQ(ChooseVariants(m.graph, m.host, m.target, room), absl::OkStatus());
  EXPECT_LE(ConstantBytes(m.graph), room.constant_room);
  EXPECT_GT(ConstantBytes(m.graph), room.constant_room - 20000);
  EXPECT_GT(CountOf(m.graph, "dense"), 0);
  EXPECT_EQ(CountOf(m.graph, "s4"), 0);
  VariantOptions smallest;
  smallest.smallest = true;
  ASSERT_EQ(ChooseVariants(m.graph, m.host, m.target, smallest), absl::OkStatus());
  EXPECT_LT(ConstantBytes(m.graph), room.constant_room - 20000);
  EXPECT_EQ(CountOf(m.graph, "s4"), 0);
}

TEST(Parts, ShrinkTheOperandsThatAreHeldWhole) {
  Model m;
  ASSERT_EQ(Load(O2M_SOURCE_DIR "/models/vit_fmnist.onnx", m), absl::OkStatus());
  PlanOptions options;
  options.optimize = "ram";
  const int64_t whole = ChooseSchedule(m.graph, m.host, m.target, options)->front().plan.arena_bytes;
  options.copy = m.copy;
  const int64_t parts = ChooseSchedule(m.graph, m.host, m.target, options)->front().plan.arena_bytes;
  // x (s16), k and v against x, the earlier parts' results and a part of k and of v: tokens 50, dim 64, 4 parts
  EXPECT_GE(whole, 4 * 50 * 64);
  EXPECT_LE(parts, 50 * (2 * 64 + 48 + 2 * 16) + 1000);
}

TEST(Parts, ChoicesDifferInTheFractionKept) {
  Model m;
  ASSERT_EQ(Load(O2M_SOURCE_DIR "/models/vit_fmnist.onnx", m), absl::OkStatus());
  const std::vector<std::pair<int32_t, int32_t>> expected = {{4, 1}, {2, 1}, {4, 3}};
  EXPECT_EQ(PartChoices(m.graph, {m.host, m.target, m.copy}), expected);
  EXPECT_TRUE(PartChoices(m.graph, {m.host, m.target, nullptr}).empty());
}

// A segment may end in the node to be split, and its operands may come from the one before.
TEST(Parts, LeaveAloneWhatLivesBeyondTheSegment) {
  Model m;
  ASSERT_EQ(Load(O2M_SOURCE_DIR "/models/vit_fmnist.onnx", m), absl::OkStatus());
  const auto attention = std::find_if(m.graph.nodes.begin(), m.graph.nodes.end(),
                                      [](const Node &node) { return std::string(node.op->id) == "o2m.attention"; });
  ASSERT_NE(attention, m.graph.nodes.end());
  const Border border{{BaseOf(m.graph, attention->inputs[1]), BaseOf(m.graph, attention->inputs[2])},
                      {BaseOf(m.graph, attention->outputs[0])}};
  m.graph.nodes = {*attention};
  const auto split = SplitIntoParts(m.graph, {m.host, m.target, m.copy, &border}, 4, 1);
  ASSERT_TRUE(split.ok()) << split.status();
  EXPECT_EQ(split->nodes.size(), 1u);
}

TEST(UnreadRows, OfTheLastBlockOneTokenIsLeft) {
  Model m;
  ASSERT_EQ(Load(O2M_SOURCE_DIR "/models/vit_fmnist.onnx", m), absl::OkStatus());
  KeepNodes(m.graph, *OrderOf(m.graph, m.target));  // what nobody needs reads nothing
  const auto cut = DropUnreadRows(m.graph, {m.host, m.target, m.copy});
  ASSERT_TRUE(cut.ok()) << cut.status();
  ASSERT_EQ(cut->nodes.size(), m.graph.nodes.size());
  int narrowed = 0;
  for (size_t i = 0; i < cut->nodes.size(); i++) {
    const auto written = [i](const Graph &graph) { return BytesOf(graph.tensors[graph.nodes[i].outputs[0]]); };
    if (written(*cut) == written(m.graph)) continue;
    EXPECT_EQ(written(*cut) * 50, written(m.graph)) << cut->nodes[i].name;
    narrowed++;
  }
  EXPECT_EQ(narrowed, 9);  // q, attention, proj, add, norm2, fc1, fc2, add, norm; fc1 holds the activation
}

TEST(UnreadRows, AnyRowMayBeTheOneThatIsRead) {
  for (const int64_t row : {0, 7, 49}) {
    Model m;
    ASSERT_EQ(Load(O2M_SOURCE_DIR "/models/vit_fmnist.onnx", m), absl::OkStatus());
    for (const Node &node : m.graph.nodes)  // the head, which reads the class token's row
      if (BaseOf(m.graph, node.outputs[0]) == m.graph.outputs[0])
        m.graph.tensors[node.inputs[0]].view_offset = row * 64;
    const Bytes input = RandomInput(m.graph), expected = Unscheduled(m, input);
    PlanOptions options;
    options.copy = m.copy;
    auto all = ChooseSchedule(m.graph, m.host, m.target, options);
    ASSERT_TRUE(all.ok()) << all.status();
    EXPECT_EQ(Scheduled(m, all->front(), input), expected) << "row " << row;
  }
}

}  // namespace
}  // namespace onnx2mcu
