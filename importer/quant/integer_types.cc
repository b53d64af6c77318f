#include "importer/quant/integer_types.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"

namespace onnx2mcu {
namespace {

IntegerRange RangeOf(DType type) {
  if (type == DType::kS8) return {-128, 127};
  if (type == DType::kU8) return {0, 255};
  return kUndeclaredInput;
}

void Cover(IntegerRange &range, const IntegerRange &more) {
  if (!more.known()) return;
  range = range.known() ? IntegerRange{std::min(range.low, more.low), std::max(range.high, more.high)} : more;
}

// The whole of the type that holds the samples, so that others of the kind fit too.
absl::StatusOr<IntegerRange> SampledRange(const Graph &graph, size_t input, const QuantOptions &options) {
  IntegerRange range;
  for (const auto &sample : options.samples)
    for (float v : sample[input].f) Cover(range, {std::llround(v), std::llround(v)});
  const DType type = TypeOf(range);
  if (type == DType::kS8 || type == DType::kU8 || type == DType::kS16) return RangeOf(type);
  return absl::InvalidArgumentError(absl::StrCat(graph.file, ": input '", graph.tensors[graph.inputs[input]].name,
                                                 "': its samples lie in ", range.low, " .. ", range.high,
                                                 "; integers of 16 bits would work"));
}

absl::StatusOr<std::vector<IntegerRange>> InputRanges(Graph &graph, const QuantOptions &options) {
  std::vector<IntegerRange> ranges;
  for (size_t i = 0; i < graph.inputs.size(); i++) {
    const auto [low, high] = graph.declared_inputs[i];
    ranges.push_back({low, high});
    if (ranges[i].known()) continue;
    if (!options.samples.empty()) {
      O2M_ASSIGN_OR_RETURN(ranges[i], SampledRange(graph, i, options));
      continue;
    }
    ranges[i] = kUndeclaredInput;
    graph.warnings.push_back(
        absl::StrCat("input '", graph.tensors[graph.inputs[i]].name,
                     "': the file does not say how many bits it has; held in 16, which is right for 8 as well. "
                     "--calibrate=FILE with samples that reach both ends of its range makes it s8 or u8"));
  }
  return ranges;
}

}  // namespace

absl::StatusOr<std::vector<DType>> IntegerTypes(Graph &graph, const QuantOptions &options,
                                                const std::vector<int32_t> &group_of,
                                                const std::vector<TensorId> &source) {
  O2M_ASSIGN_OR_RETURN(const std::vector<IntegerRange> inputs, InputRanges(graph, options));
  O2M_ASSIGN_OR_RETURN(const std::vector<IntegerRange> ranges, IntegerRanges(graph, inputs));
  std::vector<IntegerRange> groups(group_of.size());
  const auto cover = [&](TensorId id) {
    const TensorId from = source[id];
    if (static_cast<size_t>(from) < ranges.size()) Cover(groups[group_of[id]], ranges[from]);
  };
  for (TensorId id : graph.inputs) cover(id);
  for (const Node &node : graph.nodes)
    for (TensorId id : node.outputs) cover(id);
  std::vector<DType> types;
  for (const IntegerRange &group : groups) types.push_back(TypeOf(group));
  return types;
}

}  // namespace onnx2mcu
