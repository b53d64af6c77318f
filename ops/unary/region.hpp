// region.hpp - finds the largest subgraph of elementwise nodes that ends in a node and is a function of one tensor.
#pragma once
#include <algorithm>
#include <map>
#include <vector>

#include "op.hpp"
#include "program.hpp"

namespace o2m {

struct Region {
  std::vector<int32_t> nodes;  // in the graph's order, the root last
  int32_t source = O2M_NONE;   // the one tensor they all start from
};

class RegionFinder {
 public:
  explicit RegionFinder(const o2m_graph *graph) : graph_(graph), g_(graph) {}

  // The region whose source lies furthest up; no nodes where there is none. Growing the node that comes last in the
  // graph's order first means that what is left to grow never depends on what has been grown. A rounding is never the
  // uppermost node: the source is what it rounds to, which whoever writes that tensor takes over.
  Region Find(int32_t root) const {
    Region best;
    const auto is_float = [this](int32_t tensor) { return g_.Tensor(tensor).dtype == O2M_F32; };
    if (!IsElementwise(root) || KindOf(root)->kind == Kind::kFakeQuantize || !is_float(g_.Output(root))) return best;
    std::vector<int32_t> nodes = {root}, open = Operands(root);
    for (;;) {
      const bool rounds = KindOf(nodes.back())->kind == Kind::kFakeQuantize;
      const bool starts = !rounds && open.size() == 1 && is_float(open[0]);  // truth values stay inside
      if (starts && SameShape(open[0], g_.Output(root))) best = {Sorted(nodes), open[0]};
      const int32_t tensor = LastMade(open);
      const int32_t node = tensor < 0 ? O2M_NONE : g_.Producer(tensor);
      if (!IsElementwise(node) || nodes.size() + 1 > kMaxSteps) return best;
      nodes.push_back(node);
      open.erase(std::remove_if(open.begin(), open.end(), [&](int32_t t) { return g_.Producer(t) == node; }),
                 open.end());
      for (const int32_t operand : Operands(node)) Insert(open, operand);
    }
  }

  // The region as steps; its nodes are in order, so operands come before what reads them.
  Program Translate(const Region &region) const {
    Program program = {};
    std::map<int32_t, int32_t> step_of;  // by node
    for (const int32_t node : region.nodes) {
      step_of[node] = program.steps;
      program.step[program.steps++] = Step(node, region.source, step_of);
    }
    return program;
  }

 private:
  const KindInfo *KindOf(int32_t node) const {
    return node >= 0 ? FindKind(graph_->domain(graph_, node), graph_->op_type(graph_, node)) : nullptr;
  }

  // Of onnx.TensorProto.DataType: all that are neither float nor bool. (From bool to integers 0 and 1 stay themselves.)
  static bool CastsToInteger(int64_t type) { return type >= 2 && type <= 13 && type != 9 && type != 10 && type != 11; }

  // Every operand is a float scalar or as large as the output, and at least one is not constant.
  bool IsElementwise(int32_t node) const {
    const KindInfo *kind = KindOf(node);
    if (!kind || g_.Inputs(node) != kind->operands) return false;
    int variables = 0;
    float value = 0;
    for (int32_t i = 0; i < kind->operands; ++i) {
      const int32_t operand = g_.Input(node, i);
      if (operand < 0) return false;
      if (g_.IsScalar(operand, &value)) continue;
      const int64_t count = ElementCount(g_.Tensor(operand));
      if (g_.IsConstant(operand) || count != ElementCount(g_.Tensor(g_.Output(node)))) return false;
      ++variables;
    }
    return variables > 0;
  }

  // The same value may go by several names where reshapes lie between.
  bool SameValue(int32_t a, int32_t b) const {
    const int32_t producer = g_.Producer(a);
    return a == b || (producer >= 0 && producer == g_.Producer(b) && graph_->output_count(graph_, producer) == 1);
  }

  bool SameShape(int32_t a, int32_t b) const {
    const o2m_tensor &s = g_.Tensor(a), &t = g_.Tensor(b);
    return s.rank == t.rank && std::equal(s.dims, s.dims + s.rank, t.dims);
  }

  void Insert(std::vector<int32_t> &open, int32_t tensor) const {
    for (const int32_t t : open) {
      if (SameValue(t, tensor)) return;
    }
    open.push_back(tensor);
  }

  std::vector<int32_t> Operands(int32_t node) const {
    std::vector<int32_t> operands;
    for (int32_t i = 0; i < g_.Inputs(node); ++i) {
      if (!g_.IsConstant(g_.Input(node, i))) Insert(operands, g_.Input(node, i));
    }
    return operands;
  }

  int32_t LastMade(const std::vector<int32_t> &tensors) const {
    int32_t last = O2M_NONE;
    for (const int32_t t : tensors) {
      if (last < 0 || g_.Producer(t) > g_.Producer(last)) last = t;
    }
    return last;
  }

  static std::vector<int32_t> Sorted(std::vector<int32_t> nodes) {
    std::sort(nodes.begin(), nodes.end());
    return nodes;
  }

  ProgramStep Step(int32_t node, int32_t source, const std::map<int32_t, int32_t> &step_of) const {
    const KindInfo &info = *KindOf(node);
    ProgramStep step = {info.kind, {kConstant, kConstant}, {}, {}};
    if (info.kind == Kind::kGelu && g_.Text(node, "approximate", "none") == "tanh") step.kind = Kind::kGeluTanh;
    if (info.kind == Kind::kCast && CastsToInteger(g_.Int(node, "to", 1))) step.kind = Kind::kTruncate;
    for (int32_t i = 0; i < info.operands; ++i) {
      const int32_t operand = g_.Input(node, i);
      if (g_.IsScalar(operand, &step.constant[i])) continue;
      const auto made = step_of.find(g_.Producer(operand));
      step.operand[i] = SameValue(operand, source) || made == step_of.end() ? kSource : made->second;
    }
    for (int k = 0; k < 2; ++k) {
      if (info.attributes[k]) step.attribute[k] = g_.Float(node, info.attributes[k], info.defaults[k]);
    }
    if (info.kind == Kind::kFakeQuantize) SetGrid(node, step);
    return step;
  }

  void SetGrid(int32_t node, ProgramStep &step) const {
    const auto zero = static_cast<float>(g_.Int(node, "zero_point", 0));
    step.constant[1] = g_.Float(node, "scale", 1);
    step.attribute[0] = static_cast<float>(g_.Int(node, "low", -128)) - zero;
    step.attribute[1] = static_cast<float>(g_.Int(node, "high", 127)) - zero;
  }

  const o2m_graph *graph_;
  GraphView g_;
};

}  // namespace o2m
