// Tables against functions written down once more, and regions found in small graphs.
#include "op_test.hpp"
#include "region.hpp"
#include "segments_test.hpp"

namespace o2m::testing {
namespace {

using Function = double (*)(double);
double Logistic(double x) { return x < 0 ? std::exp(x) / (1 + std::exp(x)) : 1 / (1 + std::exp(-x)); }

// By the name of the case.
const std::map<std::string, Function> kFunctions = {
    {"abs", [](double x) { return x < 0 ? -x : x; }},
    {"celu 0.7", [](double x) { return x < 0 ? 0.7f * (std::exp(x / 0.7f) - 1) : x; }},
    {"clip -1 2.5", [](double x) { return x < -1    ? -1
                                          : x > 2.5 ? 2.5
                                                    : x; }},
    {"elu 1.3", [](double x) { return x < 0 ? 1.3f * (std::exp(x) - 1) : x; }},
    {"erf", [](double x) { return 1 - std::erfc(x); }},
    {"exp", [](double x) { return std::pow(std::exp(1.0), x); }},
    {"hard sigmoid", [](double x) { return x <= -2.5  ? 0
                                           : x >= 2.5 ? 1
                                                      : 0.2f * x + 0.5; }},
    {"hard swish", [](double x) { return x <= -3  ? 0
                                         : x >= 3 ? x
                                                  : x * (x + 3) / 6; }},
    {"leaky relu 0.1", [](double x) { return x < 0 ? 0.1f * x : x; }},
    {"mish", [](double x) { return x * std::tanh(std::log(1 + std::exp(x))); }},
    {"neg", [](double x) { return -x; }},
    {"pow 3", [](double x) { return x * x * x; }},
    {"relu", [](double x) { return x < 0 ? 0 : x; }},
    {"selu", [](double x) { return 1.050701f * (x > 0 ? x : 1.6732632f * (std::exp(x) - 1)); }},
    {"sigmoid", Logistic},
    {"softplus", [](double x) { return x > 30 ? x : std::log(1 + std::exp(x)); }},
    {"softsign", [](double x) { return x / (1 + (x < 0 ? -x : x)); }},
    {"sqrt of what may be negative", [](double x) { return x < 0 ? 0 : std::sqrt(x); }},
    {"tanh", [](double x) { return 2 * Logistic(2 * x) - 1; }},
    {"acos of what may lie outside",
     [](double x) { return std::fabs(x) > 1 ? 0 : std::atan2(std::sqrt(1 - x * x), x); }},
    {"atan", [](double x) { return std::atan2(x, 1); }},
    {"1 where x >= 0.312", [](double x) { return x < 0.312f ? 0.0 : 1.0; }},
    {"towards zero", [](double x) { return x < 0 ? std::ceil(x) : std::floor(x); }},
    {"silu over its input", [](double x) { return x * Logistic(x); }},
    {"quick gelu", [](double x) { return x * Logistic(1.702f * x); }},
    {"2 / (x + 9) - x", [](double x) { return 2 / (x + 9) - x; }},
    {"sigmoid, rounded and doubled",
     [](double x) { return 2 * 0.01f * std::fmin(std::nearbyint(Logistic(x) / 0.01f), 100.0); }},
    {"log of pixels", [](double x) { return x > 0   ? std::log(x)
                                            : x < 0 ? 0
                                                    : -1e30; }},  // no value: 0
    {"relu, channels first to last", [](double x) { return x < 0 ? 0 : x; }},
    {"hard swish, s16", [](double x) { return x * std::fmin(std::fmax(x / 6 + 0.5, 0.0), 1.0); }},
    {"sigmoid, s16 to s8", Logistic},
    {"hard sigmoid, s32 to s8", [](double x) { return std::fmin(std::fmax(0.2f * x + 0.5, 0.0), 1.0); }},
    {"mish, s32 to s8", [](double x) { return x * std::tanh(std::log(1 + std::exp(x))); }},
    {"elu, s32, rows with gaps", [](double x) { return x < 0 ? 1.3f * (std::exp(x) - 1) : x; }},
    {"tanh, s8 to s32", [](double x) { return 2 * Logistic(2 * x) - 1; }},
    {"log, u8 to s32", [](double x) { return x > 0   ? std::log(x)
                                             : x < 0 ? 0
                                                     : -1e30; }},
    {"mish, s8 to s16", [](double x) { return x * std::tanh(std::log(1 + std::exp(x))); }},
    {"log, u8 to s16", [](double x) { return x > 0   ? std::log(x)
                                             : x < 0 ? 0
                                                     : -1e30; }},
    {"elu, s16, rows with gaps", [](double x) { return x < 0 ? 1.3f * (std::exp(x) - 1) : x; }},
    {"tanh, s16, channels first to last", [](double x) { return 2 * Logistic(2 * x) - 1; }},
    {"truncate, s16", [](double x) { return x < 0 ? std::ceil(x) : std::floor(x); }},
    {"sine, s16, in many segments", [](double x) { return std::sin(x); }},
    {"identity, s16", [](double x) { return x; }},
    {"own output quant of s16", [](double x) { return x > 30 ? x : std::log(1 + std::exp(x)); }},
};

std::vector<double> RealValues(const Sample &s) {
  const Function f = kFunctions.at(s.node->get()->name);
  std::vector<double> values;
  for (size_t i = 0; i < s.inputs[0].size(); ++i) values.push_back(f(s.Real(0, static_cast<int64_t>(i))));
  return values;
}

TEST(Unary, CasesAreExactToRounding) { CheckCases("o2m.unary", 0.5001, RealValues, 1); }

TEST(Unary, ErrorsOfRandomCases) { CheckRandomCases("o2m.unary", RealValues); }

TEST(Unary, ErrorsOfEveryByte) {
  const auto *cases = static_cast<const o2m_cases *>(FindOp("o2m.unary")->get_extension("o2m.cases/1"));
  for (int32_t i = 0; i < cases->count; ++i)
    if (cases->get(i)->inputs[0].dtype != O2M_S16 && cases->get(i)->outputs[0].dtype != O2M_S16)
      CheckEveryByte("o2m.unary", *cases->get(i), RealValues);
}

TEST(Unary, ErrorsOfEveryS16) {
  const auto *cases = static_cast<const o2m_cases *>(FindOp("o2m.unary")->get_extension("o2m.cases/1"));
  for (int32_t i = 0; i < cases->count; ++i)
    if (cases->get(i)->inputs[0].dtype == O2M_S8) CheckEveryS16("o2m.unary", *cases->get(i), RealValues);
}

TEST(Unary, FunctionsThatJumpTakeNoS16) {
  const auto *op = FindOp("o2m.unary");
  const auto *cases = static_cast<const o2m_cases *>(op->get_extension("o2m.cases/1"));
  const auto *quantizer = static_cast<const o2m_quantizer *>(op->get_extension("o2m.quant/1"));
  for (int32_t i = 0; i < cases->count; ++i) {
    const std::string name = cases->get(i)->name;
    TestNode node(op, *cases->get(i));
    o2m_quant_rule rule = {};
    quantizer->rule(node.get(), &rule);
    EXPECT_EQ(rule.s16_outputs, 1u);
    bool jumps = false;
    for (const char *word : {"1 where", "towards", "truncate", "sine", "rounded"})
      jumps |= name.find(word) != std::string::npos;
    EXPECT_EQ(rule.s16_inputs, jumps ? 0u : 1u) << name;
  }
}

// A graph in a few lines: nodes name their operands by tensor; tensor i is node i's output, inputs and scalars follow.
struct TinyNode {
  const char *op_type;
  std::vector<int32_t> inputs;
};
class TinyGraph {
 public:
  TinyGraph(std::vector<TinyNode> nodes, int32_t sources, std::vector<float> scalars)
      : nodes_(std::move(nodes)), scalars_(std::move(scalars)) {
    const size_t made = nodes_.size() + static_cast<size_t>(sources);
    for (size_t i = 0; i < made + scalars_.size(); ++i) {
      o2m_tensor t = {};
      t.struct_size = sizeof t;
      t.dtype = O2M_F32;
      SetShape(t, {1, 4, 3});
      if (i >= made) {
        t.rank = 0;
        t.is_constant = 1;
        t.data = &scalars_[i - made];
      }
      tensors_.push_back(t);
    }
    FillCallbacks();
  }
  TinyGraph(const TinyGraph &) = delete;
  const o2m_graph *get() const { return &view_; }

 private:
  static const TinyGraph &Of(const o2m_graph *g) { return *static_cast<TinyGraph *>(g->graph_data); }
  static const TinyNode &At(const o2m_graph *g, int32_t node) { return Of(g).nodes_[static_cast<size_t>(node)]; }
  void FillCallbacks() {
    view_.struct_size = sizeof view_;
    view_.graph_data = this;
    view_.op_type = [](const o2m_graph *g, int32_t n) { return At(g, n).op_type; };
    view_.domain = [](const o2m_graph *, int32_t) { return ""; };
    view_.input_count = [](const o2m_graph *g, int32_t n) { return static_cast<int32_t>(At(g, n).inputs.size()); };
    view_.input_tensor = [](const o2m_graph *g, int32_t n, int32_t i) {
      return At(g, n).inputs[static_cast<size_t>(i)];
    };
    view_.output_count = [](const o2m_graph *, int32_t) { return 1; };
    view_.output_tensor = [](const o2m_graph *, int32_t n, int32_t) { return n; };
    view_.producer = [](const o2m_graph *g, int32_t t) {
      return t < static_cast<int32_t>(Of(g).nodes_.size()) ? t : O2M_NONE;
    };
    view_.tensor = [](const o2m_graph *g, int32_t t) { return &Of(g).tensors_[static_cast<size_t>(t)]; };
    view_.attr_i = [](const o2m_graph *, int32_t, const char *, int64_t *) { return 0; };
    view_.attr_f = [](const o2m_graph *, int32_t, const char *, float *) { return 0; };
    view_.attr_s = [](const o2m_graph *, int32_t, const char *) -> const char * { return nullptr; };
  }
  std::vector<TinyNode> nodes_;
  std::vector<float> scalars_;
  std::vector<o2m_tensor> tensors_;
  o2m_graph view_ = {};
};

TEST(Region, SiluIsOneFunctionOfItsInput) {
  const TinyGraph graph({{"Sigmoid", {2}}, {"Mul", {2, 0}}}, 1, {});
  const RegionFinder finder(graph.get());
  const Region region = finder.Find(1);
  EXPECT_EQ(region.nodes, (std::vector<int32_t>{0, 1}));
  EXPECT_EQ(region.source, 2);
  EXPECT_NEAR(Evaluate(finder.Translate(region), 1.5), 1.5 * Logistic(1.5), 1e-12);
}

TEST(Region, HardSwishByHand) {  // x * min(max(x + 3, 0), 6) / 6
  const TinyGraph graph({{"Add", {5, 6}}, {"Max", {0, 7}}, {"Min", {1, 8}}, {"Mul", {5, 2}}, {"Mul", {3, 9}}}, 1,
                        {3, 0, 6, 1.0f / 6});
  const RegionFinder finder(graph.get());
  const Region region = finder.Find(4);
  EXPECT_EQ(region.nodes.size(), 5u);
  EXPECT_EQ(region.source, 5);
  const Program program = finder.Translate(region);
  for (const double x : {-4.0, -1.0, 0.5, 5.0}) {
    EXPECT_NEAR(Evaluate(program, x), x <= -3 ? 0 : x >= 3 ? x : x * (x + 3) / 6, 1e-6);
  }
}

TEST(Region, StopsWhereTwoTensorsMeet) {
  const TinyGraph graph({{"Add", {3, 4}}, {"Relu", {0}}, {"Exp", {1}}}, 2, {});
  const Region region = RegionFinder(graph.get()).Find(2);
  EXPECT_EQ(region.nodes, (std::vector<int32_t>{1, 2}));
  EXPECT_EQ(region.source, 0);
  EXPECT_TRUE(RegionFinder(graph.get()).Find(0).nodes.empty());
}

TEST(Region, GrowsPastABranchThatDoesNotJoin) {  // relu(a) * sigmoid(relu(a)): the branch joins at relu's input
  const TinyGraph graph({{"Relu", {3}}, {"Sigmoid", {0}}, {"Mul", {0, 1}}}, 1, {});
  const Region region = RegionFinder(graph.get()).Find(2);
  EXPECT_EQ(region.nodes, (std::vector<int32_t>{0, 1, 2}));
  EXPECT_EQ(region.source, 3);
}

TEST(Region, OtherNodesEndIt) {
  const TinyGraph graph({{"MatMul", {3, 3}}, {"Tanh", {0}}, {"Softmax", {1}}}, 1, {});
  EXPECT_EQ(RegionFinder(graph.get()).Find(1).source, 0);
  EXPECT_TRUE(RegionFinder(graph.get()).Find(2).nodes.empty());
}

TEST(Unary, LeavesALoneGeluToItsOp) {
  const o2m_op *op = FindOp("o2m.unary");
  int32_t nodes[8], inputs[O2M_MAX_OPERANDS], outputs[O2M_MAX_OPERANDS];
  std::vector<uint8_t> params(op->params_size);
  const auto match = [&](const TinyGraph &graph, int32_t root) {
    o2m_match m = {sizeof m, 8, nodes, 0, inputs, 0, outputs, 0, params.data()};
    return op->match(nullptr, graph.get(), root, &m);
  };
  EXPECT_EQ(match(TinyGraph({{"Gelu", {1}}}, 1, {}), 0), O2M_NO_MATCH);
  EXPECT_EQ(match(TinyGraph({{"Gelu", {2}}, {"Mul", {0, 3}}}, 1, {2.0f}), 1), O2M_OK);
  EXPECT_EQ(inputs[0], 2);
}

}  // namespace
}  // namespace o2m::testing
