// Arithmetic with constants: Add and Mul with the constant second stand for Sub, Div, Neg and scalar powers.
#include <algorithm>
#include <cmath>

#include "importer/canonicalize.h"

namespace onnx2mcu {
namespace {

bool IsFloatNode(const Rewriter &r, const FloatNode &node) {
  return std::all_of(node.inputs.begin(), node.inputs.end(), [&](TensorId id) { return id != kNone && r.IsFloat(id); });
}

// Add(c, x) -> Add(x, c); the same for the other commutative operators.
bool ConstantSecond(Rewriter &r, NodeId id) {
  const FloatNode &node = r.node(id);
  const bool commutes = r.Is(id, "Add") || r.Is(id, "Mul") || r.Is(id, "Max") || r.Is(id, "Min");
  if (!commutes || node.inputs.size() != 2) return false;
  if (!r.IsConstant(node.inputs[0]) || r.IsConstant(node.inputs[1])) return false;
  r.SetInputs(id, {node.inputs[1], node.inputs[0]});
  return true;
}

// Sum and Mean of two are Add; of one they are the value.
bool SumToAdd(Rewriter &r, NodeId id) {
  const FloatNode &node = r.node(id);
  if (!r.Is(id, "Sum") || node.inputs.size() < 2) return false;
  TensorId sum = node.inputs[0];
  for (size_t i = 1; i < node.inputs.size(); i++) sum = r.Emit(id, "Add", {sum, node.inputs[i]});
  r.Replace(node.outputs[0], sum);
  return true;
}

bool SubToAdd(Rewriter &r, NodeId id) {
  const FloatNode &node = r.node(id);
  if (!r.Is(id, "Sub") || !IsFloatNode(r, node)) return false;
  const TensorId a = node.inputs[0], b = node.inputs[1];
  if (!r.IsConstant(a) && !r.IsConstant(b)) return false;
  const TensorId minus_b = r.Emit(id, "Mul", {b, r.NewScalar(-1.0f)});
  r.Replace(node.outputs[0], r.Emit(id, "Add", {a, minus_b}));
  return true;
}

bool NegToMul(Rewriter &r, NodeId id) {
  const FloatNode &node = r.node(id);
  if (!r.Is(id, "Neg") || !IsFloatNode(r, node)) return false;
  r.Replace(node.outputs[0], r.Emit(id, "Mul", {node.inputs[0], r.NewScalar(-1.0f)}));
  return true;
}

// x / c -> x * (1/c), c / x -> Reciprocal(x) * c
bool DivToMul(Rewriter &r, NodeId id) {
  const FloatNode &node = r.node(id);
  if (!r.Is(id, "Div") || !IsFloatNode(r, node)) return false;
  const TensorId a = node.inputs[0], b = node.inputs[1];
  if (r.IsConstant(a) == r.IsConstant(b)) return false;
  if (r.IsConstant(b)) {
    const std::vector<float> divisors = r.Floats(b);
    if (std::any_of(divisors.begin(), divisors.end(), [](float v) { return v == 0; })) return false;
  }
  const TensorId inverse = r.Emit(id, "Reciprocal", {b});
  const bool one = r.IsScalar(a, 1.0f, 0) && r.DimsOf(inverse) == r.DimsOf(node.outputs[0]);
  r.Replace(node.outputs[0], one ? inverse : r.Emit(id, "Mul", {a, inverse}));
  return true;
}

// Pow(x, 0.5) -> Sqrt, Pow(x, -0.5) -> Reciprocal(Sqrt), Pow(x, -1) -> Reciprocal, Pow(x, 1) -> x
bool PowToRoots(Rewriter &r, NodeId id) {
  const FloatNode &node = r.node(id);
  if (!r.Is(id, "Pow") || !r.IsFloat(node.inputs[0]) || r.DimsOf(node.inputs[0]) != r.DimsOf(node.outputs[0]))
    return false;
  const TensorId x = node.inputs[0];
  TensorId y = kNone;
  if (r.IsScalar(node.inputs[1], 1.0f, 0)) y = x;
  if (r.IsScalar(node.inputs[1], 0.5f, 0)) y = r.Emit(id, "Sqrt", {x});
  if (r.IsScalar(node.inputs[1], -1.0f, 0)) y = r.Emit(id, "Reciprocal", {x});
  if (r.IsScalar(node.inputs[1], -0.5f, 0)) y = r.Emit(id, "Reciprocal", {r.Emit(id, "Sqrt", {x})});
  if (y == kNone || r.MustStay(node.outputs[0], y)) return false;
  r.Replace(node.outputs[0], y);
  return true;
}

// a * Reciprocal(b) -> a / b where neither is constant: one spelling for the patterns of normalisations.
bool ReciprocalToDiv(Rewriter &r, NodeId id) {
  const FloatNode &node = r.node(id);
  if (!r.Is(id, "Mul") || !IsFloatNode(r, node)) return false;
  for (int side = 0; side < 2; side++) {
    const TensorId a = node.inputs[side], b = node.inputs[1 - side];
    const FloatNode *inverse = r.Producer(b, "Reciprocal");
    if (!inverse || r.IsConstant(a)) continue;
    r.Replace(node.outputs[0], r.Emit(id, "Div", {a, inverse->inputs[0]}));
    return true;
  }
  return false;
}

// A constant operand without the leading ones that broadcasting adds anyway; one value becomes a scalar.
bool TrimConstant(Rewriter &r, NodeId id) {
  const FloatNode &node = r.node(id);
  if ((!r.Is(id, "Add") && !r.Is(id, "Mul")) || !r.IsFloatConstant(node.inputs[1])) return false;
  const TensorId c = node.inputs[1];
  Dims dims = r.DimsOf(c);
  if (r.IsConstant(node.inputs[0]) || r.DimsOf(node.inputs[0]) != r.DimsOf(node.outputs[0])) return false;
  const size_t kept = r.LastDim(node.inputs[0]) == 1 ? 1 : 0;  // the bias of a layer with one output stays [1]
  while (dims.size() > kept && dims[0] == 1) dims.erase(dims.begin());
  if (dims == r.DimsOf(c)) return false;
  r.SetInput(id, 1, r.NewFloats(r.tensor(c).name, dims, r.Floats(c)));
  return true;
}

bool AllEqual(const Rewriter &r, TensorId constant, float value) {
  const std::vector<float> values = r.Floats(constant);
  return std::all_of(values.begin(), values.end(), [&](float v) { return v == value; });
}

// x + 0, x * 1
bool DropNeutral(Rewriter &r, NodeId id) {
  const FloatNode &node = r.node(id);
  const bool add = r.Is(id, "Add");
  if ((!add && !r.Is(id, "Mul")) || !r.IsFloatConstant(node.inputs[1]) || r.IsConstant(node.inputs[0])) return false;
  const TensorId x = node.inputs[0], y = node.outputs[0];
  if (r.DimsOf(x) != r.DimsOf(y) || !AllEqual(r, node.inputs[1], add ? 0.0f : 1.0f) || r.MustStay(y, x)) return false;
  r.Replace(y, x);
  return true;
}

// What a rewrite left with nothing but constant operands, of the operators that mean the same in every opset.
bool FoldConstant(Rewriter &r, NodeId id) {
  const FloatNode &node = r.node(id);
  bool known = false;
  for (const char *type :
       {"Add", "Sub", "Mul", "Div", "MatMul", "Reshape", "Transpose", "Slice", "Concat", "Expand", "Relu"})
    known = known || r.Is(id, type);
  if (!known || node.inputs.empty() || r.IsOutput(node.outputs[0])) return false;
  if (!std::all_of(node.inputs.begin(), node.inputs.end(), [&](TensorId i) { return r.IsConstant(i); })) return false;
  const TensorId y = r.Emit(id, node.op_type, node.inputs, node.attrs);
  if (!r.IsConstant(y)) return false;
  r.Replace(node.outputs[0], y);
  return true;
}

// True where whatever is computed from `id` meets other values of the input before it leaves the network.
bool JoinsOthers(const Rewriter &r, TensorId id, int depth = 12) {
  if (r.IsOutput(id) || depth == 0) return false;
  return std::all_of(r.Readers(id).begin(), r.Readers(id).end(), [&](NodeId reader) {
    const FloatNode &node = r.node(reader);
    const bool joins = std::any_of(node.inputs.begin(), node.inputs.end(),
                                   [&](TensorId i) { return i != id && i != kNone && !r.IsConstant(i); });
    return joins || (node.outputs.size() == 1 && JoinsOthers(r, node.outputs[0], depth - 1));
  });
}

// x * 0 and x W with nothing but zeros in W: layers that training never touched.
bool ProductWithZeros(Rewriter &r, NodeId id) {
  const FloatNode &node = r.node(id);
  if ((!r.Is(id, "MatMul") && !r.Is(id, "Mul")) || node.inputs.size() != 2) return false;
  if (!JoinsOthers(r, node.outputs[0])) return false;
  for (size_t side = 0; side < 2; side++) {
    if (!r.IsFloatConstant(node.inputs[side]) || !AllEqual(r, node.inputs[side], 0.0f)) continue;
    const Dims dims = r.DimsOf(node.outputs[0]);
    r.Replace(node.outputs[0], r.NewFloats("zeros", dims, std::vector<float>(ElementCount(dims), 0.0f)));
    return true;
  }
  return false;
}

// True where broadcasting `small` against `large` gives `large`.
bool FitsIn(const Dims &small, const Dims &large) {
  if (small.size() > large.size()) return false;
  for (size_t i = 1; i <= small.size(); i++)
    if (small[small.size() - i] != 1 && small[small.size() - i] != large[large.size() - i]) return false;
  return true;
}

// (x * a) * b -> x * (a b), (x + a) + b -> x + (a + b), where the inner constant is no smaller than the outer one (a
// bias must not grow into a table) or is a scalar.
bool MergeConstants(Rewriter &r, NodeId id) {
  const FloatNode &outer = r.node(id);
  if (!r.Is(id, "Add") && !r.Is(id, "Mul")) return false;
  const FloatNode *inner = r.Producer(outer.inputs[0], outer.op_type.c_str());
  if (!inner || !r.OneReader(outer.inputs[0])) return false;
  const TensorId x = inner->inputs[0], a = inner->inputs[1], b = outer.inputs[1];
  if (r.IsConstant(x) || !r.IsFloatConstant(a) || !r.IsFloatConstant(b)) return false;
  if (r.DimsOf(x) != r.DimsOf(outer.outputs[0])) return false;
  if (ElementCount(r.DimsOf(a)) != 1 && !FitsIn(r.DimsOf(b), r.DimsOf(a))) return false;
  r.Replace(outer.outputs[0], r.Emit(id, outer.op_type, {x, r.Emit(id, outer.op_type, {a, b})}));
  return true;
}

}  // namespace

std::vector<FloatRewrite> ArithmeticRewrites() {
  return {{"sum to add", SumToAdd},
          {"neg to mul", NegToMul},
          {"sub to add", SubToAdd},
          {"div to mul", DivToMul},
          {"pow to roots", PowToRoots},
          {"constant second", ConstantSecond},
          {"trim constant", TrimConstant},
          {"drop neutral", DropNeutral},
          {"product with zeros", ProductWithZeros},
          {"fold constant", FoldConstant},
          {"merge constants", MergeConstants},
          {"reciprocal to div", ReciprocalToDiv}};
}

}  // namespace onnx2mcu
