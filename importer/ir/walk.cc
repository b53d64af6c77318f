#include "importer/ir/walk.h"

#include <algorithm>
#include <numeric>
#include <utility>

namespace onnx2mcu {
namespace {

// The index along each axis of the element that lies `offset` behind a tensor's first one. Outer axes have the larger
// strides; axes of one element take no part.
std::vector<int64_t> IndexOf(int64_t offset, const Tensor &tensor) {
  const std::vector<int64_t> strides = StridesOf(tensor);
  std::vector<size_t> axes(tensor.dims.size());
  std::iota(axes.begin(), axes.end(), 0);
  std::stable_sort(axes.begin(), axes.end(), [&](size_t a, size_t b) { return strides[a] > strides[b]; });
  std::vector<int64_t> index(tensor.dims.size());
  for (size_t axis : axes) {
    if (tensor.dims[axis] == 1) continue;
    index[axis] = offset / strides[axis];
    offset %= strides[axis];
  }
  return index;
}

int64_t Dot(const std::vector<int64_t> &index, const std::vector<int64_t> &strides) {
  return std::inner_product(index.begin(), index.end(), strides.begin(), int64_t{0});
}

}  // namespace

bool WalkOf(const Tensor &base, const Tensor &view, Walk *walk) {
  const std::vector<int64_t> strides = StridesOf(view);
  std::vector<int64_t> last = walk->start = IndexOf(view.view_offset, base);
  walk->along.clear();
  for (size_t i = 0; i < strides.size(); i++) {
    if (view.dims[i] > 1 && (strides[i] < 0 || strides[i] >= ElementCount(base.dims))) return false;
    walk->along.push_back(IndexOf(view.dims[i] > 1 ? strides[i] : 0, base));
    for (size_t j = 0; j < last.size(); j++) last[j] += (view.dims[i] - 1) * walk->along[i][j];
  }
  for (size_t j = 0; j < last.size(); j++)
    if (last[j] >= base.dims[j]) return false;
  return true;
}

std::vector<TensorId> SetBaseStrides(Graph &graph, TensorId base, const std::vector<int64_t> &strides) {
  const Tensor before = graph.tensors[base];
  std::vector<TensorId> untold;
  for (TensorId id = 0; id < static_cast<TensorId>(graph.tensors.size()); id++) {
    if (BaseOf(graph, id) != base) continue;
    Tensor &tensor = graph.tensors[id];
    Walk walk;
    if (!WalkOf(before, tensor, &walk)) {
      untold.push_back(id);
      continue;
    }
    std::vector<int64_t> own = StridesOf(tensor);
    for (size_t axis = 0; axis < own.size(); axis++)
      if (tensor.dims[axis] > 1) own[axis] = Dot(walk.along[axis], strides);
    tensor.view_offset = Dot(walk.start, strides), tensor.strides = std::move(own);
  }
  return untold;
}

}  // namespace onnx2mcu
