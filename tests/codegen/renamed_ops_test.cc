// The planner must not know ops by name: with every id replaced, plans are the same to the byte.
#include <gtest/gtest.h>

#include <deque>

#include "importer/passes.h"
#include "importer/quant/quantize.h"
#include "planner/plan.h"
#include "planner/target.h"

namespace onnx2mcu {
namespace {

// The model as op nodes with sizes and dtypes, ready to be planned.
absl::StatusOr<Graph> Lowered(const std::string &model, const Registry &registry, Host &host,
                              const o2m_target &target) {
  O2M_ASSIGN_OR_RETURN(Graph graph, ReadOnnx(model));
  O2M_RETURN_IF_ERROR(FoldConstants(graph));
  O2M_RETURN_IF_ERROR(Canonicalize(graph));
  O2M_RETURN_IF_ERROR(LowerToOps(graph, registry));
  O2M_RETURN_IF_ERROR(ResolveViews(graph, registry));
  QuantOptions options;
  options.shapes_only = true;
  O2M_RETURN_IF_ERROR(Quantize(graph, options, host, target));
  O2M_RETURN_IF_ERROR(FuseEpilogues(graph, host, target));
  return graph;
}

std::string PlanText(const Graph &graph, Host &host, const o2m_target &target) {
  const auto chosen = ChooseSchedule(graph, host, target, {});
  return chosen.ok() ? PlanCsv(chosen->front().graph, chosen->front().plan) : std::string(chosen.status().message());
}

TEST(Planner, DoesNotKnowOpsByName) {
  Registry registry;
  registry.LoadFolder(O2M_PLUGIN_DIR);
  ASSERT_FALSE(registry.ops().empty());
  Host host;
  const Target core = *FindTarget("cortex-m4");
  const o2m_target target = core.abi();
  auto graph = Lowered(O2M_SOURCE_DIR "/models/vit_fmnist.onnx", registry, host, target);
  ASSERT_TRUE(graph.ok()) << graph.status();
  const std::string before = PlanText(*graph, host, target);
  ASSERT_NE(before.find("id,lower,upper"), std::string::npos) << before;

  std::deque<std::string> ids;
  std::deque<o2m_op> ops;
  for (Node &node : graph->nodes) {
    ids.push_back("z" + std::to_string(97 * ids.size() % 31) + ".other");
    ops.push_back(*node.op);
    ops.back().id = ids.back().c_str();
    node.op = &ops.back();
  }
  EXPECT_EQ(PlanText(*graph, host, target), before);
}

}  // namespace
}  // namespace onnx2mcu
