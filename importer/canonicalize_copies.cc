// Movement of every kind as the few that views and o2m.gather know. What a node does is asked of the evaluator: it runs
// on numbered elements, and where each output is one of the numbers, or an implied zero, the node is a copy by an index
// table. Nothing here knows how Tile, GatherND or a reflecting Pad compute their indices.
#include <algorithm>
#include <numeric>

#include "importer/canonicalize.h"
#include "importer/evaluate.h"

namespace onnx2mcu {
namespace {

constexpr int64_t kMostElements = 1 << 24;  // numbers up to here are exact in float

// out[k] is element source[k] of the float operands, numbered from 0 one operand after the other; -1: zero.
struct IndexTable {
  std::vector<TensorId> operands;  // float ones of the node, each once
  std::vector<int64_t> sizes;      // of each operand
  std::vector<int64_t> source;
};

std::optional<IndexTable> TableOf(const Rewriter &r, const FloatNode &node) {
  IndexTable table;
  std::deque<Value> values;
  std::vector<const Value *> inputs;
  int64_t first = 1;
  for (TensorId id : node.inputs) {
    inputs.push_back(nullptr);
    if (id == kNone) continue;
    if (!r.IsFloat(id) && !r.IsConstant(id)) return std::nullopt;
    if (!r.IsFloat(id) || (node.op_type == "Resize" && id != node.inputs[0])) {
      values.push_back(ValueOf(r.tensor(id)));
    } else {
      const int64_t size = ElementCount(r.DimsOf(id));
      if (first + size > kMostElements) return std::nullopt;
      Value numbered{DType::kF32, r.DimsOf(id), std::vector<float>(size), {}};
      std::iota(numbered.f.begin(), numbered.f.end(), static_cast<float>(first));
      table.operands.push_back(id), table.sizes.push_back(size);
      first += size;
      values.push_back(std::move(numbered));
    }
    inputs.back() = &values.back();
  }
  const auto results = EvaluateNode(node, inputs);
  if (!results.ok()) return std::nullopt;
  for (float number : (*results)[0].f) table.source.push_back(static_cast<int64_t>(number) - 1);
  return table;
}

// in[f_0(i_0), f_1(i_1), ...] for every axis: the f, or nothing where the axes depend on each other.
std::optional<std::vector<Dims>> PerAxis(const Dims &in, const Dims &out, const std::vector<int64_t> &source) {
  if (in.size() != out.size() || source.empty() || source[0] < 0) return std::nullopt;
  const Dims from = DenseStrides(in), to = DenseStrides(out);
  std::vector<Dims> maps(in.size());
  for (size_t d = 0; d < in.size(); d++)
    for (int64_t i = 0; i < out[d]; i++) {
      const int64_t at = source[i * to[d]];
      if (at < 0) return std::nullopt;
      maps[d].push_back(at / from[d] % in[d]);
    }
  for (size_t k = 0; k < source.size(); k++) {
    int64_t expected = 0;
    for (size_t d = 0; d < in.size(); d++) expected += maps[d][static_cast<int64_t>(k) / to[d] % out[d]] * from[d];
    if (expected != source[k]) return std::nullopt;
  }
  return maps;
}

bool IsIota(const Dims &map, int64_t size) {
  for (size_t i = 0; i < map.size(); i++)
    if (map[i] != static_cast<int64_t>(i)) return false;
  return static_cast<int64_t>(map.size()) == size;
}

TensorId GatherAxes(Rewriter &r, NodeId id, TensorId x, const std::vector<Dims> &maps) {
  for (size_t d = 0; d < maps.size(); d++)
    if (!IsIota(maps[d], r.DimsOf(x)[d]))
      x = r.Emit(id, "Gather", {x, r.NewInts(maps[d])}, {{"axis", static_cast<int64_t>(d)}});
  return x;
}

// True where blocks of `run` outputs are aligned blocks of the operands, or zeros.
bool CopiesRuns(const IndexTable &table, int64_t run) {
  for (int64_t size : table.sizes)
    if (size % run != 0) return false;
  for (size_t k = 0; k < table.source.size(); k++) {
    const int64_t inside = static_cast<int64_t>(k) % run, first = table.source[k - inside];
    if (first < 0 ? table.source[k] >= 0 : first % run != 0 || table.source[k] != first + inside) return false;
  }
  return true;
}

// The longest run that trailing dims of the output make.
int64_t LongestRun(const IndexTable &table, const Dims &out) {
  int64_t run = ElementCount(out);
  for (int64_t dim : out) {
    if (CopiesRuns(table, run)) return run;
    run /= dim;
  }
  return 1;
}

// All operands as rows of `run` elements in one list, a row of zeros last, and one Gather from it.
TensorId GatherRuns(Rewriter &r, NodeId id, const IndexTable &table, int64_t run, const Dims &out) {
  std::vector<TensorId> parts;
  int64_t rows = 0;
  for (size_t i = 0; i < table.operands.size(); i++) {
    parts.push_back(r.Reshape(id, table.operands[i], {table.sizes[i] / run, run}));
    rows += table.sizes[i] / run;
  }
  Dims indices;
  bool zeros = false;
  for (size_t k = 0; k < table.source.size(); k += run) {
    zeros = zeros || table.source[k] < 0;
    indices.push_back(table.source[k] < 0 ? rows : table.source[k] / run);
  }
  if (zeros) parts.push_back(r.NewFloats("zeros", {1, run}, std::vector<float>(run, 0.0f)));
  const TensorId list = parts.size() == 1 ? parts[0] : r.Emit(id, "Concat", parts, {{"axis", int64_t{0}}});
  return r.Reshape(id, r.Emit(id, "Gather", {list, r.NewInts(indices)}, {{"axis", int64_t{0}}}), out);
}

bool HasNegativeStep(const Rewriter &r, const FloatNode &node) {
  const Dims steps = node.inputs.size() > 4 ? r.Ints(node.inputs[4]) : Dims{};
  return std::any_of(steps.begin(), steps.end(), [](int64_t step) { return step < 0; });
}

bool IsCopy(const Rewriter &r, NodeId id) {
  const FloatNode &node = r.node(id);
  for (const char *type : {"Tile", "GatherElements", "GatherND", "Trilu", "ReverseSequence", "Compress"})
    if (r.Is(id, type)) return true;
  if (r.Is(id, "ScatterND") || r.Is(id, "ScatterElements")) return AttrString(node, "reduction", "none") == "none";
  if (r.Is(id, "Slice")) return HasNegativeStep(r, node);
  if (r.Is(id, "Resize")) return AttrString(node, "mode", "nearest") == "nearest";
  return r.Is(id, "Pad") && AttrString(node, "mode", "constant") != "constant";
}

bool CopyToGather(Rewriter &r, NodeId id) {
  const FloatNode &node = r.node(id);
  if (!IsCopy(r, id) || node.outputs.size() != 1 || !r.IsFloat(node.outputs[0])) return false;
  const std::optional<IndexTable> table = TableOf(r, node);
  if (!table || table->operands.empty() || table->source.empty()) return false;
  const Dims out = r.DimsOf(node.outputs[0]);
  const std::vector<int64_t> &source = table->source;
  TensorId y = kNone;
  if (table->operands.size() == 1) {
    const TensorId x = table->operands[0];
    if (IsIota(source, table->sizes[0])) y = r.Reshape(id, x, out);
    const auto maps = y == kNone ? PerAxis(r.DimsOf(x), out, source) : std::nullopt;
    if (maps) y = GatherAxes(r, id, x, *maps);
  }
  if (y == kNone) y = GatherRuns(r, id, *table, LongestRun(*table, out), out);
  if (r.MustStay(node.outputs[0], y)) return false;
  r.Replace(node.outputs[0], y);
  return true;
}

// Indices of any integer type as s64, counted from the front.
bool GatherIndices(Rewriter &r, NodeId id) {
  const FloatNode &node = r.node(id);
  if (!r.Is(id, "Gather") || !r.IsConstant(node.inputs[1]) || r.IsConstant(node.inputs[0])) return false;
  const Dims dims = r.DimsOf(node.inputs[0]);
  const int64_t size = dims[AxisOf(AttrInt(node, "axis", 0), dims.size())];
  Dims indices = r.Ints(node.inputs[1]);
  const bool negative = std::any_of(indices.begin(), indices.end(), [](int64_t i) { return i < 0; });
  if (!negative && r.tensor(node.inputs[1]).dtype == DType::kS64) return false;
  for (int64_t &i : indices) i += i < 0 ? size : 0;
  r.SetInput(id, 1, r.Reshape(id, r.NewInts(indices), r.DimsOf(node.inputs[1])));
  return true;
}

// DepthToSpace and SpaceToDepth are a Transpose of six axes between two Reshapes.
bool BlocksToTranspose(Rewriter &r, NodeId id) {
  const FloatNode &node = r.node(id);
  const bool to_space = r.Is(id, "DepthToSpace");
  if (!to_space && !r.Is(id, "SpaceToDepth")) return false;
  const Dims x = r.DimsOf(node.inputs[0]);
  const int64_t b = AttrInt(node, "blocksize", 1);
  Dims split = {x[0], x[1], x[2] / b, b, x[3] / b, b}, perm = {0, 3, 5, 1, 2, 4};
  if (to_space) split = {x[0], b, b, x[1] / (b * b), x[2], x[3]}, perm = {0, 3, 4, 1, 5, 2};
  if (to_space && AttrString(node, "mode", "DCR") == "CRD")
    split = {x[0], x[1] / (b * b), b, b, x[2], x[3]}, perm = {0, 1, 4, 2, 5, 3};
  const TensorId y = r.Transpose(id, r.Reshape(id, node.inputs[0], split), perm);
  r.Replace(node.outputs[0], r.Reshape(id, y, r.DimsOf(node.outputs[0])));
  return true;
}

// The amounts of a Pad by axis, [begin..., end...]; nothing where they are not constant.
std::optional<Dims> PadAmounts(const Rewriter &r, const FloatNode &node) {
  const size_t rank = r.DimsOf(node.inputs[0]).size();
  const auto there = [&](size_t i) { return node.inputs.size() > i && node.inputs[i] != kNone; };
  if ((there(1) && !r.IsConstant(node.inputs[1])) || (there(3) && !r.IsConstant(node.inputs[3]))) return std::nullopt;
  const Dims listed = there(1) ? r.Ints(node.inputs[1]) : AttrInts(node, "pads");
  Dims axes = there(3) ? r.Ints(node.inputs[3]) : Dims{};
  if (!there(3)) axes.resize(rank), std::iota(axes.begin(), axes.end(), 0);
  if (listed.size() != 2 * axes.size()) return std::nullopt;
  Dims amounts(2 * rank, 0);
  for (size_t i = 0; i < axes.size(); i++) {
    const int64_t axis = AxisOf(axes[i], rank);
    amounts[axis] = listed[i], amounts[axis + rank] = listed[i + axes.size()];
  }
  return amounts;
}

// Padding of all axes by a constant operand, as opset 11 has it.
bool PadsAsOperand(Rewriter &r, NodeId id) {
  const FloatNode &node = r.node(id);
  if (!r.Is(id, "Pad") || (node.inputs.size() < 4 && !node.attrs.count("pads"))) return false;
  const std::optional<Dims> amounts = PadAmounts(r, node);
  if (!amounts || (node.inputs.size() > 3 && node.inputs[3] == kNone)) return false;
  std::vector<TensorId> inputs = {node.inputs[0], r.NewInts(*amounts)};
  if (node.inputs.size() > 2 && node.inputs[2] != kNone) inputs.push_back(node.inputs[2]);
  if (node.attrs.count("value")) inputs.push_back(r.NewScalar(AttrFloat(node, "value", 0)));
  Attrs attrs = {{"mode", AttrString(node, "mode", "constant")}};
  r.Replace(node.outputs[0], r.Emit(id, "Pad", inputs, attrs));
  return true;
}

TensorId Block(Rewriter &r, TensorId x, int64_t axis, int64_t size, float value) {
  Dims dims = r.DimsOf(x);
  dims[axis] = size;
  return r.NewFloats("padding", dims, std::vector<float>(ElementCount(dims), value));
}

// A Pad that no convolution or pooling took: blocks of the constant before and behind, axis by axis from the last.
bool PadToConcat(Rewriter &r, NodeId id) {
  const FloatNode &node = r.node(id);
  if (!r.Is(id, "Pad") || AttrString(node, "mode", "constant") != "constant") return false;
  const std::optional<Dims> amounts = PadAmounts(r, node);
  float value = 0;
  if (node.inputs.size() > 2 && node.inputs[2] != kNone)
    value = r.Scalar(node.inputs[2]).value_or(std::numeric_limits<float>::quiet_NaN());
  if (!amounts || !std::isfinite(value)) return false;
  TensorId x = node.inputs[0];
  const int64_t rank = r.Rank(x);
  for (int64_t axis = rank - 1; axis >= 0; axis--) {
    const int64_t before = (*amounts)[axis], behind = (*amounts)[axis + rank], size = r.DimsOf(x)[axis];
    x = r.Slice(id, x, axis, std::max<int64_t>(0, -before), size + std::min<int64_t>(0, behind));
    std::vector<TensorId> parts;
    if (before > 0) parts.push_back(Block(r, x, axis, before, value));
    parts.push_back(x);
    if (behind > 0) parts.push_back(Block(r, x, axis, behind, value));
    if (parts.size() > 1) x = r.Emit(id, "Concat", parts, {{"axis", axis}});
  }
  if (r.MustStay(node.outputs[0], x)) return false;
  r.Replace(node.outputs[0], x);
  return true;
}

}  // namespace

std::vector<FloatRewrite> CopyRewrites() {
  return {{"blocks to transpose", BlocksToTranspose},
          {"explicit pads", PadsAsOperand},
          {"gather indices", GatherIndices},
          {"copy to gather", CopyToGather}};
}

std::vector<FloatRewrite> PaddingRewrites() { return {{"pad to concat", PadToConcat}}; }

}  // namespace onnx2mcu
