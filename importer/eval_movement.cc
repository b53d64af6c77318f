// importer/eval_movement.cc - operators that only move elements: strided copies, concatenation, padding.
#include <algorithm>
#include <numeric>

#include "importer/eval_op.h"

namespace onnx2mcu {
namespace {

Values Transpose(const OpCall &call) {
  const int64_t rank = RankOf(call.in(0));
  Dims reversed(rank), identity(rank);
  std::iota(identity.begin(), identity.end(), 0);
  std::reverse_copy(identity.begin(), identity.end(), reversed.begin());
  const Dims perm = AttrInts(call.node, "perm", reversed);
  if (!std::is_permutation(perm.begin(), perm.end(), identity.begin(), identity.end())) {
    return Invalid("perm ", ShapeText(perm), " does not permute ", rank, " dimensions");
  }
  return One(Permute(call.in(0), perm));
}

// The range of one axis: first element, count, step.
struct AxisRange {
  int64_t start, count, step;
};

// Bounds count from the end where negative and are clamped to the axis, as in numpy.
AxisRange ClampRange(int64_t start, int64_t end, int64_t step, int64_t size) {
  if (size == 0) return {0, 0, step};
  const auto clamped = [size](int64_t v, int64_t low, int64_t high) {
    return std::clamp(v < 0 ? v + size : v, low, high);
  };
  const int64_t from = step > 0 ? clamped(start, 0, size) : clamped(start, 0, size - 1);
  const int64_t to = step > 0 ? clamped(end, 0, size) : clamped(end, -1, size - 1);
  const int64_t distance = step > 0 ? to - from : from - to;
  const int64_t stride = step > 0 ? step : -std::max(step, -INT64_MAX);
  return {from, distance <= 0 ? 0 : (distance - 1) / stride + 1, step};
}

Values Slice(const OpCall &call) {
  const Value &x = call.in(0);
  const Dims &starts = call.in(1).i, &ends = call.in(2).i;
  Dims axes(starts.size());
  std::iota(axes.begin(), axes.end(), 0);
  if (call.has(3)) axes = call.in(3).i;
  const Dims steps = call.has(4) ? call.in(4).i : Dims(starts.size(), 1);
  if (ends.size() != starts.size() || axes.size() != starts.size() || steps.size() != starts.size()) {
    return Invalid("starts, ends, axes and steps differ in length; one entry of each per axis would work");
  }
  Dims dims = x.dims, strides = DenseStrides(x.dims), seen;
  int64_t offset = 0;
  for (size_t n = 0; n < axes.size(); n++) {
    O2M_ASSIGN_OR_RETURN(const int64_t axis, NormalAxis(axes[n], RankOf(x)));
    if (std::count(seen.begin(), seen.end(), axis) > 0) return Invalid("axes name ", axis, " twice; once would work");
    seen.push_back(axis);
    if (steps[n] == 0) return Invalid("a step is 0; any other number would work");
    const AxisRange range = ClampRange(starts[n], ends[n], steps[n], x.dims[axis]);
    dims[axis] = range.count;
    offset += range.start * strides[axis];
    strides[axis] = range.count < 2 ? 0 : strides[axis] * range.step;
  }
  if (ElementCount(dims) == 0) return One(Like(x, dims));
  return One(StridedTake(x, offset, dims, strides));
}

// Sizes of the pieces: operand or attribute `split`, else num_outputs equal ones (the last smaller), else one per
// output.
absl::StatusOr<Dims> PiecesOf(const OpCall &call, int64_t size) {
  Dims pieces = AttrInts(call.node, "split");
  if (call.has(1)) pieces = call.in(1).i;
  if (pieces.empty()) {
    const int64_t outputs = static_cast<int64_t>(call.node.outputs.size());
    const int64_t count = AttrInt(call.node, "num_outputs", outputs);
    if (count < 1 || count > size) return Invalid("cannot split ", size, " elements into ", count, " pieces");
    const int64_t each = (size + count - 1) / count;
    for (int64_t n = 0; n < count; n++) pieces.push_back(std::max<int64_t>(0, std::min(each, size - n * each)));
  }
  O2M_RETURN_IF_ERROR(CheckSize(pieces));
  if (std::accumulate(pieces.begin(), pieces.end(), int64_t{0}) != size) {
    return Invalid("split ", ShapeText(pieces), " does not add up to the ", size, " elements of the axis");
  }
  return pieces;
}

Values Split(const OpCall &call) {
  const Value &x = call.in(0);
  O2M_ASSIGN_OR_RETURN(const int64_t axis, NormalAxis(AttrInt(call.node, "axis", 0), RankOf(x)));
  O2M_ASSIGN_OR_RETURN(const Dims pieces, PiecesOf(call, x.dims[axis]));
  const Dims strides = DenseStrides(x.dims);
  std::vector<Value> out;
  int64_t start = 0;
  for (int64_t piece : pieces) {
    Dims dims = x.dims;
    dims[axis] = piece;
    out.push_back(StridedTake(x, start * strides[axis], dims, strides));
    start += piece;
  }
  return out;
}

absl::Status CheckConcat(const OpCall &call, int64_t axis) {
  const Value &first = call.in(0);
  for (size_t n = 1; n < call.inputs.size(); n++) {
    Dims dims = call.in(n).dims;
    if (dims.size() == first.dims.size()) dims[axis] = first.dims[axis];
    if (dims != first.dims || call.in(n).is_float() != first.is_float()) {
      return Invalid("operand ", n, " of shape ", ShapeText(call.in(n).dims), " does not join ", ShapeText(first.dims),
                     " along axis ", axis, "; all other dimensions and the type must be equal");
    }
  }
  return absl::OkStatus();
}

Values Concat(const OpCall &call) {
  O2M_ASSIGN_OR_RETURN(const int64_t axis, NormalAxis(AttrInt(call.node, "axis", 1), RankOf(call.in(0))));
  O2M_RETURN_IF_ERROR(CheckConcat(call, axis));
  Dims dims = call.in(0).dims;
  for (size_t n = 1; n < call.inputs.size(); n++) dims[axis] += call.in(n).dims[axis];
  O2M_RETURN_IF_ERROR(CheckSize(dims));
  Value out = Like(call.in(0), dims);
  const AxisSplit whole = SplitAt(dims, axis);
  int64_t start = 0;
  for (const Value *part : call.inputs) {
    const int64_t run = part->dims[axis] * whole.inner;
    for (int64_t o = 0; o < whole.outer; o++) {
      const int64_t to = o * whole.size * whole.inner + start;
      if (out.is_float()) {
        std::copy_n(part->f.begin() + o * run, run, out.f.begin() + to);
      } else {
        std::copy_n(part->i.begin() + o * run, run, out.i.begin() + to);
      }
    }
    start += run;
  }
  return One(std::move(out));
}

// Two-way: dims of 1 in the shape keep the input's.
Values Expand(const OpCall &call) {
  O2M_RETURN_IF_ERROR(CheckSize(call.in(1).i));
  O2M_ASSIGN_OR_RETURN(const Dims dims, BroadcastDims(call.in(0).dims, call.in(1).i));
  return One(StridedTake(call.in(0), 0, dims, BroadcastStrides(call.in(0).dims, dims)));
}

// Reads [repeat, dim] pairs with stride 0 on the repeats.
Values Tile(const OpCall &call) {
  const Value &x = call.in(0);
  const std::vector<int64_t> &repeats = call.in(1).i;
  if (repeats.size() != x.dims.size()) {
    return Invalid(repeats.size(), " repeats for ", x.dims.size(), " dimensions; as many would work");
  }
  O2M_RETURN_IF_ERROR(CheckSize(repeats));
  const Dims dense = DenseStrides(x.dims);
  Dims pairs, strides, dims;
  for (size_t d = 0; d < repeats.size(); d++) {
    pairs.insert(pairs.end(), {repeats[d], x.dims[d]});
    strides.insert(strides.end(), {0, dense[d]});
    dims.push_back(repeats[d] * x.dims[d]);
  }
  O2M_RETURN_IF_ERROR(CheckSize(dims));
  return One(Reshaped(StridedTake(x, 0, pairs, strides), dims));
}

// Where position p of a padded axis reads: -1 for the constant.
int64_t PadSource(const std::string &mode, int64_t p, int64_t size) {
  if (p >= 0 && p < size) return p;
  if (mode == "constant") return -1;
  if (mode == "edge") return p < 0 ? 0 : size - 1;
  if (mode == "wrap") return (p % size + size) % size;
  const int64_t period = 2 * (size - 1);  // reflect: the edge is not repeated
  if (period == 0) return 0;
  const int64_t r = (p % period + period) % period;
  return r < size ? r : period - r;
}

// One axis at a time.
Value PadAxis(const Value &x, int64_t axis, int64_t begin, int64_t end, const std::string &mode, const Value *fill) {
  const AxisSplit split = SplitAt(x.dims, axis);
  Dims dims = x.dims;
  dims[axis] += begin + end;
  Value out = Like(x, dims);
  const float fill_f = fill != nullptr && fill->is_float() ? fill->f[0] : 0;
  const int64_t fill_i = fill != nullptr && !fill->is_float() ? fill->i[0] : 0;
  for (int64_t row = 0; row < split.outer * dims[axis]; row++) {
    const int64_t source = PadSource(mode, row % dims[axis] - begin, split.size);
    const int64_t from = (row / dims[axis] * split.size + source) * split.inner, to = row * split.inner;
    for (int64_t k = 0; k < split.inner; k++) {
      if (x.is_float()) {
        out.f[to + k] = source < 0 ? fill_f : x.f[from + k];
      } else {
        out.i[to + k] = source < 0 ? fill_i : x.i[from + k];
      }
    }
  }
  return out;
}

// Pads per axis of the input, [begin..., end...], with the axes of opset 18.
absl::StatusOr<Dims> PadsOf(const OpCall &call) {
  const int64_t rank = RankOf(call.in(0));
  const Dims &listed = call.in(1).i;
  Dims axes(rank);
  std::iota(axes.begin(), axes.end(), 0);
  if (call.has(3)) axes = call.in(3).i;
  if (listed.size() != 2 * axes.size()) {
    return Invalid(listed.size(), " pads for ", axes.size(), " axes; two per axis would work");
  }
  Dims pads(2 * rank, 0);
  for (size_t n = 0; n < axes.size(); n++) {
    O2M_ASSIGN_OR_RETURN(const int64_t axis, NormalAxis(axes[n], rank));
    pads[axis] = listed[n];
    pads[axis + rank] = listed[n + axes.size()];
  }
  return pads;
}

Values Pad(const OpCall &call) {
  const std::string mode = AttrString(call.node, "mode", "constant");
  if (mode != "constant" && mode != "edge" && mode != "reflect" && mode != "wrap") {
    return Invalid("mode '", mode, "' is unknown; constant, edge, reflect or wrap would work");
  }
  O2M_ASSIGN_OR_RETURN(const Dims pads, PadsOf(call));
  Value out = call.in(0);
  const Value *fill = call.has(2) && Count(call.in(2)) == 1 ? &call.in(2) : nullptr;
  for (int64_t axis = 0; axis < RankOf(out); axis++) {
    const int64_t begin = pads[axis], end = pads[axis + RankOf(out)], size = out.dims[axis];
    constexpr int64_t kFar = int64_t{1} << 28;
    if (std::max(std::abs(begin), std::abs(end)) > kFar || size + begin + end < 0 || begin < -size || end < -size ||
        (mode != "constant" && size == 0 && (begin > 0 || end > 0))) {
      return Invalid("pads ", begin, " and ", end, " do not fit axis ", axis, " of ", size, " elements");
    }
    Dims dims = out.dims;
    dims[axis] += begin + end;
    O2M_RETURN_IF_ERROR(CheckSize(dims));
    if (begin != 0 || end != 0) out = PadAxis(out, axis, begin, end, mode, fill);
  }
  return One(std::move(out));
}

absl::Status CheckBlocks(const Value &x, int64_t block) {
  if (x.dims.size() == 4 && block >= 1 && block <= 1 << 14) return absl::OkStatus();
  return Invalid("input of shape ", ShapeText(x.dims), " and blocksize ", block,
                 "; [N,C,H,W] and 1 or more would work");
}

Values DepthToSpace(const OpCall &call) {
  const Value &x = call.in(0);
  const int64_t b = AttrInt(call.node, "blocksize", 0);
  O2M_RETURN_IF_ERROR(CheckBlocks(x, b));
  const int64_t c = x.dims[1] / (b * b), h = x.dims[2], w = x.dims[3];
  if (c * b * b != x.dims[1]) return Invalid("blocksize ", b, " squared does not divide ", x.dims[1], " channels");
  const bool crd = AttrString(call.node, "mode", "DCR") == "CRD";
  const Dims split = crd ? Dims{x.dims[0], c, b, b, h, w} : Dims{x.dims[0], b, b, c, h, w};
  const Dims perm = crd ? Dims{0, 1, 4, 2, 5, 3} : Dims{0, 3, 4, 1, 5, 2};
  return One(Reshaped(Permute(Reshaped(x, split), perm), {x.dims[0], c, h * b, w * b}));
}

Values SpaceToDepth(const OpCall &call) {
  const Value &x = call.in(0);
  const int64_t b = AttrInt(call.node, "blocksize", 0);
  O2M_RETURN_IF_ERROR(CheckBlocks(x, b));
  const int64_t c = x.dims[1], h = x.dims[2] / b, w = x.dims[3] / b;
  if (h * b != x.dims[2] || w * b != x.dims[3]) return Invalid("blocksize ", b, " does not divide ", ShapeText(x.dims));
  const bool crd = AttrString(call.node, "mode", "DCR") == "CRD";
  const Dims perm = crd ? Dims{0, 1, 3, 5, 2, 4} : Dims{0, 3, 5, 1, 2, 4};
  const Value moved = Permute(Reshaped(x, {x.dims[0], c, h, b, w, b}), perm);
  return One(Reshaped(moved, {x.dims[0], c * b * b, h, w}));
}

// Keeps the upper (or lower) triangle of the last two dims, from diagonal k on.
Values Trilu(const OpCall &call) {
  Value out = call.in(0);
  if (out.dims.size() < 2) return Invalid("input of shape ", ShapeText(out.dims), "; a matrix would work");
  if (call.has(1) && Count(call.in(1)) != 1) return Invalid("k is not a scalar; one number would work");
  const bool upper = AttrInt(call.node, "upper", 1) != 0;
  const int64_t rows = out.dims[out.dims.size() - 2], columns = out.dims.back();
  const int64_t diagonal = call.has(1) ? std::clamp(call.in(1).i[0], -rows, columns) : 0;
  for (int64_t n = 0; n < Count(out); n++) {
    const int64_t distance = n % columns - n / columns % rows - diagonal;
    if (upper ? distance >= 0 : distance <= 0) continue;
    if (out.is_float()) {
      out.f[n] = 0;
    } else {
      out.i[n] = 0;
    }
  }
  return One(std::move(out));
}

}  // namespace

std::vector<OpEntry> MovementOps() {
  return {{"Transpose", "*", Transpose},
          {"Slice", "*iii?i?", Slice},
          {"Split", "*i?", Split},
          {"Concat", "*+", Concat},
          {"Expand", "*i", Expand},
          {"Tile", "*i", Tile},
          {"Pad", "*i*?i?", Pad},
          {"DepthToSpace", "*", DepthToSpace},
          {"SpaceToDepth", "*", SpaceToDepth},
          {"Trilu", "*i?", Trilu}};
}

}  // namespace onnx2mcu
