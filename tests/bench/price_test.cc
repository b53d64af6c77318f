// Prices of transformers of real ops, whose blocks differ, against their compilation; from one cache for all of them.
#include "planner/price.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "importer/copies.h"
#include "nas/lowered_vit.h"
#include "planner/make_plan.h"
#include "planner/order.h"
#include "planner/target.h"

namespace onnx2mcu {
namespace {

struct Tools {
  Registry registry;
  Host host;
  Target core = *FindTarget("cortex-m4");
  o2m_target target = core.abi();
  PlanOptions options;
  Tools() { registry.LoadFolder(O2M_PLUGIN_DIR); }
};

VitConfig RandomNet(std::mt19937 &random) {
  static const BlockConfig kKinds[] = {{2, 8, 48, {}}, {2, 8, 96, {}}, {3, 8, 48, {}}, {3, 8, 96, {}}, {1, 8, 64, {}}};
  VitConfig net{32, 3, 8, 24, 10, Pool::kClassToken, {}};
  for (size_t i = 1 + random() % 4; i > 0; i--) net.blocks.push_back(kKinds[random() % std::size(kKinds)]);
  return net;
}

Graph Lowered(Tools &tools, const VitConfig &net) {
  auto graph = LoweredVit(net, {.residual = "s8"}, tools.registry, tools.host, tools.target);
  EXPECT_TRUE(graph.ok()) << graph.status();
  tools.options.copy = *FindCopy(tools.registry, *graph);
  return *std::move(graph);
}

int64_t ConstantBytesOf(const Graph &graph) {
  int64_t bytes = 0;
  for (const Node &node : graph.nodes)
    for (const Constant &constant : node.constants) bytes += constant.count * DTypeBytes(constant.dtype);
  return bytes;
}

TEST(Price, IsWhatCompilationComesTo) {
  Tools tools;
  PlanCache cache;
  std::mt19937 random(2);
  for (int trial = 0; trial < 8; trial++) {
    const Graph graph = Lowered(tools, RandomNet(random));
    const auto kinds = KindsOf(cache, graph, tools.host, tools.target, tools.options);
    ASSERT_TRUE(kinds.ok()) << kinds.status();
    const std::vector<PricedSchedule> frontier = PriceSchedules(cache, *kinds, tools.options);
    const auto made = ChooseSchedule(graph, tools.host, tools.target, tools.options);
    ASSERT_TRUE(made.ok()) << made.status();
    ASSERT_EQ(frontier.size(), made->size());
    EXPECT_GE(frontier.size(), 2u);
    EXPECT_EQ(frontier[ChosenOf(frontier, tools.options)].price.arena_bytes, (*made)[0].plan.arena_bytes);
    for (const Alternative &a : *made) {
      const auto same = [&](const PricedSchedule &s) { return s.price.arena_bytes == a.plan.arena_bytes; };
      const auto priced = std::find_if(frontier.begin(), frontier.end(), same);
      ASSERT_NE(priced, frontier.end());
      EXPECT_EQ(priced->price.instructions, EstimateInstructions(a.graph, a.plan, tools.target));
      EXPECT_EQ(priced->price.constant_bytes, ConstantBytesOf(a.graph));
      Contracts contracts = *ContractsOf(a.graph, tools.target);
      const Plan whole = PlanStages(a.graph, tools.target, contracts, a.plan.stages);
      EXPECT_EQ(PlanCsv(a.graph, whole), PlanCsv(a.graph, a.plan));
    }
  }
}

// The work that is left, summed over all nodes.
int64_t Elements(const Graph &graph) {
  int64_t elements = 0;
  for (const Node &node : graph.nodes)
    for (const TensorId id : node.outputs) elements += ElementCount(graph.tensors[id].dims);
  return elements;
}

TEST(LayOut, DropsTheRowsThatTheWholeGraphWould) {
  Tools tools;
  PlanCache cache;
  std::mt19937 random(3);
  for (int trial = 0; trial < 8; trial++) {
    Graph graph = Lowered(tools, RandomNet(random));
    const RewriteTools rewrite{tools.host, tools.target, tools.options.copy};
    const Layout layout = *LayOut(cache, graph, rewrite);
    KeepNodes(graph, layout.order);
    const Graph dropped = *DropUnreadRows(graph, rewrite);
    int64_t elements = 0;
    for (const SegmentId id : layout.kinds) elements += Elements(cache.kinds[id].example.graph);
    EXPECT_EQ(elements, Elements(dropped));
    EXPECT_LT(elements, Elements(graph));
  }
}

}  // namespace
}  // namespace onnx2mcu
