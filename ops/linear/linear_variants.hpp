// linear_variants.hpp - ways to hold the weights of a linear layer with s8 input: "o2m.variants/1" of o2m.linear.
//
//   dense       a byte each                                                         o2m_linear.h
//   sparse_1x4  runs of nothing and blocks of 4 k; fewer instructions too           o2m_linear_sparse.h
//   nonzeros    a bit each, and a byte where it is not zero (2:4 and other N:M)     o2m_linear_compact.h
//   s4          four bits each: other weights, so other results                     o2m_linear_compact.h
#pragma once
#include <string>
#include <vector>

#include "linear_layer.hpp"
#include "o2m_linear_compact.h"
#include "o2m_linear_sparse.h"

namespace o2m {

enum LinearVariant : int32_t { kDense, kSparse, kNonzeros, kS4, kLinearVariants };
inline constexpr const char *kLinearVariantNames[] = {"dense", "sparse_1x4", "nonzeros", "s4"};
inline bool IsCompact(int32_t variant) { return variant == kNonzeros || variant == kS4; }

// Packed weights, and what they were counted of.
struct PackedSize {
  int64_t bytes = 0, depth = 0, columns = 0;
};

// Set by infer().
struct LinearState {
  LinearShifts shifts;
  PackedSize size;
};

// ---- Packing: from dense weights as o2m_linear.h has them, to bytes
// --------------------------------------------------

inline const int8_t *BlockOf(const std::vector<int8_t> &dense, int64_t blocks, int64_t n, int64_t b) {
  return dense.data() + (n / 4 * blocks + b) * 16 + n % 4 * 4;
}

inline void AppendSparseColumn(const std::vector<int8_t> &dense, int64_t blocks, int64_t n, std::vector<int8_t> &out) {
  const size_t head = out.size();
  int64_t next = 0, count = 0;  // the block that a gap of 0 means
  out.resize(head + O2M_SPARSE_HEAD);
  for (int64_t b = 0; b < blocks; ++b) {
    const int8_t *const w = BlockOf(dense, blocks, n, b);
    const bool empty = w[0] == 0 && w[1] == 0 && w[2] == 0 && w[3] == 0;
    if (empty && b - next < O2M_SPARSE_GAP) continue;
    if (empty && b + 1 == blocks) continue;  // nothing comes behind the gap
    out.push_back(static_cast<int8_t>(3 * (b - next)));
    out.insert(out.end(), w, w + 4);
    next = b + 1;
    ++count;
  }
  out[head] = static_cast<int8_t>(count & 0xff), out[head + 1] = static_cast<int8_t>(count >> 8);
}

inline void AppendNonzeros(const int8_t *block, std::vector<int8_t> &out) {
  const size_t head = out.size();
  uint32_t mask = 0;
  out.resize(head + 2);
  for (int i = 0; i < 16; ++i) {
    if (block[i] == 0) continue;
    mask |= 1u << i;
    out.push_back(block[i]);
  }
  out[head] = static_cast<int8_t>(mask & 0xff), out[head + 1] = static_cast<int8_t>(mask >> 8);
}

inline void AppendS4(const int8_t *block, std::vector<int8_t> &out) {
  for (const int word : {0, 8}) {
    for (int i = word; i < word + 4; ++i) {
      out.push_back(static_cast<int8_t>((block[i] & 0xf0) | (block[i + 4] >> 4 & 0xf)));
    }
  }
}

inline std::vector<int8_t> PackedWeights(int32_t variant, const std::vector<int8_t> &dense, int64_t depth,
                                         int64_t columns) {
  const int64_t blocks = (depth + 3) / 4, groups = (columns + 3) / 4;
  std::vector<int8_t> out;
  for (int64_t n = 0; variant == kSparse && n < columns; ++n) AppendSparseColumn(dense, blocks, n, out);
  for (int64_t b = 0; IsCompact(variant) && b < groups * blocks; ++b) {
    (variant == kS4 ? AppendS4 : AppendNonzeros)(dense.data() + 16 * b, out);
  }
  return out;
}

// The reverse, for the machine that validates, which multiplies with dense weights.
inline std::vector<int8_t> DenseWeights(int32_t variant, const int8_t *packed, int64_t depth, int64_t columns) {
  const int64_t blocks = (depth + 3) / 4;
  std::vector<int8_t> dense(static_cast<size_t>(WeightCount(depth, columns)));
  const auto *in = reinterpret_cast<const uint8_t *>(packed);
  if (IsCompact(variant)) {
    o2m_unpack(variant == kS4 ? O2M_COMPACT_S4 : O2M_COMPACT_NONZEROS, in,
               static_cast<int32_t>((columns + 3) / 4 * blocks), dense.data());
  }
  for (int64_t n = 0; variant == kSparse && n < columns; ++n) {
    int32_t count = o2m_sparse_count(in), b = 0;
    for (in += O2M_SPARSE_HEAD; count > 0; --count, in += O2M_SPARSE_BLOCK, ++b) {
      b += o2m_sparse_skip(in[0]) / 4;
      std::memcpy(dense.data() + (n / 4 * blocks + b) * 16 + n % 4 * 4, in + 1, 4);
    }
  }
  return dense;
}

// As PackLayer(), the weights in a vector.
inline std::vector<int8_t> QuantizedWeights(const LinearLayer &layer, const LinearShifts &shifts, int32_t *bias,
                                            int32_t *multiplier) {
  std::vector<int8_t> dense(static_cast<size_t>(WeightCount(layer.depth, layer.columns)));
  for (int64_t n = 0; n < layer.columns; ++n) {
    PackColumn(layer, n, shifts, dense.data() + n / 4 * WeightCount(layer.depth, 4) + 4 * (n % 4), bias + n,
               multiplier + n);
  }
  return dense;
}

inline int64_t SparseBlocks(const PackedSize &size) {
  return (size.bytes - O2M_SPARSE_HEAD * size.columns) / O2M_SPARSE_BLOCK;
}

// ---- What infer() says ----------------------------------------------------------------------------------------------

// Refuses where the variant does not suit the layer; `size` becomes that of the packed weights. Without weights, a part
// of what was counted with them.
inline o2m_status SizePacked(const o2m_host *host, int32_t variant, const LinearLayer &layer,
                             const LinearShifts &shifts, PackedSize *size) {
  if (variant < 0 || variant >= kLinearVariants) return Reject(host, Str("there is no variant ", variant));
  const std::string name = kLinearVariantNames[variant];
  const int64_t dense_bytes = WeightCount(layer.depth, layer.columns);
  const PackedSize before = *size;
  *size = {dense_bytes, layer.depth, layer.columns};
  if (variant == kDense) return O2M_OK;
  if (layer.x_dtype != O2M_S8) return Reject(host, name + " weights need an s8 input");
  if (shifts.shift < 31) return Reject(host, name + " weights need a finer output scale; dense would work");
  if (variant == kS4) return size->bytes = dense_bytes / 2, O2M_OK;
  if (!layer.weights) {
    if (before.columns == 0) return Reject(host, name + " weights need values to count");
    size->bytes = before.bytes * layer.columns / before.columns;
    return O2M_OK;
  }
  std::vector<int32_t> unused(static_cast<size_t>(2 * layer.columns));
  const std::vector<int8_t> dense = QuantizedWeights(layer, shifts, unused.data(), unused.data() + layer.columns);
  size->bytes = static_cast<int64_t>(PackedWeights(variant, dense, layer.depth, layer.columns).size());
  // below an eighth of zero blocks nothing is gained, neither time nor flash; padding of dense weights does not count
  const int64_t all_blocks = (layer.depth + 3) / 4 * layer.columns;
  const bool few = variant == kSparse ? SparseBlocks(*size) * 8 > all_blocks * 7 : size->bytes >= dense_bytes;
  if (few) {
    return Reject(host, Str("too few zeros for ", name, " weights: ", size->bytes, " B, dense ", dense_bytes, " B"));
  }
  return O2M_OK;
}

// Into a node's constants: weights, bias, multipliers.
inline void PackVariant(int32_t variant, const LinearLayer &layer, const LinearShifts &shifts, o2m_node *node) {
  if (variant == kDense) return PackLayer(layer, shifts, node, 0);
  const std::vector<int8_t> dense =
      QuantizedWeights(layer, shifts, ConstantData<int32_t>(node, 1), ConstantData<int32_t>(node, 2));
  const std::vector<int8_t> packed = PackedWeights(variant, dense, layer.depth, layer.columns);
  std::memcpy(node->constants[0].data, packed.data(), packed.size());
}

// ---- Kernels --------------------------------------------------------------------------------------------------------

// "o2m_linear", "o2m_linear_sparse", "o2m_linear_compact": without type and instruction set.
inline std::string VariantKernel(int32_t variant) {
  return variant == kSparse ? "o2m_linear_sparse" : IsCompact(variant) ? "o2m_linear_compact" : "o2m_linear";
}

// `isa`: of the variant's kernel. Rows that share a block: o2m_linear_sparse_s8_dsp.c.
inline int64_t VariantScratch(int32_t variant, const std::string &isa, const LinearLayer &layer, int64_t x_column,
                              int64_t rows) {
  if (variant == kSparse) return isa != "_dsp" ? 0 : (layer.depth + 3) / 4 * (rows >= 6 ? 48 : 16);
  const int64_t dense = LinearScratch(isa, layer.depth, x_column, rows);
  return IsCompact(variant) ? dense + o2m_compact_bytes(static_cast<int32_t>(layer.depth)) : dense;
}

// ---- Terms of one call (o2m.terms/1) --------------------------------------------------------------------------------

// Names in the cost model's table.
inline constexpr const char *kVariantKernels[] = {"linear_s8", "linear_sparse", "linear_nonzeros", "linear_s4"};

inline void SparseTerms(const std::string &isa, const LinearCall &c, const PackedSize &size, TermList &list) {
  const char *const kernel = kVariantKernels[kSparse];
  const int64_t blocks = SparseBlocks(size), depth = CeilDiv(c.depth, 4);
  if (isa != "_dsp") {
    const int64_t fours = c.rows < 4 ? 0 : CeilDiv(c.rows, 4), alone = c.rows < 4 ? c.rows : 0;
    list.Add(kernel, "tiles", fours + alone);
    list.Add(kernel, "columns", fours * c.columns);
    list.Add(kernel, "blocks", fours * blocks);
    list.Add(kernel, "row columns", alone * c.columns);
    list.Add(kernel, "row blocks", alone * blocks);
  } else {
    const int64_t rest = c.rows % 6, sixes = c.rows < 6 ? 0 : c.rows / 6 + (rest > 2 ? 1 : 0);
    const int64_t pairs = c.rows < 6 ? CeilDiv(c.rows, 2) : rest > 0 && rest <= 2 ? 1 : 0;
    list.Add(kernel, "sixes", sixes);
    list.Add(kernel, "panel blocks of six", sixes * depth);
    list.Add(kernel, "columns of six", sixes * c.columns);
    list.Add(kernel, "blocks of six", sixes * blocks);
    list.Add(kernel, "pairs", pairs);
    list.Add(kernel, "panel blocks", pairs * depth);
    list.Add(kernel, "columns", pairs * c.columns);
    list.Add(kernel, "blocks", pairs * blocks);
  }
  list.Add(kernel, "outputs", c.rows * c.columns);
  list.Add(kernel, "table outputs", c.table ? c.rows * c.columns : 0);
}

// Weights are unpacked into scratch, a few columns at a time, then the layer's own kernel takes those.
inline void CompactTerms(int32_t variant, const std::string &isa, const LinearCall &c, TermList &list) {
  const char *const kernel = kVariantKernels[variant];
  const int64_t parts = CeilDiv(c.columns, O2M_COMPACT_COLUMNS), times = isa == "_dsp" ? CeilDiv(c.rows, 16) : 1;
  list.Add(kernel, "parts", times * parts);
  list.Add(kernel, "unpacked", times * WeightCount(c.depth, c.columns));
  LinearCall part = c;
  part.columns = O2M_COMPACT_COLUMNS;
  for (int64_t i = 0; isa != "_dsp" && i < c.columns / O2M_COMPACT_COLUMNS; ++i) LinearTerms(isa, part, list);
  part.columns = isa == "_dsp" ? c.columns : c.columns % O2M_COMPACT_COLUMNS;
  if (part.columns > 0) LinearTerms(isa, part, list);
}

inline void VariantTerms(int32_t variant, const std::string &isa, const LinearCall &call, const PackedSize &size,
                         TermList &list) {
  if (variant == kSparse) return SparseTerms(isa, call, size, list);
  if (IsCompact(variant)) return CompactTerms(variant, isa, call, list);
  LinearTerms(isa, call, list);
}

// The parameters of a compact layer as C text, from those of the layer.
inline std::string CompactText(int32_t variant, const std::string &layer) {
  return Initializer()
      .Field("layer", layer)
      .Field("form", variant == kS4 ? O2M_COMPACT_S4 : O2M_COMPACT_NONZEROS)
      .text();
}

// Bytes of packed weights that one call reads: once per tile of rows.
inline int64_t VariantBytesRead(int32_t variant, const std::string &isa, const PackedSize &size, int64_t rows) {
  const int64_t share = variant != kSparse ? (IsCompact(variant) && isa == "_dsp" ? 16 : rows)
                        : isa != "_dsp"    ? 4
                        : rows >= 6        ? 6
                                           : 2;
  return (rows + share - 1) / std::max<int64_t>(share, 1) * size.bytes;
}

}  // namespace o2m
