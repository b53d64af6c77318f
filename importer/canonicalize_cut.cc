// A linear layer whose output is read only in slices of its last axis becomes one linear layer per slice: q, k and v of
// attention, the halves of gated MLPs. Exact: columns of W do not see each other.
#include <algorithm>
#include <numeric>
#include <set>

#include "absl/strings/str_cat.h"
#include "importer/canonicalize.h"

namespace onnx2mcu {
namespace {

struct ColumnRange {
  int64_t start = 0, end = 0;
  bool operator<(const ColumnRange &o) const { return start != o.start ? start < o.start : end < o.end; }
};

// A Slice in normal form with step 1: its axis and window.
struct Cut {
  int64_t axis = kNone;
  ColumnRange columns;
};

Cut CutOf(Rewriter &r, NodeId id) {
  if (!r.Is(id, "Slice") || r.node(id).inputs.size() != 5) return {};
  Dims numbers;
  for (size_t i = 1; i < 5; i++) {
    const Dims one = r.Ints(r.node(id).inputs[i]);
    if (one.size() != 1 || one[0] < 0) return {};
    numbers.push_back(one[0]);
  }
  return numbers[3] == 1 ? Cut{numbers[2], {numbers[0], numbers[1]}} : Cut{};
}

// What a slice is for: the first operator behind movement, and at which operand it arrives.
std::string RoleOf(Rewriter &r, NodeId slice) {
  std::string role;
  TensorId value = r.node(slice).outputs[0];
  while (r.OneReader(value)) {
    const FloatNode &reader = r.node(r.Readers(value)[0]);
    const auto at = std::find(reader.inputs.begin(), reader.inputs.end(), value) - reader.inputs.begin();
    if (!Moves(reader)) return absl::StrCat(reader.op_type, at);
    value = reader.outputs[0];
  }
  return absl::StrCat("many", value);
}

// The windows that `y` is read in; empty unless all its readers are Slices of `axis` that do not overlap.
std::set<ColumnRange> WindowsOf(Rewriter &r, TensorId y, int64_t axis) {
  std::set<ColumnRange> windows;
  if (r.IsOutput(y)) return {};
  for (NodeId reader : r.Readers(y)) {
    const Cut cut = CutOf(r, reader);
    if (cut.axis != axis) return {};
    windows.insert(cut.columns);
  }
  int64_t end = 0;
  for (const ColumnRange &w : windows) {
    if (w.start < end) return {};
    end = w.end;
  }
  return windows;
}

// Slices that all do the same (the heads of one q) are views of one result; cutting them apart gains nothing.
bool SameRoles(Rewriter &r, TensorId y) {
  std::set<std::string> roles;
  for (NodeId reader : r.Readers(y)) roles.insert(RoleOf(r, reader));
  return roles.size() == 1 && r.Readers(y).size() > 1;
}

bool CutLinear(Rewriter &r, NodeId id) {
  if (!r.Is(id, "MatMul") && !r.Is(id, "Add")) return false;
  const TensorId y = r.node(id).outputs[0];
  const Linear linear = LinearOf(r, y);
  if (linear.matmul == kNone) return false;
  const std::set<ColumnRange> windows = WindowsOf(r, y, r.Rank(y) - 1);
  if (windows.empty() || SameRoles(r, y)) return false;
  const std::vector<NodeId> readers = r.Readers(y);
  for (NodeId reader : readers) {
    const ColumnRange c = CutOf(r, reader).columns;
    TensorId part =
        r.Emit(linear.matmul, "MatMul", {linear.x, r.Slice(linear.matmul, linear.weight, 1, c.start, c.end)});
    if (linear.bias != kNone)
      part = r.Emit(linear.add, "Add", {part, r.Slice(linear.add, linear.bias, 0, c.start, c.end)});
    r.node(r.ProducerId(part)).name += absl::StrCat("[", c.start, ":", c.end, "]");
    r.Replace(r.node(reader).outputs[0], part);
  }
  return true;
}

// The largest width that all windows of an axis are multiples of.
int64_t WidthOf(const std::set<ColumnRange> &windows, int64_t size) {
  int64_t width = size;
  for (const ColumnRange &w : windows) width = std::gcd(width, std::gcd(w.start, w.end));
  return width;
}

// How the columns of a weight are put in another order: seen as `dims`, permuted by `perm`.
struct ColumnOrder {
  Dims dims, perm;
};

// rows [R, N] of a constant with its columns reordered.
TensorId Reordered(Rewriter &r, NodeId id, TensorId constant, int64_t rows, const ColumnOrder &order) {
  Dims dims = order.dims, perm = {0};
  dims.insert(dims.begin(), rows);
  for (int64_t p : order.perm) perm.push_back(p + 1);
  return r.Transpose(id, r.Reshape(id, constant, dims), perm);
}

// The linear layer with its columns reordered, seen as [lead..., columns...] in the order that they had.
TensorId EmitReordered(Rewriter &r, NodeId id, const Linear &linear, const Dims &lead, const ColumnOrder &order) {
  const int64_t k = r.DimsOf(linear.weight)[0], n = r.LastDim(linear.weight);
  const TensorId weight = r.Reshape(id, Reordered(r, id, linear.weight, k, order), {k, n});
  TensorId y = r.Emit(linear.matmul, "MatMul", {linear.x, weight});
  if (linear.bias != kNone)
    y = r.Emit(linear.add, "Add", {y, r.Reshape(id, Reordered(r, id, linear.bias, 1, order), {n})});
  Dims dims = lead, back(lead.size());
  std::iota(back.begin(), back.end(), 0);
  for (int64_t p : order.perm) dims.push_back(order.dims[p]);
  for (int64_t p : InversePermutation(order.perm)) back.push_back(static_cast<int64_t>(lead.size()) + p);
  return r.Transpose(id, r.Reshape(id, y, dims), back);
}

// Columns [A, B, C] (heads outside of q, k, v) read in slices of B: the weight's columns are put in the order [B, A,
// C], in which a slice is a window. B may be part of an axis: windows of width w cut it into B/w by w.
bool OrderColumns(Rewriter &r, NodeId id) {
  const FloatNode &node = r.node(id);
  if (!r.Is(id, "Reshape") || !r.OneReader(node.inputs[0]) || r.Readers(node.outputs[0]).empty()) return false;
  const Linear linear = LinearOf(r, node.inputs[0]);
  const Dims out = r.DimsOf(node.outputs[0]);
  if (linear.matmul == kNone) return false;
  size_t first = out.size();  // of the axes that the columns are split into
  for (int64_t count = 1; first > 0 && count < r.LastDim(linear.y);) count *= out[--first];
  const Dims lead(out.begin(), out.begin() + first);
  ColumnOrder order{Dims(out.begin() + first, out.end()), {}};
  const int64_t axis = CutOf(r, r.Readers(node.outputs[0])[0]).axis - static_cast<int64_t>(first);
  if (axis <= 0 || ElementCount(order.dims) != r.LastDim(linear.y)) return false;
  if (ElementCount(Dims(order.dims.begin(), order.dims.begin() + axis)) == 1) return false;
  const std::set<ColumnRange> windows = WindowsOf(r, node.outputs[0], axis + static_cast<int64_t>(first));
  if (windows.empty()) return false;
  const int64_t width = WidthOf(windows, order.dims[axis]);
  order.dims[axis] /= width;
  order.dims.insert(order.dims.begin() + axis + 1, width);
  order.perm.resize(order.dims.size());
  std::iota(order.perm.begin(), order.perm.end(), 0);
  std::rotate(order.perm.begin(), order.perm.begin() + axis, order.perm.begin() + axis + 1);
  r.Replace(node.outputs[0], r.Reshape(id, EmitReordered(r, id, linear, lead, order), out));
  return true;
}

}  // namespace

std::vector<FloatRewrite> CutRewrites() { return {{"cut linear", CutLinear}, {"order columns", OrderColumns}}; }

}  // namespace onnx2mcu
