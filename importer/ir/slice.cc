#include "importer/ir/slice.h"

#include <algorithm>
#include <cstring>
#include <numeric>
#include <utility>

namespace onnx2mcu {
namespace {

// Rows of one axis of dense data: `outer` pieces, each a run of bytes.
std::vector<std::byte> SliceData(const Tensor &tensor, int32_t axis, int64_t first, int64_t count) {
  if (tensor.data.empty()) return {};
  const auto at = tensor.dims.begin() + axis;
  const int64_t outer = std::accumulate(tensor.dims.begin(), at, int64_t{1}, std::multiplies<>());
  const int64_t inner =
      std::accumulate(at + 1, tensor.dims.end(), DTypeBytes(tensor.dtype), std::multiplies<>());  // bytes of one row
  std::vector<std::byte> data(outer * count * inner);
  for (int64_t i = 0; i < outer; i++)
    std::memcpy(data.data() + i * count * inner, tensor.data.data() + (i * *at + first) * inner, count * inner);
  return data;
}

QuantParams SliceQuant(const QuantParams &quant, int32_t axis, int64_t first, int64_t count) {
  if (quant.axis != axis || quant.scale.size() < 2) return quant;
  QuantParams part{{}, {}, axis};
  part.scale.assign(quant.scale.begin() + first, quant.scale.begin() + first + count);
  part.zero_point.assign(quant.zero_point.begin() + first, quant.zero_point.begin() + first + count);
  return part;
}

}  // namespace

TensorId SliceTensor(Graph &graph, TensorId id, int32_t axis, int64_t first, int64_t count) {
  const Tensor &whole = graph.tensors[id];
  Tensor part;
  part.name = whole.name, part.dtype = whole.dtype, part.dims = whole.dims;
  part.dims[axis] = count;
  part.quant = SliceQuant(whole.quant, axis, first, count);
  part.is_constant = whole.is_constant;
  if (whole.is_constant) {
    part.data = SliceData(whole, axis, first, count);
  } else {
    part.base = BaseOf(graph, id);
    part.strides = StridesOf(whole);
    part.view_offset = whole.view_offset + first * part.strides[axis];
  }
  return AddTensor(graph, std::move(part));
}

bool CoversBase(const Graph &graph, TensorId id) {
  const Tensor &tensor = graph.tensors[id];
  if (tensor.base == kNone) return true;
  if (tensor.view_offset != 0 || ElementCount(tensor.dims) != ElementCount(graph.tensors[tensor.base].dims))
    return false;
  std::vector<std::pair<int64_t, int64_t>> axes;  // (stride, dim)
  for (size_t i = 0; i < tensor.dims.size(); i++)
    if (tensor.dims[i] > 1) axes.emplace_back(tensor.strides[i], tensor.dims[i]);
  std::sort(axes.begin(), axes.end());
  int64_t next = 1;
  for (const auto &[stride, dim] : axes) {
    if (stride != next) return false;
    next *= dim;
  }
  return true;
}

std::vector<int64_t> CompactStrides(const Tensor &tensor, int32_t axis, int64_t count) {
  std::vector<int64_t> strides = StridesOf(tensor);
  const int64_t rows = tensor.dims[axis], outside = strides[axis] * rows;
  for (size_t i = 0; i < strides.size(); i++)
    if (static_cast<int32_t>(i) != axis && strides[i] >= outside) strides[i] = strides[i] / rows * count;
  return strides;
}

namespace {

std::vector<size_t> AxesByStride(const Tensor &tensor, const std::vector<int64_t> &strides) {
  std::vector<size_t> axes;
  for (size_t i = 0; i < tensor.dims.size(); i++)
    if (tensor.dims[i] > 1) axes.push_back(i);
  std::stable_sort(axes.begin(), axes.end(), [&](size_t a, size_t b) { return strides[a] > strides[b]; });
  return axes;
}

// Scales per channel follow their axis to its new place.
QuantParams Permuted(QuantParams quant, const std::vector<size_t> &axes) {
  if (quant.scale.size() < 2) return quant;
  const auto at = std::find(axes.begin(), axes.end(), static_cast<size_t>(quant.axis));
  quant.axis = static_cast<int32_t>(at - axes.begin());
  return quant;
}

}  // namespace

TensorId AddCompact(Graph &graph, TensorId id, int32_t axis, int64_t count, const std::string &name) {
  Tensor view = graph.tensors[id];
  view.name = name;
  view.strides = CompactStrides(graph.tensors[id], axis, count);
  view.dims[axis] = count;
  view.quant = SliceQuant(view.quant, axis, 0, count);
  view.base = kNone, view.view_offset = 0;
  if (view.strides == DenseStrides(view.dims)) {
    view.strides.clear();
    return AddTensor(graph, std::move(view));
  }
  Tensor base;  // the same axes in the order of memory
  const std::vector<size_t> axes = AxesByStride(view, view.strides);
  base.name = name, base.dtype = view.dtype, base.quant = Permuted(view.quant, axes);
  for (size_t i : axes) base.dims.push_back(view.dims[i]);
  view.base = AddTensor(graph, std::move(base));
  return AddTensor(graph, std::move(view));
}

TensorId InMemoryOrder(Graph &graph, TensorId id) {
  Tensor view = graph.tensors[id];
  const std::vector<int64_t> strides = StridesOf(view);
  const std::vector<size_t> axes = AxesByStride(view, strides);
  view.base = BaseOf(graph, id);
  view.quant = Permuted(view.quant, axes);
  std::vector<int64_t> dims;
  view.strides.clear();
  for (size_t i : axes) dims.push_back(view.dims[i]), view.strides.push_back(strides[i]);
  view.dims = std::move(dims);
  return AddTensor(graph, std::move(view));
}

}  // namespace onnx2mcu
