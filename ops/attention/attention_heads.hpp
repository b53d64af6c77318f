// attention_heads.hpp - shapes and layouts of the attention op: which axes are heads, and the mask as the kernel reads
// it.
#pragma once
#include "o2m_attention_s8.h"
#include "row_op.hpp"

namespace o2m {

constexpr int kMasks = 2;
struct AttentionParams {
  float factor;               // of q kt
  float mask_factor[kMasks];  // of inputs 3 and 4
  int32_t multiplier, shift;  // of the scores; set by infer()
  int32_t y_multiplier, y_shift;
};

enum Input { kQ, kK, kV, kMask };
enum Slot { kPackedMask };
constexpr int32_t kScoreUnits = 64;  // scores are s16 in units of 1/64
constexpr int32_t kMostKeys = 32768, kMostDepth = 4096;

inline int32_t Queries(const o2m_node *node) { return Dim(*node->inputs[kQ], 2); }
inline int32_t Depth(const o2m_node *node) { return Dim(*node->inputs[kQ], 1); }
inline int32_t Keys(const o2m_node *node) { return Dim(*node->inputs[kK], 1); }
inline int32_t Columns(const o2m_node *node) { return Dim(*node->inputs[kV], 1); }

// ---- Heads: the leading dims, at most two longer than one (groups of heads: windows of an image, say) ---------------

// The longest list of leading dims > 1 among q, k and v.
inline std::vector<int32_t> HeadDims(const o2m_tensor *const *inputs) {
  std::vector<int32_t> dims;
  for (int i = kQ; i <= kV; ++i) {
    const std::vector<int32_t> own = LeadingDims(*inputs[i], 2);
    if (own.size() > dims.size()) dims = own;
  }
  return dims;
}

// The axes of `t` that walk groups and heads, O2M_NONE where it has no such axis and repeats; false: it does not fit.
inline bool HeadAxes(const o2m_tensor &t, const std::vector<int32_t> &heads, int32_t axes[2]) {
  axes[0] = axes[1] = O2M_NONE;
  const std::vector<int32_t> own = LeadingDims(t, 2);
  if (own.empty()) return true;
  if (own == heads) {
    int slot = 2 - static_cast<int>(heads.size());
    for (int32_t i = 0; i < t.rank - 2; ++i) {
      if (t.dims[i] > 1) axes[slot++] = i;
    }
    return true;
  }
  if (own.size() != 1 || heads.size() != 2) return false;  // one of two: by position from the end
  const int slot = Dim(t, 3) > 1 ? 1 : 0;
  axes[slot] = t.rank - (slot == 1 ? 3 : 4);
  return axes[slot] >= 0 && t.dims[axes[slot]] == heads[static_cast<size_t>(slot)];
}

inline o2m_attention_layout LayoutOf(const o2m_tensor &t, const std::vector<int32_t> &heads) {
  int32_t axes[2];
  HeadAxes(t, heads, axes);
  const auto stride = [&](int32_t axis) { return axis == O2M_NONE ? 0 : static_cast<int32_t>(t.strides[axis]); };
  return {stride(axes[0]), stride(axes[1]), static_cast<int32_t>(Stride(t, 2)), static_cast<int32_t>(Stride(t, 1))};
}

// kt is [P][M]: keys are its columns.
inline o2m_attention_layout Transposed(const o2m_attention_layout &l) { return {l.group, l.head, l.column, l.row}; }

// Leading dims of the result: v's where v has every head, else those of the operand that has.
inline void SetOutputShape(const o2m_tensor *const *inputs, o2m_tensor *y) {
  const std::vector<int32_t> heads = HeadDims(inputs);
  const o2m_tensor *like = inputs[kV];
  for (int i : {kV, kQ, kK}) {
    if (LeadingDims(*inputs[i], 2) == heads) {
      like = inputs[i];
      break;
    }
  }
  SetShapeLike(*y, *like);
  y->dims[y->rank - 2] = Dim(*inputs[kQ], 2);
  y->dims[y->rank - 1] = Dim(*inputs[kV], 1);
}

inline bool Broadcasts(int32_t dim, int32_t to) { return dim == 1 || dim == to; }

// ---- The mask, packed as s16 scores [group][head][query][key], dims of one where it repeats
// --------------------------

struct MaskShape {
  int32_t group = 1, head = 1, row = 1;
  int64_t Count(int32_t keys) const { return int64_t{group} * head * row * keys; }
};

inline MaskShape MaskShapeOf(const o2m_node *node) {
  MaskShape shape;
  const std::vector<int32_t> heads = HeadDims(node->inputs);
  for (int i = kMask; i < node->input_count; ++i) {
    const o2m_tensor &t = *node->inputs[i];
    int32_t axes[2];
    HeadAxes(t, heads, axes);
    if (axes[0] != O2M_NONE) shape.group = t.dims[axes[0]];
    if (axes[1] != O2M_NONE) shape.head = t.dims[axes[1]];
    shape.row = std::max(shape.row, Dim(t, 2));
  }
  return shape;
}

inline float MaskValue(const o2m_tensor &t, const std::vector<int32_t> &heads, int32_t group, int32_t head, int32_t row,
                       int32_t key) {
  int32_t axes[2];
  HeadAxes(t, heads, axes);
  int64_t at = 0, stride = 1;
  for (int32_t i = t.rank - 1; i >= 0; --i) {
    const int32_t from_end = t.rank - i;
    int32_t index = from_end == 1 ? key : from_end == 2 ? row : i == axes[1] ? head : i == axes[0] ? group : 0;
    if (t.dims[i] == 1) index = 0;
    at += index * stride;
    stride *= t.dims[i];
  }
  return Floats(t)[at];
}

inline void PackMask(const o2m_node *node) {
  auto *packed = ConstantData<int16_t>(node, kPackedMask);
  const auto &params = ParamsOf<AttentionParams>(node);
  const std::vector<int32_t> heads = HeadDims(node->inputs);
  const MaskShape shape = MaskShapeOf(node);
  const int32_t keys = Keys(node);
  for (int64_t i = 0; i < shape.Count(keys); ++i) {
    const auto key = static_cast<int32_t>(i % keys), row = static_cast<int32_t>(i / keys % shape.row);
    const auto head = static_cast<int32_t>(i / keys / shape.row % shape.head);
    const auto group = static_cast<int32_t>(i / keys / shape.row / shape.head);
    double sum = 0;
    for (int m = kMask; m < node->input_count; ++m) {
      sum += double{params.mask_factor[m - kMask]} * MaskValue(*node->inputs[m], heads, group, head, row, key);
    }
    packed[i] = static_cast<int16_t>(RoundToInt(sum * kScoreUnits, -32768, 32767));
  }
}

inline o2m_attention_layout MaskLayout(const o2m_node *node) {
  const MaskShape s = MaskShapeOf(node);
  const int32_t row = Keys(node), head = row * s.row, group = head * s.head;
  return {s.group > 1 ? group : 0, s.head > 1 ? head : 0, s.row > 1 ? row : 0, 1};
}

}  // namespace o2m
