// The order of the elements of an input in memory, where the caller wants another than the model's.
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "importer/ir/walk.h"
#include "importer/passes.h"

namespace onnx2mcu {
namespace {

// [.., C, H, W] with the channels innermost; nothing where there are no three axes.
std::vector<int64_t> ChannelsLast(const std::vector<int64_t> &dims) {
  const size_t rank = dims.size();
  if (rank < 3) return {};
  std::vector<int64_t> strides = DenseStrides(dims);
  strides[rank - 3] = 1, strides[rank - 1] = dims[rank - 3], strides[rank - 2] = dims[rank - 3] * dims[rank - 1];
  return strides;
}

// The node that reads one of these tensors, or null.
const Node *ReaderOf(const Graph &graph, const std::vector<TensorId> &ids) {
  for (const Node &node : graph.nodes)
    for (TensorId id : node.inputs)
      if (std::find(ids.begin(), ids.end(), id) != ids.end()) return &node;
  return nullptr;
}

}  // namespace

absl::Status SetChannelsLast(Graph &graph, const std::string &option, const std::vector<TensorId> &inputs) {
  for (TensorId input : inputs) {
    const Tensor &tensor = graph.tensors[input];
    const std::string where =
        absl::StrCat(graph.file, ": ", option, ": input '", tensor.name, "' [", absl::StrJoin(tensor.dims, ","), "] ");
    const std::vector<int64_t> strides = ChannelsLast(tensor.dims);
    if (strides.empty()) return absl::InvalidArgumentError(where + "is no image [C,H,W]; leave the option out");
    if (const Node *reader = ReaderOf(graph, SetBaseStrides(graph, input, strides)))
      return absl::InvalidArgumentError(
          absl::StrCat(where, "is read by node '", reader->name,
                       "' in an order that mixes channels and pixels; --layout=chw works"));
  }
  return absl::OkStatus();
}

}  // namespace onnx2mcu
