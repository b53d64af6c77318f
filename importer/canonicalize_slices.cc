// Split and Gather by constant indices as Slices of one axis each; Slices above Reshape and Transpose, next to what
// computes the values: there a linear layer can be cut.
#include <algorithm>
#include <numeric>

#include "importer/canonicalize.h"
#include "importer/layout.h"

namespace onnx2mcu {
namespace {

bool SplitToSlices(Rewriter &r, NodeId id) {
  const FloatNode &node = r.node(id);
  if (!r.Is(id, "Split")) return false;
  const int64_t axis = AxisOf(AttrInt(node, "axis", 0), r.DimsOf(node.inputs[0]).size());
  const std::vector<TensorId> outputs = node.outputs;
  const TensorId x = node.inputs[0];
  int64_t start = 0;
  for (TensorId out : outputs) {
    const int64_t end = start + r.DimsOf(out)[axis];
    if (!r.Unread(out)) r.Replace(out, r.Slice(id, x, axis, start, end));
    start = end;
  }
  return true;
}

// The window of a single-axis Slice in the normal form: constant operands, 0 <= start < end <= size, step > 0.
struct SliceWindow {
  int64_t axis = 0, start = 0, end = 0, step = 1;
};

bool IsNormalSlice(const Rewriter &r, const FloatNode &node) {
  if (node.op_type != "Slice" || !node.domain.empty() || node.inputs.size() != 5) return false;
  for (size_t i = 1; i < 5; i++)
    if (!r.IsConstant(node.inputs[i]) || r.Ints(node.inputs[i]).size() != 1) return false;
  const int64_t start = r.Ints(node.inputs[1])[0], end = r.Ints(node.inputs[2])[0], axis = r.Ints(node.inputs[3])[0];
  return start >= 0 && axis >= 0 && end <= r.DimsOf(node.inputs[0])[axis] && r.Ints(node.inputs[4])[0] > 0;
}

SliceWindow SliceWindowOf(const Rewriter &r, const FloatNode &slice) {
  return {r.Ints(slice.inputs[3])[0], r.Ints(slice.inputs[1])[0], r.Ints(slice.inputs[2])[0],
          r.Ints(slice.inputs[4])[0]};
}

TensorId EmitSlice(Rewriter &r, NodeId origin, TensorId x, const SliceWindow &w) {
  if (w.step == 1) return r.Slice(origin, x, w.axis, w.start, w.end);
  return r.Emit(origin, "Slice",
                {x, r.NewInts({w.start}), r.NewInts({w.end}), r.NewInts({w.axis}), r.NewInts({w.step})});
}

// Every Slice as a chain of Slices of one axis each, numbers >= 0.
bool NormalSlice(Rewriter &r, NodeId id) {
  const FloatNode &node = r.node(id);
  if (!r.Is(id, "Slice") || IsNormalSlice(r, node)) return false;
  const bool as_inputs = node.inputs.size() > 1;
  for (size_t i = 1; i < node.inputs.size(); i++)
    if (node.inputs[i] != kNone && !r.IsConstant(node.inputs[i])) return false;
  const auto operand = [&](size_t i) { return node.inputs.size() > i ? r.Ints(node.inputs[i]) : Dims{}; };
  const Dims starts = as_inputs ? operand(1) : AttrInts(node, "starts"), steps = operand(4);
  Dims axes = as_inputs ? operand(3) : AttrInts(node, "axes");
  if (axes.empty()) axes.resize(starts.size()), std::iota(axes.begin(), axes.end(), 0);
  if (std::any_of(steps.begin(), steps.end(), [](int64_t step) { return step < 1; })) return false;
  TensorId x = node.inputs[0];
  for (size_t i = 0; i < axes.size(); i++) {
    const int64_t axis = AxisOf(axes[i], r.DimsOf(x).size()), size = r.DimsOf(x)[axis];
    const int64_t step = i < steps.size() ? steps[i] : 1, count = r.DimsOf(node.outputs[0])[axis];
    if (count == 0) return false;
    const int64_t start = std::clamp<int64_t>(starts[i] < 0 ? starts[i] + size : starts[i], 0, size);
    x = EmitSlice(r, id, x, {axis, start, start + (count - 1) * step + 1, step});
  }
  if (r.MustStay(node.outputs[0], x)) return false;
  r.Replace(node.outputs[0], x);
  return true;
}

// Gather with constant indices start + i * a (+ j * b): a Slice, and for a permutation of blocks a Transpose.
bool GatherToSlice(Rewriter &r, NodeId id) {
  const FloatNode &node = r.node(id);
  if (!r.Is(id, "Gather") || !r.IsConstant(node.inputs[1]) || r.IsConstant(node.inputs[0])) return false;
  const Dims dims = r.DimsOf(node.inputs[0]), out = r.DimsOf(node.outputs[0]), sizes = r.DimsOf(node.inputs[1]);
  const int64_t axis = AxisOf(AttrInt(node, "axis", 0), dims.size());
  const auto index = AffineIndexOf(r.tensor(node.inputs[1]), dims[axis]);
  if (!index) return false;
  Dims counts, steps;  // of the index axes that move
  for (size_t i = 0; i < sizes.size(); i++)
    if (sizes[i] != 1) counts.push_back(sizes[i]), steps.push_back(index->steps[i]);
  if (counts.size() > 2 || std::count(steps.begin(), steps.end(), 0) > 0) return false;
  if (counts.size() == 2 && !(steps[0] == 1 && steps[1] == counts[0])) {
    if (steps[1] != 1 || steps[0] != counts[1]) return false;
  }
  const int64_t count = ElementCount(sizes), step = counts.size() == 1 ? steps[0] : 1;
  TensorId x = EmitSlice(r, id, node.inputs[0], {axis, index->start, index->start + (count - 1) * step + 1, step});
  if (counts.size() == 2 && steps[0] == 1) {  // column by column: [b][a] turned into [a][b]
    Dims split = r.DimsOf(x), perm(dims.size() + 1);
    split[axis] = counts[1];
    split.insert(split.begin() + axis + 1, counts[0]);
    std::iota(perm.begin(), perm.end(), 0);
    std::swap(perm[axis], perm[axis + 1]);
    x = r.Transpose(id, r.Reshape(id, x, split), perm);
  }
  const TensorId y = r.Reshape(id, x, out);
  if (r.MustStay(node.outputs[0], y)) return false;
  r.Replace(node.outputs[0], y);
  return true;
}

// Slices of one axis merge; of two axes, the lower axis is cut first.
bool MergeSlices(Rewriter &r, NodeId id) {
  const FloatNode &node = r.node(id);
  const FloatNode *first = r.Is(id, "Slice") ? r.Producer(node.inputs[0], "Slice") : nullptr;
  if (!first || !IsNormalSlice(r, node) || !IsNormalSlice(r, *first)) return false;
  const SliceWindow a = SliceWindowOf(r, *first), b = SliceWindowOf(r, node);
  const TensorId x = first->inputs[0];
  if (a.axis < b.axis) return false;
  if (a.axis > b.axis) {
    r.Replace(node.outputs[0], EmitSlice(r, id, EmitSlice(r, id, x, b), a));
    return true;
  }
  const int64_t start = a.start + b.start * a.step, step = a.step * b.step;
  const int64_t count = r.DimsOf(node.outputs[0])[b.axis];
  r.Replace(node.outputs[0], EmitSlice(r, id, x, {a.axis, start, start + (count - 1) * step + 1, step}));
  return true;
}

// Where a window of axis `w.axis` of `to` lies in `from`, both of the same elements in the same order: only the
// outermost axis of a group of axes that merge into each other can be cut.
std::optional<SliceWindow> WindowBeforeReshape(const Dims &from, const Dims &to, const SliceWindow &w) {
  size_t i = 0, j = 0;
  while (i < from.size() && j < to.size()) {
    if (from[i] == 1) {
      i++;
      continue;
    }
    if (to[j] == 1) {
      j++;
      continue;
    }
    size_t i_end = i + 1, j_end = j + 1;
    for (int64_t a = from[i], b = to[j]; a != b;) (a < b) ? a *= from[i_end++] : b *= to[j_end++];
    if (w.axis >= static_cast<int64_t>(j) && w.axis < static_cast<int64_t>(j_end)) {
      if (w.axis != static_cast<int64_t>(j)) return std::nullopt;
      const int64_t inner = ElementCount(Dims(to.begin() + w.axis + 1, to.begin() + j_end));
      const int64_t unit = ElementCount(Dims(from.begin() + i + 1, from.begin() + i_end));
      if (w.start * inner % unit != 0 || w.end * inner % unit != 0) return std::nullopt;
      return SliceWindow{static_cast<int64_t>(i), w.start * inner / unit, w.end * inner / unit, 1};
    }
    i = i_end, j = j_end;
  }
  return std::nullopt;
}

// Slice(Reshape(x)) -> Reshape(Slice(x)), Slice(Transpose(x)) -> Transpose(Slice(x))
bool HoistSlice(Rewriter &r, NodeId id) {
  const FloatNode &node = r.node(id);
  if (!r.Is(id, "Slice") || !IsNormalSlice(r, node)) return false;
  const FloatNode *move = r.Producer(node.inputs[0]);
  SliceWindow w = SliceWindowOf(r, node);
  TensorId y = kNone;
  if (move && r.Is(r.ProducerId(node.inputs[0]), "Transpose") && move->attrs.count("perm")) {
    const Dims perm = AttrInts(*move, "perm");
    w.axis = perm[w.axis];
    y = r.Transpose(id, EmitSlice(r, id, move->inputs[0], w), perm);
  } else if (move && r.Is(r.ProducerId(node.inputs[0]), "Reshape") && w.step == 1) {
    const auto before = WindowBeforeReshape(r.DimsOf(move->inputs[0]), r.DimsOf(node.inputs[0]), w);
    if (!before) return false;
    y = r.Reshape(id, EmitSlice(r, id, move->inputs[0], *before), r.DimsOf(node.outputs[0]));
  }
  if (y == kNone) return false;
  r.Replace(node.outputs[0], y);
  return true;
}

}  // namespace

std::vector<FloatRewrite> SliceRewrites() {
  return {{"split to slices", SplitToSlices},
          {"normal slice", NormalSlice},
          {"gather to slice", GatherToSlice},
          {"merge slices", MergeSlices},
          {"hoist slice", HoistSlice}};
}

}  // namespace onnx2mcu
