// Operators that compute on integers, as the float operator between DequantizeLinear and QuantizeLinear: QLinear*,
// QGemm, and what dynamic quantisation writes.
// Semantics: ONNX operator specification; onnxruntime docs/ContribOperators.md.
#include <algorithm>

#include "importer/canonicalize.h"
#include "importer/fake_quantize.h"

namespace onnx2mcu {
namespace {

TensorId Operand(const FloatNode &node, size_t i) { return Has(node, i) ? node.inputs[i] : kNone; }

// Operands i, i + 1, i + 2 of a node: integers, scale, zero point.
TensorId Dequantize(Rewriter &r, NodeId id, size_t i, int64_t axis = 1) {
  const FloatNode node = r.node(id);
  std::vector<TensorId> inputs = {node.inputs[i], node.inputs[i + 1]};
  if (Has(node, i + 2)) inputs.push_back(node.inputs[i + 2]);
  if (ElementCount(r.DimsOf(inputs[1])) == 1) return r.Emit(id, "DequantizeLinear", inputs);
  return r.Emit(id, "DequantizeLinear", inputs, {{"axis", axis}});
}

// The node's result is `real`, quantised by operands i and i + 1.
bool Quantize(Rewriter &r, NodeId id, TensorId real, size_t i) {
  const FloatNode node = r.node(id);
  std::vector<TensorId> inputs = {real, node.inputs[i]};
  if (Has(node, i + 1)) inputs.push_back(node.inputs[i + 1]);
  const TensorId y = r.Emit(id, "QuantizeLinear", inputs);
  if (r.tensor(y).dtype != r.tensor(node.outputs[0]).dtype) return false;
  r.Replace(node.outputs[0], y);
  return true;
}

// An s32 bias in units of scale x * scale w, one per column or channel, as real numbers. kNone: not constant.
TensorId RealBias(Rewriter &r, TensorId bias, TensorId x_scale, TensorId w_scale, float alpha = 1) {
  if (!r.IsConstant(bias) || !r.IsFloatConstant(w_scale) || !r.Scalar(x_scale)) return kNone;
  const Dims q = r.Ints(bias);
  const std::vector<float> w = r.Floats(w_scale);
  if (w.size() != 1 && w.size() != q.size()) return kNone;
  std::vector<float> real;
  for (size_t i = 0; i < q.size(); i++)
    real.push_back(
        static_cast<float>(static_cast<double>(q[i]) * *r.Scalar(x_scale) * w[w.size() == 1 ? 0 : i] * alpha));
  return r.NewFloats(r.tensor(bias).name, r.DimsOf(bias), real);
}

int64_t LastAxis(const Rewriter &r, TensorId id) { return std::max<int64_t>(r.Rank(id) - 1, 0); }

// a, its scale and zero point, b .., y's scale and zero point
bool MatMul(Rewriter &r, NodeId id) {
  if (!r.Is(id, "QLinearMatMul")) return false;
  const FloatNode node = r.node(id);
  const TensorId a = Dequantize(r, id, 0, std::max<int64_t>(r.Rank(node.inputs[0]) - 2, 0));
  const TensorId b = Dequantize(r, id, 3, LastAxis(r, node.inputs[3]));
  return Quantize(r, id, r.Emit(id, "MatMul", {a, b}), 6);
}

// x .., w .., y's scale and zero point, bias
bool Conv(Rewriter &r, NodeId id) {
  if (!r.Is(id, "QLinearConv")) return false;
  const FloatNode node = r.node(id);
  std::vector<TensorId> inputs = {Dequantize(r, id, 0), Dequantize(r, id, 3, 0)};
  if (Has(node, 8)) inputs.push_back(RealBias(r, node.inputs[8], node.inputs[1], node.inputs[4]));
  if (inputs.back() == kNone) return false;
  return Quantize(r, id, r.Emit(id, "Conv", inputs, node.attrs), 6);
}

// a .., b .., bias, y's scale and zero point; without those the result is float
bool Gemm(Rewriter &r, NodeId id) {
  if (!r.Is(id, "QGemm", kMs)) return false;
  const FloatNode node = r.node(id);
  const int64_t columns = AttrInt(node, "transB", 0) != 0 ? 0 : 1;
  std::vector<TensorId> inputs = {Dequantize(r, id, 0), Dequantize(r, id, 3, columns)};
  const float alpha = AttrFloat(node, "alpha", 1);
  if (Has(node, 6)) inputs.push_back(RealBias(r, node.inputs[6], node.inputs[1], node.inputs[4], alpha));
  if (inputs.back() == kNone) return false;
  const TensorId y = r.Emit(id, "Gemm", inputs, node.attrs);
  if (Has(node, 7)) return Quantize(r, id, y, 7);
  r.Replace(node.outputs[0], y);
  return true;
}

bool Binary(Rewriter &r, NodeId id) {
  for (const char *type : {"Add", "Mul"}) {
    if (!r.Is(id, (std::string("QLinear") + type).c_str(), kMs)) continue;
    const TensorId a = Dequantize(r, id, 0), b = Dequantize(r, id, 3);
    return Quantize(r, id, r.Emit(id, type, {a, b}), 6);
  }
  return false;
}

// x, its scale and zero point, y's scale and zero point
bool Unary(Rewriter &r, NodeId id) {
  const FloatNode node = r.node(id);
  for (const char *type : {"Sigmoid", "LeakyRelu"}) {
    if (!r.Is(id, (std::string("QLinear") + type).c_str(), kMs)) continue;
    return Quantize(r, id, r.Emit(id, type, {Dequantize(r, id, 0)}, node.attrs), 3);
  }
  return false;
}

// Below opset 13 Softmax flattens to a matrix; that is one axis where it is the last.
bool Softmax(Rewriter &r, NodeId id) {
  if (!r.Is(id, "QLinearSoftmax", kMs)) return false;
  const FloatNode node = r.node(id);
  const bool old = AttrInt(node, "opset", 13) < 13;
  const size_t rank = r.DimsOf(node.inputs[0]).size();
  const int64_t axis = AxisOf(AttrInt(node, "axis", old ? 1 : -1), rank);
  if (old && axis + 1 != static_cast<int64_t>(rank)) return false;
  return Quantize(r, id, r.Emit(id, "Softmax", {Dequantize(r, id, 0)}, {{"axis", axis}}), 3);
}

// y's scale and zero point, then value, scale, zero point of each part
bool Concat(Rewriter &r, NodeId id) {
  if (!r.Is(id, "QLinearConcat", kMs)) return false;
  const FloatNode node = r.node(id);
  std::vector<TensorId> parts;
  for (size_t i = 2; i + 2 < node.inputs.size(); i += 3) parts.push_back(Dequantize(r, id, i));
  const TensorId joined = r.Emit(id, "Concat", parts, {{"axis", AttrInt(node, "axis", 1)}});
  return Quantize(r, id, joined, 0);
}

// Pooling of images whose channels are the last axis (channels_last) runs between two transpositions.
bool Pool(Rewriter &r, NodeId id) {
  const bool global = r.Is(id, "QLinearGlobalAveragePool", kMs);
  if (!global && !r.Is(id, "QLinearAveragePool", kMs)) return false;
  const FloatNode node = r.node(id);
  Attrs attrs = node.attrs;
  attrs.erase("channels_last");
  const int64_t rank = r.Rank(node.inputs[0]);
  Dims first = {0, rank - 1}, last = {0};
  for (int64_t i = 1; i + 1 < rank; i++) first.push_back(i), last.push_back(i + 1);
  last.push_back(1);
  const bool channels_last = AttrInt(node, "channels_last", 0) != 0;
  TensorId x = Dequantize(r, id, 0);
  if (channels_last) x = r.Transpose(id, x, first);
  TensorId y = r.Emit(id, global ? "GlobalAveragePool" : "AveragePool", {x}, attrs);
  if (channels_last) y = r.Transpose(id, y, last);
  return Quantize(r, id, y, 3);
}

// data, its scale and zero point, y's scale and zero point; the axes are an attribute
bool Reduce(Rewriter &r, NodeId id) {
  if (!r.Is(id, "QLinearReduceMean", kMs)) return false;
  const FloatNode node = r.node(id);
  return Quantize(r, id, r.Emit(id, "ReduceMean", {Dequantize(r, id, 0)}, node.attrs), 3);
}

// condition, X .., Y .., z's scale and zero point
bool Where(Rewriter &r, NodeId id) {
  if (!r.Is(id, "QLinearWhere", kMs)) return false;
  const FloatNode node = r.node(id);
  const TensorId x = Dequantize(r, id, 1), y = Dequantize(r, id, 4);
  return Quantize(r, id, r.Emit(id, "Where", {node.inputs[0], x, y}), 7);
}

// ---- Integer products whose scales are multiplied in behind them: dynamic quantisation ----

struct Scales {
  TensorId a = kNone, b = kNone;
};
// The scales of both operands out of their product, in the order of the operands: a's is what `a_zero` belongs to.
Scales ScalesOf(const Rewriter &r, TensorId product, TensorId a_zero) {
  const FloatNode *mul = r.Producer(product, "Mul");
  if (!mul) return {};
  const FloatNode *dynamic = r.Producer(mul->inputs[0]);
  const NodeId quantizer = a_zero == kNone ? kNone : r.ProducerId(a_zero);
  const bool first =
      quantizer == kNone ? !r.IsConstant(mul->inputs[0]) || !dynamic : r.ProducerId(mul->inputs[0]) == quantizer;
  return first ? Scales{mul->inputs[0], mul->inputs[1]} : Scales{mul->inputs[1], mul->inputs[0]};
}

TensorId DequantizeWith(Rewriter &r, NodeId id, TensorId q, TensorId scale, TensorId zero, int64_t axis) {
  std::vector<TensorId> inputs = {q, scale};
  Attrs attrs;
  const int64_t count = ElementCount(r.DimsOf(scale));
  if (count != 1 && r.Rank(scale) != 1) inputs[1] = r.Reshape(id, scale, {count});
  if (count != 1) attrs["axis"] = axis;
  const bool fits = zero != kNone && ElementCount(r.DimsOf(zero)) == count;
  if (zero != kNone && !fits && r.IsConstant(zero) && count != 1)
    zero = r.Emit(id, "Expand", {zero, r.NewInts({count})});
  if (zero != kNone) inputs.push_back(zero);
  return r.Emit(id, "DequantizeLinear", inputs, attrs);
}

// Mul(Cast(MatMulInteger(a, b)), Mul(scale a, scale b)) -> MatMul of what a and b stand for; the same for ConvInteger.
bool ScaledProduct(Rewriter &r, NodeId id) {
  if (!r.Is(id, "Mul")) return false;
  const FloatNode mul = r.node(id);
  for (int side = 0; side < 2; side++) {
    const FloatNode *cast = r.Producer(mul.inputs[side], "Cast");
    const NodeId product = cast ? r.ProducerId(cast->inputs[0]) : kNone;
    const bool conv = r.Is(product, "ConvInteger");
    if (!conv && !r.Is(product, "MatMulInteger")) continue;
    const FloatNode node = r.node(product);
    const TensorId a_zero = Operand(node, 2), b_zero = Operand(node, 3);
    const Scales scales = ScalesOf(r, mul.inputs[1 - side], a_zero);
    if (scales.a == kNone || ElementCount(r.DimsOf(scales.a)) != 1) return false;
    const TensorId a = DequantizeWith(r, id, node.inputs[0], scales.a, a_zero, 0);
    const TensorId b = DequantizeWith(r, id, node.inputs[1], scales.b, b_zero, conv ? 0 : LastAxis(r, node.inputs[1]));
    const TensorId y = r.Emit(id, conv ? "Conv" : "MatMul", {a, b}, node.attrs);
    if (r.DimsOf(y) != r.DimsOf(mul.outputs[0])) return false;
    r.Replace(mul.outputs[0], y);
    return true;
  }
  return false;
}

// com.microsoft.MatMulIntegerToFloat: A, B, scale a, scale b, zero a, zero b, bias
bool IntegerToFloat(Rewriter &r, NodeId id) {
  if (!r.Is(id, "MatMulIntegerToFloat", kMs)) return false;
  const FloatNode node = r.node(id);
  const TensorId a = DequantizeWith(r, id, node.inputs[0], node.inputs[2], Operand(node, 4), 0);
  const TensorId b =
      DequantizeWith(r, id, node.inputs[1], node.inputs[3], Operand(node, 5), LastAxis(r, node.inputs[1]));
  TensorId y = r.Emit(id, "MatMul", {a, b});
  if (Has(node, 6)) y = r.Emit(id, "Add", {y, node.inputs[6]});
  r.Replace(node.outputs[0], y);
  return true;
}

// com.microsoft.DynamicQuantizeMatMul: A (float), B, scale b, zero b, bias
bool DynamicMatMul(Rewriter &r, NodeId id) {
  if (!r.Is(id, "DynamicQuantizeMatMul", kMs)) return false;
  const FloatNode node = r.node(id);
  const TensorId b =
      DequantizeWith(r, id, node.inputs[1], node.inputs[2], Operand(node, 3), LastAxis(r, node.inputs[1]));
  const TensorId a = r.Emit(id, kFakeQuantizeName, {node.inputs[0]}, AttrsOf(kCalibratedBytes));
  TensorId y = r.Emit(id, "MatMul", {a, b});
  if (Has(node, 4)) y = r.Emit(id, "Add", {y, node.inputs[4]});
  r.Replace(node.outputs[0], y);
  return true;
}

// com.microsoft.QAttention: input, weight, bias, scale input, scale weight, mask, zero input, zero weight
bool Attention(Rewriter &r, NodeId id) {
  if (!r.Is(id, "QAttention", kMs)) return false;
  const FloatNode node = r.node(id);
  const TensorId x = DequantizeWith(r, id, node.inputs[0], node.inputs[3], Operand(node, 6), 0);
  const TensorId w = DequantizeWith(r, id, node.inputs[1], node.inputs[4], Operand(node, 7), 1);
  std::vector<TensorId> inputs = {x, w, node.inputs[2]};
  if (Has(node, 5)) inputs.push_back(node.inputs[5]);
  r.Replace(node.outputs[0], r.Emit(id, "com.microsoft.Attention", inputs, node.attrs));
  return true;
}

}  // namespace

std::vector<FloatRewrite> QOperatorRewrites() {
  return {{"QLinearMatMul", MatMul},
          {"QLinearConv", Conv},
          {"QGemm", Gemm},
          {"QLinear of two", Binary},
          {"QLinear of one", Unary},
          {"QLinearSoftmax", Softmax},
          {"QLinearConcat", Concat},
          {"QLinear pool", Pool},
          {"QLinearReduceMean", Reduce},
          {"QLinearWhere", Where},
          {"scaled integer product", ScaledProduct},
          {"MatMulIntegerToFloat", IntegerToFloat},
          {"DynamicQuantizeMatMul", DynamicMatMul},
          {"QAttention", Attention}};
}

}  // namespace onnx2mcu
