// A linear layer whose output is read only in slices of its last axis becomes one linear layer per slice: q, k and v of
// attention, the halves of gated MLPs. Exact: columns of W do not see each other.
#include <algorithm>
#include <numeric>
#include <set>

#include "absl/strings/str_cat.h"
#include "importer/canonicalize.h"

namespace onnx2mcu {
namespace {

struct Columns {
  int64_t start = 0, end = 0;
  bool operator<(const Columns &o) const { return start != o.start ? start < o.start : end < o.end; }
};

// A Slice in normal form with step 1: its axis and window.
struct Cut {
  int64_t axis = kNone;
  Columns columns;
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
std::set<Columns> WindowsOf(Rewriter &r, TensorId y, int64_t axis) {
  std::set<Columns> windows;
  if (r.IsOutput(y)) return {};
  for (NodeId reader : r.Readers(y)) {
    const Cut cut = CutOf(r, reader);
    if (cut.axis != axis) return {};
    windows.insert(cut.columns);
  }
  int64_t end = 0;
  for (const Columns &w : windows) {
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
  const std::set<Columns> windows = WindowsOf(r, y, r.Rank(y) - 1);
  if (windows.empty() || SameRoles(r, y)) return false;
  const std::vector<NodeId> readers = r.Readers(y);
  for (NodeId reader : readers) {
    const Columns c = CutOf(r, reader).columns;
    TensorId part =
        r.Emit(linear.matmul, "MatMul", {linear.x, r.Slice(linear.matmul, linear.weight, 1, c.start, c.end)});
    if (linear.bias != kNone)
      part = r.Emit(linear.add, "Add", {part, r.Slice(linear.add, linear.bias, 0, c.start, c.end)});
    r.Replace(r.node(reader).outputs[0], part);
  }
  return true;
}

// Columns [A, B, C] (heads outside of q, k, v) read in slices of B: the weight's columns are put in the order [B, A,
// C], in which a slice is a window.
bool OrderColumns(Rewriter &r, NodeId id) {
  const FloatNode &node = r.node(id);
  if (!r.Is(id, "Reshape") || !r.OneReader(node.inputs[0]) || r.Readers(node.outputs[0]).empty()) return false;
  const Linear linear = LinearOf(r, node.inputs[0]);
  const Dims out = r.DimsOf(node.outputs[0]);
  if (linear.matmul == kNone) return false;
  size_t first = out.size();
  const int64_t n = r.LastDim(node.inputs[0]);
  for (int64_t count = 1; first > 0 && count < n;) count *= out[--first];
  const int64_t axis = CutOf(r, r.Readers(node.outputs[0])[0]).axis;
  if (axis <= static_cast<int64_t>(first) || WindowsOf(r, node.outputs[0], axis).empty()) return false;
  const Dims group(out.begin() + first, out.end());
  if (ElementCount(group) != n || ElementCount(Dims(group.begin(), group.begin() + (axis - first))) == 1) return false;
  Dims perm(group.size());
  std::iota(perm.begin(), perm.end(), 0);
  std::rotate(perm.begin(), perm.begin() + (axis - first), perm.begin() + (axis - first) + 1);
  const auto reorder = [&](TensorId constant, int64_t rows) {  // [rows, n]
    Dims dims = group, full = {0};
    dims.insert(dims.begin(), rows);
    for (int64_t p : perm) full.push_back(p + 1);
    return r.Transpose(id, r.Reshape(id, constant, dims), full);
  };
  const int64_t k = r.DimsOf(linear.weight)[0];
  TensorId y = r.Emit(linear.matmul, "MatMul", {linear.x, r.Reshape(id, reorder(linear.weight, k), {k, n})});
  if (linear.bias != kNone) y = r.Emit(linear.add, "Add", {y, r.Reshape(id, reorder(linear.bias, 1), {n})});
  Dims dims(out.begin(), out.begin() + first), back(out.size());
  const Dims moved = PermutedDims(group, perm), inverse = InversePermutation(perm);
  dims.insert(dims.end(), moved.begin(), moved.end());
  std::iota(back.begin(), back.end(), 0);
  for (size_t i = 0; i < inverse.size(); i++) back[first + i] = static_cast<int64_t>(first) + inverse[i];
  r.Replace(node.outputs[0], r.Transpose(id, r.Reshape(id, y, dims), back));
  return true;
}

}  // namespace

std::vector<Rewrite> CutRewrites() { return {{"cut linear", CutLinear}, {"order columns", OrderColumns}}; }

}  // namespace onnx2mcu
