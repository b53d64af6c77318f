#include "importer/layout.h"

#include <algorithm>
#include <limits>
#include <map>
#include <numeric>

#include "importer/fake_quantize.h"

namespace onnx2mcu {
namespace {

using Dims = std::vector<int64_t>;

int64_t FromFront(int64_t axis, size_t rank) { return axis < 0 ? axis + static_cast<int64_t>(rank) : axis; }

bool HasConstant(const Graph &graph, const FloatNode &node, size_t i) {
  return i < node.inputs.size() && node.inputs[i] != kNone && graph.tensors[node.inputs[i]].is_constant;
}

Dims Int64s(const Graph &graph, const FloatNode &node, size_t i) {
  if (!HasConstant(graph, node, i)) return {};
  const Tensor &t = graph.tensors[node.inputs[i]];
  if (t.dtype == DType::kS32) {
    const auto *data = reinterpret_cast<const int32_t *>(t.data.data());
    return Dims(data, data + ElementCount(t.dims));
  }
  return Dims(Int64Data(t), Int64Data(t) + ElementCount(t.dims));
}

// Slice as one (start, step) per axis; sizes come from the output's dims.
struct SliceSpec {
  Dims starts, steps;
};

SliceSpec SliceOf(const Graph &graph, const FloatNode &node) {
  const Dims &dims = DimsOf(graph, node.inputs[0]);
  SliceSpec spec{Dims(dims.size(), 0), Dims(dims.size(), 1)};
  const bool as_inputs = node.inputs.size() > 1;
  const Dims starts = as_inputs ? Int64s(graph, node, 1) : AttrInts(node, "starts");
  Dims axes = as_inputs ? Int64s(graph, node, 3) : AttrInts(node, "axes");
  const Dims steps = Int64s(graph, node, 4);
  if (axes.empty()) axes.resize(starts.size()), std::iota(axes.begin(), axes.end(), 0);
  for (size_t i = 0; i < starts.size(); i++) {
    const int64_t axis = FromFront(axes[i], dims.size()), step = i < steps.size() ? steps[i] : 1;
    const int64_t start = starts[i] < 0 ? starts[i] + dims[axis] : starts[i];
    spec.starts[axis] = std::clamp<int64_t>(start, 0, step < 0 ? dims[axis] - 1 : dims[axis]);
    spec.steps[axis] = step;
  }
  return spec;
}

int64_t SplitStart(const Graph &graph, const FloatNode &node, int out, int64_t axis) {
  int64_t start = 0;
  for (int i = 0; i < out; i++) start += DimsOf(graph, node.outputs[i])[axis];
  return start;
}

Dims Permutation(const Graph &graph, const FloatNode &node) {
  const size_t rank = DimsOf(graph, node.inputs[0]).size();
  Dims perm = AttrInts(node, "perm");
  for (size_t i = 0; perm.size() < rank; i++) perm.push_back(static_cast<int64_t>(rank - 1 - i));
  return perm;
}

using MoveFn = std::optional<StridedView> (*)(const Graph &, const FloatNode &, int out, const StridedView &);

std::optional<StridedView> SameOrder(const Graph &graph, const FloatNode &node, int, const StridedView &in) {
  auto strides = ReshapeStrides(DimsOf(graph, node.inputs[0]), in.strides, DimsOf(graph, node.outputs[0]));
  if (!strides) return std::nullopt;
  return StridedView{in.base, in.offset, *strides};
}

std::optional<StridedView> Permuted(const Graph &graph, const FloatNode &node, int, const StridedView &in) {
  StridedView out{in.base, in.offset, {}};
  for (int64_t axis : Permutation(graph, node)) out.strides.push_back(in.strides[axis]);
  return out;
}

std::optional<StridedView> Sliced(const Graph &graph, const FloatNode &node, int, const StridedView &in) {
  const SliceSpec spec = SliceOf(graph, node);
  StridedView out = in;
  for (size_t i = 0; i < in.strides.size(); i++) {
    out.offset += spec.starts[i] * in.strides[i];
    out.strides[i] *= spec.steps[i];
  }
  return out;
}

std::optional<StridedView> SplitPart(const Graph &graph, const FloatNode &node, int part, const StridedView &in) {
  const int64_t axis = FromFront(AttrInt(node, "axis", 0), in.strides.size());
  StridedView out = in;
  out.offset += SplitStart(graph, node, part, axis) * in.strides[axis];
  return out;
}

std::optional<StridedView> Gathered(const Graph &graph, const FloatNode &node, int, const StridedView &in) {
  const int64_t axis = FromFront(AttrInt(node, "axis", 0), in.strides.size());
  const auto index = AffineIndexOf(graph.tensors[node.inputs[1]], DimsOf(graph, node.inputs[0])[axis]);
  if (!index) return std::nullopt;
  StridedView out{in.base, in.offset + index->start * in.strides[axis], {}};
  for (int64_t i = 0; i < axis; i++) out.strides.push_back(in.strides[i]);
  for (int64_t step : index->steps) out.strides.push_back(step * in.strides[axis]);
  for (size_t i = axis + 1; i < in.strides.size(); i++) out.strides.push_back(in.strides[i]);
  return out;
}

std::optional<StridedView> Expanded(const Graph &graph, const FloatNode &node, int, const StridedView &in) {
  const Dims &from = DimsOf(graph, node.inputs[0]), &to = DimsOf(graph, node.outputs[0]);
  StridedView out{in.base, in.offset, Dims(to.size(), 0)};
  for (size_t i = 0; i < from.size(); i++)
    if (from[i] != 1) out.strides[to.size() - from.size() + i] = in.strides[i];
  return out;
}

const std::map<std::string, MoveFn> &Moves() {
  static const std::map<std::string, MoveFn> moves = {
      {"Reshape", SameOrder},  {"Flatten", SameOrder},  {"Squeeze", SameOrder},      {"Unsqueeze", SameOrder},
      {"Identity", SameOrder}, {"Transpose", Permuted}, {"Slice", Sliced},           {"Split", SplitPart},
      {"Gather", Gathered},    {"Expand", Expanded},    {"FakeQuantize", SameOrder},
  };
  return moves;
}

bool KeepsOrder(const std::string &type) {
  const auto it = Moves().find(type);
  return it != Moves().end() && it->second == SameOrder;
}

}  // namespace

std::optional<Dims> ReshapeStrides(const Dims &from, const Dims &strides, const Dims &to) {
  Dims dims, steps;  // the old shape without its ones, which any stride fits
  for (size_t i = 0; i < from.size(); i++)
    if (from[i] != 1) dims.push_back(from[i]), steps.push_back(strides[i]);
  Dims result(to.size(), 0);
  size_t o = 0, n = 0;
  while (o < dims.size()) {
    size_t o_end = o + 1, n_end = n;
    int64_t old_count = dims[o], new_count = 1;
    while (n_end < to.size() && new_count < old_count) new_count *= to[n_end++];
    while (old_count != new_count) {  // grow the smaller side until both name the same elements
      if (old_count < new_count)
        old_count *= dims[o_end++];
      else
        new_count *= to[n_end++];
    }
    for (size_t i = o; i + 1 < o_end; i++)
      if (steps[i] != steps[i + 1] * dims[i + 1]) return std::nullopt;
    int64_t stride = steps[o_end - 1];
    for (size_t i = n_end; i-- > n;) result[i] = stride, stride *= to[i];
    o = o_end, n = n_end;
  }
  for (size_t i = to.size(); i-- > 0;)  // ones get the stride a dense shape would give them
    if (to[i] == 1) result[i] = i + 1 < to.size() ? result[i + 1] * to[i + 1] : 1;
  return result;
}

std::optional<AffineIndex> AffineIndexOf(const Tensor &indices, int64_t axis_size) {
  const int64_t count = ElementCount(indices.dims);
  if (!indices.is_constant || indices.dtype != DType::kS64 || count == 0) return std::nullopt;
  const int64_t *data = Int64Data(indices);
  const auto at = [&](int64_t i) { return data[i] < 0 ? data[i] + axis_size : data[i]; };
  const Dims dense = DenseStrides(indices.dims);
  AffineIndex index{at(0), Dims(indices.dims.size(), 0)};
  for (size_t d = 0; d < indices.dims.size(); d++)
    if (indices.dims[d] > 1) index.steps[d] = at(dense[d]) - at(0);
  for (int64_t i = 0; i < count; i++) {
    int64_t expected = index.start;
    for (size_t d = 0; d < indices.dims.size(); d++) expected += i / dense[d] % indices.dims[d] * index.steps[d];
    if (expected != at(i)) return std::nullopt;
  }
  for (int64_t step : index.steps)
    if (step < 0) return std::nullopt;
  return index;
}

bool IsMovement(const Graph &graph, const FloatNode &node) {
  if (IsInPlace(node)) return true;
  if (!node.domain.empty() && node.domain != "ai.onnx") return false;
  if (node.op_type == "Concat") return true;
  if (!Moves().count(node.op_type)) return false;
  for (size_t i = 1; i < node.inputs.size(); i++)
    if (node.inputs[i] != kNone && !HasConstant(graph, node, i)) return false;
  if (node.op_type == "Slice") {
    const SliceSpec spec = SliceOf(graph, node);
    return std::all_of(spec.steps.begin(), spec.steps.end(), [](int64_t s) { return s > 0; });
  }
  if (node.op_type != "Gather") return true;
  const Dims &dims = DimsOf(graph, node.inputs[0]);
  return AffineIndexOf(graph.tensors[node.inputs[1]], dims[FromFront(AttrInt(node, "axis", 0), dims.size())])
      .has_value();
}

bool IsBijective(const Graph &graph, const FloatNode &node) {
  return IsMovement(graph, node) && (KeepsOrder(node.op_type) || node.op_type == "Transpose");
}

std::optional<StridedView> Forward(const Graph &graph, const FloatNode &node, int out, const StridedView &input) {
  const auto move = Moves().find(node.op_type);
  return move == Moves().end() ? std::nullopt : move->second(graph, node, out, input);
}

std::optional<StridedView> Backward(const Graph &graph, const FloatNode &node, int in, const StridedView &output) {
  if (node.op_type == "Transpose") {
    StridedView input{output.base, output.offset, Dims(output.strides.size(), 0)};
    const Dims perm = Permutation(graph, node);
    for (size_t i = 0; i < perm.size(); i++) input.strides[perm[i]] = output.strides[i];
    return input;
  }
  if (KeepsOrder(node.op_type)) {
    auto strides = ReshapeStrides(DimsOf(graph, node.outputs[0]), output.strides, DimsOf(graph, node.inputs[0]));
    if (!strides) return std::nullopt;
    return StridedView{output.base, output.offset, *strides};
  }
  if (node.op_type != "Concat") return std::nullopt;
  const int64_t axis = FromFront(AttrInt(node, "axis", 0), output.strides.size());
  StridedView input = output;
  for (int i = 0; i < in; i++) input.offset += DimsOf(graph, node.inputs[i])[axis] * output.strides[axis];
  return input;
}

}  // namespace onnx2mcu
