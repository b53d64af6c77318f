// QuantizeLinear and DequantizeLinear as onnx2mcu.FakeQuantize on float tensors, next to what computes the values:
// above all movement, once per value. Weights need nothing: they are constants that lie on a grid.
#include <algorithm>
#include <cmath>

#include "importer/canonicalize.h"
#include "importer/fake_quantize.h"

namespace onnx2mcu {
namespace {

// ONNX has them since opsets 10 (8 bits) and 21 (16 bits); com.microsoft had 16 bits before.
bool OnnxDomain(Rewriter &r, NodeId id) {
  FloatNode &node = r.node(id);
  if (!r.Is(id, "QuantizeLinear", kMs) && !r.Is(id, "DequantizeLinear", kMs)) return false;
  node.domain.clear();
  node.opset = r.graph().opset;
  return true;
}

// The grid of a quantised tensor, from its node's operands 1 and 2; `held` is its type. One scale for the tensor only.
std::optional<Grid> NodeGrid(const Rewriter &r, const FloatNode &node, DType held) {
  const std::optional<float> scale = r.Scalar(node.inputs[1]);
  const Dims zeros = Has(node, 2) ? r.Ints(node.inputs[2]) : Dims{0};
  if (!scale || zeros.size() != 1 || !(*scale > 0)) return std::nullopt;
  switch (held) {
    case DType::kS8:
      return Grid{*scale, zeros[0], -128, 127};
    case DType::kU8:
      return Grid{*scale, zeros[0] - 128, -128, 127};
    case DType::kS16:
      return Grid{*scale, zeros[0], -32768, 32767};
    case DType::kS32:  // how u16 is held
      return Grid{*scale, zeros[0] - 32768, -32768, 32767};
    default:
      return std::nullopt;
  }
}

TensorId Fake(Rewriter &r, NodeId origin, TensorId x, const Grid &grid) {
  return r.Emit(origin, kFakeQuantizeName, {x}, AttrsOf(grid));
}

// DequantizeLinear(QuantizeLinear(x)) -> FakeQuantize(x); where the two differ in scale or zero point, moved from one
// grid to the other.
bool QuantizeDequantize(Rewriter &r, NodeId id) {
  const FloatNode &node = r.node(id);
  const FloatNode *quantize = r.Is(id, "DequantizeLinear") ? r.Producer(node.inputs[0], "QuantizeLinear") : nullptr;
  if (!quantize) return false;
  const DType held = r.tensor(node.inputs[0]).dtype;
  const std::optional<Grid> from = NodeGrid(r, *quantize, held), to = NodeGrid(r, node, held);
  if (!from || !to) return false;
  TensorId y = Fake(r, id, quantize->inputs[0], *from);
  if (from->scale != to->scale) y = r.Emit(id, "Mul", {y, r.NewScalar(to->scale / from->scale)});
  const auto shift = static_cast<float>(from->zero_point - to->zero_point);
  if (shift != 0) y = r.Emit(id, "Add", {y, r.NewScalar(shift * to->scale)});
  r.Replace(node.outputs[0], y);
  return true;
}

// DynamicQuantizeLinear becomes static: its result stands for x in bytes, whose scale calibration chooses.
bool DynamicQuantize(Rewriter &r, NodeId id) {
  const FloatNode &node = r.node(id);
  const FloatNode *dynamic =
      r.Is(id, "DequantizeLinear") ? r.Producer(node.inputs[0], "DynamicQuantizeLinear") : nullptr;
  if (!dynamic || dynamic->outputs.size() < 3 || node.inputs[1] != dynamic->outputs[1]) return false;
  r.Replace(node.outputs[0], Fake(r, id, dynamic->inputs[0], kCalibratedBytes));
  return true;
}

// What input 0 of `node` is once each operand that holds values is dequantised as `dequantize` does.
TensorId Dequantized(Rewriter &r, NodeId origin, const FloatNode &dequantize, TensorId q) {
  std::vector<TensorId> inputs = dequantize.inputs;
  inputs[0] = q;
  return r.Emit(origin, "DequantizeLinear", inputs, dequantize.attrs);
}

// Operators that only choose among the values of their first operand, so that they may run on either side of a grid.
bool Chooses(const FloatNode &node) {
  return Moves(node) || (node.domain.empty() && (node.op_type == "MaxPool" || node.op_type == "Concat"));
}

// DequantizeLinear(Move(q)) -> Move(DequantizeLinear(q)), also out of a Split.
bool DequantizeAboveMovement(Rewriter &r, NodeId id) {
  const FloatNode node = r.node(id);
  if (!r.Is(id, "DequantizeLinear") || r.IsConstant(node.inputs[0])) return false;
  const NodeId above = r.ProducerId(node.inputs[0]);
  if (above == kNone || ElementCount(r.DimsOf(node.inputs[1])) != 1) return false;
  const FloatNode move = r.node(above);
  if (r.Is(above, "Split")) {
    const int64_t axis = AxisOf(AttrInt(move, "axis", 0), r.DimsOf(move.inputs[0]).size());
    int64_t start = 0;
    for (size_t o = 0; move.outputs[o] != node.inputs[0]; o++) start += r.DimsOf(move.outputs[o])[axis];
    const TensorId x = Dequantized(r, id, node, move.inputs[0]);
    r.Replace(node.outputs[0], r.Slice(id, x, axis, start, start + r.DimsOf(node.inputs[0])[axis]));
    return true;
  }
  if (!Chooses(move) || move.outputs.size() != 1) return false;
  std::vector<TensorId> inputs = move.inputs;
  const size_t values = move.op_type == "Concat" ? inputs.size() : 1;
  for (size_t i = 0; i < values; i++) inputs[i] = Dequantized(r, id, node, inputs[i]);
  r.Replace(node.outputs[0], r.Emit(id, move.op_type, inputs, move.attrs));
  return true;
}

// A result that the model gives as integers: the caller gets the same integers (u8 less 128), and the scale.
bool QuantizedOutput(Rewriter &r, NodeId id) {
  const FloatNode &node = r.node(id);
  if (!r.Is(id, "QuantizeLinear") || !r.IsOutput(node.outputs[0])) return false;
  const std::optional<Grid> grid = NodeGrid(r, node, r.tensor(node.outputs[0]).dtype);
  if (!grid) return false;
  r.SetOutputType(node.outputs[0], DType::kF32);
  r.Replace(node.outputs[0], Fake(r, id, node.inputs[0], *grid));
  return true;
}

bool RoundedToBytes(const Rewriter &r, TensorId x) {
  for (const FloatNode *node = r.Producer(x); node; node = r.Producer(node->inputs[0])) {
    if (IsFakeQuantize(*node)) return DTypeOf(GridOf(*node)) == DType::kS8;
    if (!Moves(*node)) return false;
  }
  return false;
}

// ONNX Runtime computes a softmax between bytes with an output scale of 1 / floor(1 / scale), and then reads the result
// with `scale` (QLinearSoftmax; QDQ groups become one): 254 steps for 1/255. The factor between the two stays visible.
// Of rows of one value its sums overflow; they are 1 here.
bool SoftmaxOfBytes(Rewriter &r, NodeId id) {
  const FloatNode &node = r.node(id);
  const FloatNode *softmax = IsFakeQuantize(node) ? r.Producer(node.inputs[0], "Softmax") : nullptr;
  if (!softmax || DTypeOf(GridOf(node)) != DType::kS8 || !r.OneReader(node.inputs[0])) return false;
  const Dims &dims = r.DimsOf(node.inputs[0]);
  if (dims.empty() || dims[AxisOf(AttrInt(*softmax, "axis", -1), dims.size())] == 1) return false;
  if (!RoundedToBytes(r, softmax->inputs[0])) return false;
  if (GridOf(node).scale == 0) return false;
  const float scale = GridOf(node).scale, factor = scale * std::floor(1.0f / scale);
  if (factor == 1 || factor == 0) return false;
  r.SetInput(id, 0, r.Emit(id, "Mul", {node.inputs[0], r.NewScalar(factor)}));
  return true;
}

// ---- FakeQuantize ----

// Every value of `x` lies on the grid already.
bool IsOnGrid(const Rewriter &r, TensorId x, const Grid &grid) {
  if (r.IsFloatConstant(x)) return OnGrid(r.tensor(x), grid);
  const FloatNode *node = r.Producer(x);
  if (!node) return false;
  if (IsFakeQuantize(*node)) return GridOf(*node) == grid;
  if (!Chooses(*node)) return false;
  const size_t values = node->op_type == "Concat" ? node->inputs.size() : 1;
  for (size_t i = 0; i < values; i++)
    if (!IsOnGrid(r, node->inputs[i], grid)) return false;
  return true;
}

bool DropSecondRounding(Rewriter &r, NodeId id) {
  const FloatNode &node = r.node(id);
  if (!IsFakeQuantize(node) || !IsOnGrid(r, node.inputs[0], GridOf(node))) return false;
  if (r.MustStay(node.outputs[0], node.inputs[0])) return false;
  r.Replace(node.outputs[0], node.inputs[0]);
  return true;
}

// True where everything that is read of `x`, moved or not, is first put on the grid.
bool AllRound(const Rewriter &r, TensorId x, const Grid &grid) {
  if (r.IsOutput(x)) return false;
  return std::all_of(r.Readers(x).begin(), r.Readers(x).end(), [&](NodeId id) {
    const FloatNode &reader = r.node(id);
    if (IsFakeQuantize(reader)) return GridOf(reader) == grid;
    return Moves(reader) && reader.inputs[0] == x && AllRound(r, reader.outputs[0], grid);
  });
}

// FakeQuantize(Move(x)) -> Move(FakeQuantize(x)) where all that is read of x is rounded so.
bool RoundAboveMovement(Rewriter &r, NodeId id) {
  const FloatNode &node = r.node(id);
  const FloatNode *move = IsFakeQuantize(node) ? r.Producer(node.inputs[0]) : nullptr;
  if (!move || !Moves(*move)) return false;
  const TensorId x = move->inputs[0];
  const Grid grid = GridOf(node);
  if (!AllRound(r, x, grid)) return false;
  const std::vector<NodeId> readers = r.Readers(x);
  const TensorId y = Fake(r, id, x, grid);
  for (NodeId reader : readers)
    if (r.alive(reader) && Moves(r.node(reader))) r.SetInput(reader, 0, y);
  return true;
}

// FakeQuantize(Concat(parts)) -> Concat(FakeQuantize(part), ...): each part is rounded where it is computed.
bool RoundAboveConcat(Rewriter &r, NodeId id) {
  const FloatNode &node = r.node(id);
  const FloatNode *concat = IsFakeQuantize(node) ? r.Producer(node.inputs[0], "Concat") : nullptr;
  if (!concat || !r.OneReader(node.inputs[0])) return false;
  std::vector<TensorId> parts = concat->inputs;
  for (TensorId &part : parts) part = Fake(r, id, part, GridOf(node));
  r.Replace(node.outputs[0], r.Emit(id, "Concat", parts, concat->attrs));
  return true;
}

// Whoever writes `x` can write it rounded: a node that computes values, or the caller.
bool CanRound(const Rewriter &r, TensorId x) {
  if (!r.OneReader(x)) return false;
  const NodeId producer = r.ProducerId(x);
  if (producer == kNone) return true;
  const FloatNode &node = r.node(producer);
  if (IsFakeQuantize(node) || Chooses(node)) return false;
  static constexpr const char *kSameScale[] = {"ReduceMax", "ReduceMin", "Pad", "Expand", "Split", "Tile", "Resize"};
  return std::none_of(std::begin(kSameScale), std::end(kSameScale),
                      [&](const char *type) { return r.Is(producer, type); });
}

}  // namespace

std::vector<FloatRewrite> QuantRewrites() {
  return {{"onnx domain", OnnxDomain},
          {"quantize dequantize", QuantizeDequantize},
          {"dynamic quantize", DynamicQuantize},
          {"dequantize above movement", DequantizeAboveMovement},
          {"quantized output", QuantizedOutput},
          {"softmax of bytes", SoftmaxOfBytes},
          {"drop second rounding", DropSecondRounding},
          {"round above movement", RoundAboveMovement},
          {"round above concat", RoundAboveConcat}};
}

void MarkInPlace(Rewriter &r) {
  for (NodeId id : r.TopologicalOrder()) {
    FloatNode &node = r.node(id);
    if (IsFakeQuantize(node) && CanRound(r, node.inputs[0])) node.attrs["in_place"] = int64_t{1};
  }
}

}  // namespace onnx2mcu
