// importer/eval_index.cc - gathering and scattering by index tensors.
#include <algorithm>

#include "importer/eval_op.h"

namespace onnx2mcu {
namespace {

// Negative indices count from the end.
absl::StatusOr<int64_t> NormalIndex(int64_t index, int64_t size) {
  if (index < -size || index >= size) {
    return Invalid("index ", index, " is outside a dimension of ", size, "; ", -size, " to ", size - 1, " would work");
  }
  return index < 0 ? index + size : index;
}

// out[k] = in[sources[k]].
Value TakeFlat(const Value &in, Dims dims, const std::vector<int64_t> &sources) {
  Value out = Like(in, std::move(dims));
  OnData(in, out, [&](const auto &x, auto &y) {
    for (size_t k = 0; k < sources.size(); k++) y[k] = x[sources[k]];
  });
  return out;
}

Values Gather(const OpCall &call) {
  const Value &x = call.in(0), &indices = call.in(1);
  O2M_ASSIGN_OR_RETURN(const int64_t axis, NormalAxis(AttrInt(call.node, "axis", 0), RankOf(x)));
  const AxisSplit split = SplitAt(x.dims, axis);
  Dims dims(x.dims.begin(), x.dims.begin() + axis);
  dims.insert(dims.end(), indices.dims.begin(), indices.dims.end());
  dims.insert(dims.end(), x.dims.begin() + axis + 1, x.dims.end());
  O2M_RETURN_IF_ERROR(CheckSize(dims));
  std::vector<int64_t> sources;
  sources.reserve(ElementCount(dims));
  for (int64_t o = 0; o < split.outer; o++) {
    for (int64_t listed : indices.i) {
      O2M_ASSIGN_OR_RETURN(const int64_t index, NormalIndex(listed, split.size));
      for (int64_t k = 0; k < split.inner; k++) sources.push_back((o * split.size + index) * split.inner + k);
    }
  }
  return One(TakeFlat(x, dims, sources));
}

// For every element of `indices`, the flat position in a tensor of dims `x` that its own coordinates name when the one
// along `axis` is replaced by the index.
absl::StatusOr<std::vector<int64_t>> ElementSources(const Dims &x, const Value &indices, int64_t axis) {
  const Dims strides = DenseStrides(x), own = DenseStrides(indices.dims);
  for (size_t d = 0; d < x.size(); d++) {
    if (static_cast<int64_t>(d) != axis && indices.dims[d] > x[d]) {
      return Invalid("indices of shape ", ShapeText(indices.dims), " do not fit ", ShapeText(x));
    }
  }
  std::vector<int64_t> sources;
  for (int64_t k = 0; k < Count(indices); k++) {
    int64_t source = 0;
    for (size_t d = 0; d < x.size(); d++) {
      int64_t at = k / own[d] % indices.dims[d];
      if (static_cast<int64_t>(d) == axis) {
        O2M_ASSIGN_OR_RETURN(at, NormalIndex(indices.i[k], x[d]));
      }
      source += at * strides[d];
    }
    sources.push_back(source);
  }
  return sources;
}

absl::Status CheckSameRank(const Value &x, const Value &indices) {
  if (x.dims.size() == indices.dims.size()) return absl::OkStatus();
  return Invalid("indices of shape ", ShapeText(indices.dims), " and data of shape ", ShapeText(x.dims),
                 " differ in rank; equal ones would work");
}

Values GatherElements(const OpCall &call) {
  const Value &x = call.in(0), &indices = call.in(1);
  O2M_RETURN_IF_ERROR(CheckSameRank(x, indices));
  O2M_ASSIGN_OR_RETURN(const int64_t axis, NormalAxis(AttrInt(call.node, "axis", 0), RankOf(x)));
  O2M_ASSIGN_OR_RETURN(const std::vector<int64_t> sources, ElementSources(x.dims, indices, axis));
  return One(TakeFlat(x, indices.dims, sources));
}

// Tuples of `indices` (its last dim) name slices of `x`, after `batch` shared leading dims.
struct Tuples {
  std::vector<int64_t> starts;  // flat position of each slice
  int64_t slice = 1;            // elements in one
  Dims outer, inner;            // dims of the tuples and of a slice
};

absl::StatusOr<Tuples> TuplesOf(const Dims &x, const Value &indices, int64_t batch) {
  const int64_t rank = static_cast<int64_t>(x.size());
  const int64_t length = indices.dims.empty() ? 0 : indices.dims.back();
  if (batch < 0 || batch >= static_cast<int64_t>(indices.dims.size()) || batch + length > rank ||
      !std::equal(x.begin(), x.begin() + batch, indices.dims.begin())) {
    return Invalid("indices of shape ", ShapeText(indices.dims), " do not index a tensor of shape ", ShapeText(x),
                   "; the last dimension may be at most its rank");
  }
  Tuples tuples;
  tuples.outer.assign(indices.dims.begin(), indices.dims.end() - 1);
  tuples.inner.assign(x.begin() + batch + length, x.end());
  tuples.slice = ElementCount(tuples.inner);
  O2M_RETURN_IF_ERROR(CheckSize({ElementCount(tuples.outer), tuples.slice}));
  const Dims strides = DenseStrides(x);
  const int64_t count = ElementCount(tuples.outer);
  const int64_t batches = ElementCount(Dims(x.begin(), x.begin() + batch));
  const int64_t batch_size = ElementCount(Dims(x.begin() + batch, x.end()));
  for (int64_t n = 0; n < count; n++) {
    int64_t start = n / (count / batches) * batch_size;
    for (int64_t d = 0; d < length; d++) {
      O2M_ASSIGN_OR_RETURN(const int64_t index, NormalIndex(indices.i[n * length + d], x[batch + d]));
      start += index * strides[batch + d];
    }
    tuples.starts.push_back(start);
  }
  return tuples;
}

Values GatherNd(const OpCall &call) {
  const Value &x = call.in(0);
  O2M_ASSIGN_OR_RETURN(const Tuples tuples, TuplesOf(x.dims, call.in(1), AttrInt(call.node, "batch_dims", 0)));
  Dims dims = tuples.outer;
  dims.insert(dims.end(), tuples.inner.begin(), tuples.inner.end());
  O2M_RETURN_IF_ERROR(CheckSize(dims));
  std::vector<int64_t> sources;
  for (int64_t start : tuples.starts) {
    for (int64_t k = 0; k < tuples.slice; k++) sources.push_back(start + k);
  }
  return One(TakeFlat(x, dims, sources));
}

float Reduced(const std::string &reduction, float old, float update, DType) {
  if (reduction == "add") return old + update;
  if (reduction == "mul") return old * update;
  if (reduction == "min") return std::min(old, update);
  if (reduction == "max") return std::max(old, update);
  return update;
}

int64_t Reduced(const std::string &reduction, int64_t old, int64_t update, DType dtype) {
  const uint64_t a = static_cast<uint64_t>(old), b = static_cast<uint64_t>(update);  // wraps, as the type does
  if (reduction == "add") return WrapTo(dtype, static_cast<int64_t>(a + b));
  if (reduction == "mul") return WrapTo(dtype, static_cast<int64_t>(a * b));
  if (reduction == "min") return std::min(old, update);
  if (reduction == "max") return std::max(old, update);
  return update;
}

// out = x with updates[k] put, or reduced, into targets[k], in order.
Values Scatter(const OpCall &call, const std::vector<int64_t> &targets) {
  const std::string reduction = AttrString(call.node, "reduction", "none");
  const std::string known[] = {"none", "add", "mul", "min", "max"};
  if (std::find(std::begin(known), std::end(known), reduction) == std::end(known)) {
    return Invalid("reduction '", reduction, "' is unknown; none, add, mul, min or max would work");
  }
  const Value &updates = call.in(2);
  if (updates.is_float() != call.in(0).is_float() || Count(updates) != static_cast<int64_t>(targets.size())) {
    return Invalid("updates of shape ", ShapeText(updates.dims), " do not fit; ", targets.size(),
                   " elements of the data's type would work");
  }
  Value out = call.in(0);
  const DType dtype = out.dtype;
  OnData(updates, out, [&](const auto &from, auto &to) {
    for (size_t k = 0; k < targets.size(); k++) to[targets[k]] = Reduced(reduction, to[targets[k]], from[k], dtype);
  });
  return One(std::move(out));
}

Values ScatterElements(const OpCall &call) {
  const Value &x = call.in(0), &indices = call.in(1);
  O2M_RETURN_IF_ERROR(CheckSameRank(x, indices));
  O2M_ASSIGN_OR_RETURN(const int64_t axis, NormalAxis(AttrInt(call.node, "axis", 0), RankOf(x)));
  O2M_ASSIGN_OR_RETURN(const std::vector<int64_t> targets, ElementSources(x.dims, indices, axis));
  return Scatter(call, targets);
}

Values ScatterNd(const OpCall &call) {
  O2M_ASSIGN_OR_RETURN(const Tuples tuples, TuplesOf(call.in(0).dims, call.in(1), 0));
  std::vector<int64_t> targets;
  for (int64_t start : tuples.starts) {
    for (int64_t k = 0; k < tuples.slice; k++) targets.push_back(start + k);
  }
  return Scatter(call, targets);
}

// values = [off, on]; a class outside the depth gives a row of off.
Values OneHot(const OpCall &call) {
  const Value indices = call.in(0), &values = call.in(2);
  if (Count(call.in(1)) != 1 || Count(values) != 2) return Invalid("depth must be a scalar and values two numbers");
  const double asked = ToFloat(call.in(1)).f[0];
  if (!(asked >= 1 && asked < 1 << 28)) return Invalid("depth ", asked, " is out of range; 1 or more would work");
  const int64_t depth = static_cast<int64_t>(asked), rank = RankOf(indices);
  O2M_ASSIGN_OR_RETURN(const int64_t axis, NormalAxis(AttrInt(call.node, "axis", -1), rank + 1));
  Dims dims = indices.dims;
  dims.insert(dims.begin() + axis, depth);
  O2M_RETURN_IF_ERROR(CheckSize(dims));
  const AxisSplit split = SplitAt(dims, axis);
  std::vector<int64_t> sources;
  for (int64_t k = 0; k < ElementCount(dims); k++) {
    const int64_t at = k / (depth * split.inner) * split.inner + k % split.inner;
    const double listed = indices.is_float() ? double{indices.f[at]} : static_cast<double>(indices.i[at]);
    const double wanted = listed < 0 ? listed + static_cast<double>(depth) : listed;
    sources.push_back(wanted == static_cast<double>(k / split.inner % depth) ? 1 : 0);
  }
  return One(TakeFlat(values, dims, sources));
}

}  // namespace

std::vector<OpEntry> IndexOps() {
  return {{"Gather", "*i", Gather},        {"GatherElements", "*i", GatherElements},
          {"GatherND", "*i", GatherNd},    {"ScatterElements", "*i*", ScatterElements},
          {"ScatterND", "*i*", ScatterNd}, {"OneHot", "***", OneHot}};
}

}  // namespace onnx2mcu
