// importer/eval_quant_fused.cc - quantised operators of com.microsoft that are a float operator between
// DequantizeLinear and QuantizeLinear, or an integer product and its scales. Semantics: onnxruntime
// docs/ContribOperators.md.
#include <numeric>

#include "importer/eval_op.h"

namespace onnx2mcu {
namespace {

absl::StatusOr<Value> Run(const std::string &domain, const std::string &type, const std::vector<const Value *> &inputs,
                          std::map<std::string, Attr> attrs = {}) {
  FloatNode node;
  node.domain = domain, node.op_type = type, node.opset = domain.empty() ? 13 : 1;
  node.attrs = std::move(attrs);
  node.outputs = {0};
  O2M_ASSIGN_OR_RETURN(std::vector<Value> results, EvaluateNode(node, inputs));
  return std::move(results[0]);
}

const Value *Maybe(const OpCall &call, size_t i) { return call.has(i) ? &call.in(i) : nullptr; }

// Operands by position: integers, scale, zero point (may be missing); `axis` where the scale has several entries.
absl::StatusOr<Value> Dequantized(const OpCall &call, size_t x, size_t scale, size_t zero, int64_t axis = 0) {
  Value z;
  const Value *zeros = Maybe(call, zero);
  if (zeros != nullptr && Count(*zeros) == 1 && Count(call.in(scale)) != 1) {
    O2M_ASSIGN_OR_RETURN(z, BroadcastTo(Reshaped(*zeros, {1}), {Count(call.in(scale))}));
    zeros = &z;
  }
  return Run("", "DequantizeLinear", {&call.in(x), &call.in(scale), zeros}, {{"axis", axis}});
}

Values QuantizedTo(const OpCall &call, const Value &real, size_t scale) {
  O2M_ASSIGN_OR_RETURN(Value y, Run("", "QuantizeLinear", {&real, &call.in(scale), Maybe(call, scale + 1)}));
  return One(std::move(y));
}

// X, x_scale, x_zero, y_scale, y_zero; channels are the second axis, or the last one.
Values AveragePool(const OpCall &call, const char *type) {
  O2M_ASSIGN_OR_RETURN(Value x, Dequantized(call, 0, 1, 2));
  std::map<std::string, Attr> attrs = call.node.attrs;
  attrs.erase("channels_last");
  const bool last = AttrInt(call.node, "channels_last", 0) != 0;
  Dims first(x.dims.size()), back(x.dims.size());
  std::iota(first.begin(), first.end(), -1), std::iota(back.begin(), back.end(), 1);
  if (last) first[0] = 0, first[1] = static_cast<int64_t>(x.dims.size()) - 1, back[0] = 0, back.back() = 1;
  if (last) x = Permute(x, first);
  O2M_ASSIGN_OR_RETURN(Value y, Run("", type, {&x}, attrs));
  if (last) y = Permute(y, back);
  return QuantizedTo(call, y, 3);
}
Values QLinearGlobalAveragePool(const OpCall &call) { return AveragePool(call, "GlobalAveragePool"); }
Values QLinearAveragePool(const OpCall &call) { return AveragePool(call, "AveragePool"); }

// data, data_scale, data_zero, y_scale, y_zero
Values QLinearReduceMean(const OpCall &call) {
  O2M_ASSIGN_OR_RETURN(const Value x, Dequantized(call, 0, 1, 2));
  O2M_ASSIGN_OR_RETURN(const Value y, Run("", "ReduceMean", {&x}, call.node.attrs));
  return QuantizedTo(call, y, 3);
}

// condition, X, x_scale, x_zero, Y, y_scale, y_zero, z_scale, z_zero
Values QLinearWhere(const OpCall &call) {
  O2M_ASSIGN_OR_RETURN(const Value x, Dequantized(call, 1, 2, 3));
  O2M_ASSIGN_OR_RETURN(const Value y, Dequantized(call, 4, 5, 6));
  O2M_ASSIGN_OR_RETURN(const Value z, Run("", "Where", {&call.in(0), &x, &y}));
  return QuantizedTo(call, z, 7);
}

absl::StatusOr<Value> Product(const OpCall &call, const Value &a, const Value &b, size_t bias) {
  O2M_ASSIGN_OR_RETURN(Value y, Run("", "MatMul", {&a, &b}));
  if (!call.has(bias)) return y;
  return Run("", "Add", {&y, &call.in(bias)});
}

int64_t LastAxis(const Value &x) { return std::max<int64_t>(static_cast<int64_t>(x.dims.size()) - 1, 0); }

// A, B, a_scale, b_scale, a_zero, b_zero, bias
Values MatMulIntegerToFloat(const OpCall &call) {
  O2M_ASSIGN_OR_RETURN(const Value a, Dequantized(call, 0, 2, 4));
  O2M_ASSIGN_OR_RETURN(const Value b, Dequantized(call, 1, 3, 5, LastAxis(call.in(1))));
  O2M_ASSIGN_OR_RETURN(Value y, Product(call, a, b, 6));
  return One(std::move(y));
}

// x as DynamicQuantizeLinear and DequantizeLinear leave it.
absl::StatusOr<Value> DynamicallyRounded(const Value &x) {
  FloatNode node;
  node.op_type = "DynamicQuantizeLinear", node.opset = 13;
  node.outputs = {0, 1, 2};
  O2M_ASSIGN_OR_RETURN(const std::vector<Value> q, EvaluateNode(node, {&x}));
  return Run("", "DequantizeLinear", {&q[0], &q[1], &q[2]});
}

// A (float), B, b_scale, b_zero, bias
Values DynamicQuantizeMatMul(const OpCall &call) {
  O2M_ASSIGN_OR_RETURN(const Value a, DynamicallyRounded(call.in(0)));
  O2M_ASSIGN_OR_RETURN(const Value b, Dequantized(call, 1, 2, 3, LastAxis(call.in(1))));
  O2M_ASSIGN_OR_RETURN(Value y, Product(call, a, b, 4));
  return One(std::move(y));
}

// input, weight, bias, input_scale, weight_scale, mask_index, input_zero, weight_zero
Values QAttention(const OpCall &call) {
  O2M_ASSIGN_OR_RETURN(const Value x, Dequantized(call, 0, 3, 6));
  O2M_ASSIGN_OR_RETURN(const Value w, Dequantized(call, 1, 4, 7, 1));
  O2M_ASSIGN_OR_RETURN(Value y,
                       Run("com.microsoft", "Attention", {&x, &w, &call.in(2), Maybe(call, 5)}, call.node.attrs));
  return One(std::move(y));
}

}  // namespace

std::vector<OpEntry> FusedQuantOps() {
  return {{"com.microsoft.QLinearGlobalAveragePool", "ifi?fi?", QLinearGlobalAveragePool},
          {"com.microsoft.QLinearAveragePool", "ifi?fi?", QLinearAveragePool},
          {"com.microsoft.QLinearReduceMean", "ifi?fi?", QLinearReduceMean},
          {"com.microsoft.QLinearWhere", "iifi?ifi?fi?", QLinearWhere},
          {"com.microsoft.MatMulIntegerToFloat", "iiffi?i?f?", MatMulIntegerToFloat},
          {"com.microsoft.DynamicQuantizeMatMul", "fifi?f?", DynamicQuantizeMatMul},
          {"com.microsoft.QAttention", "iifffi?i?i?", QAttention}};
}

}  // namespace onnx2mcu
