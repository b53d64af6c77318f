// The third-party examples: what they match, and how far their table is from HardSwish in double.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <initializer_list>
#include <sstream>

#include "plugins/check.h"
#include "plugins/check_node.h"

namespace onnx2mcu {
namespace {

std::string ExampleModule(const std::string &name) {
  return std::string(O2M_BUILD_DIR) + "/tests/plugins/modules/" + name + ".so";
}

// A graph of up to two nodes: node 1 is the root. Tensor 0 is the graph's input, tensor n + 1 the output of node n.
struct TinyGraph {
  struct Node {
    const char *op_type;
    std::vector<int32_t> inputs;
    float alpha = -1, beta = -1;  // -1: absent
  };
  std::vector<Node> nodes;
  o2m_graph view{};

  TinyGraph(std::initializer_list<Node> list) : nodes(list) {
    view.struct_size = sizeof view;
    view.graph_data = this;
    view.op_type = [](const o2m_graph *g, int32_t n) { return Of(g).nodes[n].op_type; };
    view.domain = [](const o2m_graph *, int32_t) { return ""; };
    view.input_count = [](const o2m_graph *g, int32_t n) { return static_cast<int32_t>(Of(g).nodes[n].inputs.size()); };
    view.input_tensor = [](const o2m_graph *g, int32_t n, int32_t i) { return Of(g).nodes[n].inputs[i]; };
    view.output_tensor = [](const o2m_graph *, int32_t n, int32_t) { return n + 1; };
    view.producer = [](const o2m_graph *, int32_t tensor) { return tensor - 1; };
    view.attr_f = [](const o2m_graph *g, int32_t n, const char *key, float *value) {
      const float found = std::string(key) == "alpha" ? Of(g).nodes[n].alpha : Of(g).nodes[n].beta;
      if (found >= 0) *value = found;
      return found >= 0 ? 1 : 0;
    };
  }
  static const TinyGraph &Of(const o2m_graph *g) { return *static_cast<const TinyGraph *>(g->graph_data); }
};

class ExampleTest : public ::testing::TestWithParam<const char *> {
 protected:
  void SetUp() override {
    ASSERT_TRUE(registry_.Load(ExampleModule(GetParam())).ok());
    op_ = registry_.Find("com.example.hardswish");
    ASSERT_NE(op_, nullptr);
  }
  // The nodes taken at the last node of the graph, root first; empty if none.
  std::vector<int32_t> Match(const TinyGraph &graph, int32_t capacity = 8) {
    int32_t nodes[8], inputs[O2M_MAX_OPERANDS], outputs[O2M_MAX_OPERANDS];
    std::vector<uint8_t> params(op_->params_size);
    o2m_match match{sizeof(o2m_match), capacity, nodes, 0, inputs, 0, outputs, 0, params.data()};
    const auto root = static_cast<int32_t>(graph.nodes.size()) - 1;
    if (op_->match(&host_.host, &graph.view, root, &match) != O2M_OK) return {};
    EXPECT_EQ(match.input_count, 1);
    EXPECT_EQ(inputs[0], 0);
    return std::vector<int32_t>(nodes, nodes + match.node_count);
  }
  Registry registry_;
  Host host_;
  const o2m_op *op_ = nullptr;
};

TEST_P(ExampleTest, KeepsTheContract) {
  const absl::StatusOr<CheckReport> report = CheckPlugin(ExampleModule(GetParam()));
  ASSERT_TRUE(report.ok()) << report.status();
  std::ostringstream out;
  PrintReport(*report, out);
  EXPECT_TRUE(report->ok()) << out.str();
}

TEST_P(ExampleTest, MatchesHardSwish) {
  using ::testing::ElementsAre;
  const float sixth = 1.0f / 6;
  EXPECT_THAT(Match(TinyGraph{{"HardSwish", {0}}}), ElementsAre(0));
  EXPECT_THAT(Match(TinyGraph{{"HardSigmoid", {0}, sixth, 0.5f}, {"Mul", {0, 1}}}), ElementsAre(1, 0));
  EXPECT_THAT(Match(TinyGraph{{"HardSigmoid", {0}, sixth}, {"Mul", {1, 0}}}), ElementsAre(1, 0));
}

TEST_P(ExampleTest, LeavesOthersAlone) {
  using ::testing::IsEmpty;
  const float sixth = 1.0f / 6;
  EXPECT_THAT(Match(TinyGraph{{"Relu", {0}}}), IsEmpty());
  EXPECT_THAT(Match(TinyGraph{{"HardSigmoid", {0}}, {"Mul", {0, 1}}}), IsEmpty());  // alpha 0.2 by default
  EXPECT_THAT(Match(TinyGraph{{"HardSigmoid", {0}, sixth, 0.4f}, {"Mul", {0, 1}}}), IsEmpty());
  EXPECT_THAT(Match(TinyGraph{{"Sigmoid", {0}, sixth, 0.5f}, {"Mul", {0, 1}}}), IsEmpty());
  EXPECT_THAT(Match(TinyGraph{{"HardSigmoid", {0}, sixth, 0.5f}, {"Mul", {1, 1}}}), IsEmpty());
  EXPECT_THAT(Match(TinyGraph{{"HardSigmoid", {0}, sixth, 0.5f}, {"Mul", {0, 1}}}, 1), IsEmpty());
}

TEST_P(ExampleTest, TableIsHalfAStepFromHardSwish) {
  const o2m_target target = {sizeof(o2m_target), "host", 0, 0, 0};
  const auto *cases = check::ExtensionOf<o2m_cases>(op_, "o2m.cases/1");
  for (int32_t i = 0; i < cases->count; i++) {
    const absl::StatusOr<check::NodeSpec> inferred = check::Infer(*check::SpecOf(op_, *cases->get(i), 1), target);
    ASSERT_TRUE(inferred.ok()) << inferred.status();
    const absl::StatusOr<check::NodeSpec> node = check::Pack(*inferred, target, 0);
    const check::QuantSpec &x = node->inputs[0].quant, &y = node->outputs[0].quant;
    for (int32_t q = -128; q < 128; q++) {
      const double real = x.scale[0] * (q - x.zero_point[0]);
      const double exact = real * std::clamp((real + 3) / 6, 0.0, 1.0) / y.scale[0] + y.zero_point[0];
      const auto got = static_cast<int8_t>(node->constants[0].data[static_cast<size_t>(q + 128)]);
      EXPECT_NEAR(got, std::clamp(exact, -128.0, 127.0), 0.5 + 1e-4) << cases->get(i)->name << " q=" << q;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Languages, ExampleTest,
                         ::testing::Values("hardswish", "hardswish_cpp", "hardswish_first", "hardswish_next"),
                         [](const auto &test) { return std::string(test.param); });

}  // namespace
}  // namespace onnx2mcu
