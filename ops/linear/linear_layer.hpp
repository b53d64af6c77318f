// linear_layer.hpp - the constants of one layer y = x W + b as o2m_linear.h wants them, from real numbers.
#pragma once
#include "o2m_linear_dsp.h"
#include "row_op.hpp"
#include "weight_grid.hpp"

namespace o2m {

// No bias may be more units than this: the rounding of a multiplier moves the output by 1/32 at most then.
inline constexpr double kLargestBias = 67108864;  // 2^26

// So many products of s8 and a bias fit an s32 accumulator that may be doubled once.
inline constexpr int64_t kLargestDepth = 30000;

struct LinearShifts {
  int32_t shift, acc_shift;  // as in o2m_linear_params
};

// W [depth][columns]; `weights` is null while only a price is asked, `bias` where there is none.
struct LinearLayer {
  const float *weights = nullptr, *bias = nullptr;
  int64_t bias_count = 0;  // one: the same for all columns
  int64_t depth = 0, columns = 0;
  o2m_dtype x_dtype = O2M_S8;
  int32_t x_zero = 0;
  int32_t step = 1;  // weights are multiples of it: 16 where four bits hold one
  double x_scale = 1, y_scale = 1;
  double Bias(int64_t n) const { return bias ? bias[bias_count == 1 ? 0 : n] : 0; }
};

inline double LargestMagnitude(const float *values, int64_t count) {
  float largest = 0;
  for (int64_t i = 0; values && i < count; ++i) largest = std::fmax(largest, std::fabs(values[i]));
  return largest;
}

// The scale of a column of weights whose largest magnitude is `largest`. A column of zeros may have any scale, so it
// takes one that suits the output.
inline double WeightScale(const LinearLayer &layer, double largest, double bias) {
  const double for_bias = std::fabs(bias) / (layer.x_scale * kLargestBias);
  return std::fmax(largest > 0 ? largest / (127 / layer.step * layer.step) : layer.y_scale / layer.x_scale / 1024,
                   for_bias);
}

// w in steps of the scale, no lower than `low`.
inline int32_t Quantized(const LinearLayer &layer, double w, double scale, int32_t low = -127) {
  return layer.step * RoundToInt(w / (scale * layer.step), low / layer.step, 127 / layer.step);
}

// The largest magnitude that column n is to represent: all of it where the steps are fine; where they are coarse, the
// one with the least sum of squared errors.
inline double Clipped(const LinearLayer &layer, int64_t n) {
  double largest = 0, best = 0, least = INFINITY;
  for (int64_t k = 0; k < layer.depth; ++k)
    largest = std::fmax(largest, std::fabs(layer.weights[k * layer.columns + n]));
  if (layer.step == 1) return largest;
  for (int percent = 100; percent >= 50; percent -= 2) {
    const double scale = WeightScale(layer, largest * percent / 100, layer.Bias(n));
    double error = 0;
    for (int64_t k = 0; k < layer.depth; ++k) {
      const double w = layer.weights[k * layer.columns + n], rounded = scale * Quantized(layer, w, scale);
      error += (w - rounded) * (w - rounded);
    }
    if (error < least) least = error, best = largest * percent / 100;
  }
  return best;
}

// The scale of column n.
inline double ColumnScale(const LinearLayer &layer, int64_t n) {
  const double grid = layer.step == 1 ? GridStep(layer.weights + n, layer.depth, layer.columns) : 0;
  return WeightScale(layer, grid > 0 ? 127 * grid : Clipped(layer, n), layer.Bias(n));
}

// The largest that ColumnScale() can be, quick; and as it is, where that is too large for the finest shift.
inline double LargestColumnScale(const LinearLayer &layer, double finest) {
  const double largest = LargestMagnitude(layer.weights, layer.depth * layer.columns);
  const double bias = LargestMagnitude(layer.bias, layer.bias_count), scale = WeightScale(layer, largest, bias);
  if (layer.step > 1 || scale * kGridFactor < finest) return scale;
  double most = scale;
  for (int64_t n = 0; n < layer.columns; ++n) most = std::fmax(most, ColumnScale(layer, n));
  return most;
}

// The largest bias, zero point of x included, fits s32.
inline bool BiasesFit(const LinearLayer &layer) {
  for (int64_t n = 0; layer.weights && n < layer.columns; ++n) {
    double sum = 0;
    for (int64_t k = 0; k < layer.depth; ++k) sum += layer.weights[k * layer.columns + n];
    const double scale = ColumnScale(layer, n), rounding = 0.5 * static_cast<double>(layer.depth);
    if ((std::fabs(sum) / scale + rounding) * std::abs(layer.x_zero) + kLargestBias > INT32_MAX) return false;
  }
  return true;
}

// Depends on the largest scale only, so that a part of the columns gets the same bits where the shift is 31 or more.
inline o2m_status ChooseShifts(const o2m_host *host, const o2m_target *target, const LinearLayer &layer,
                               LinearShifts *shifts) {
  const bool s16 = layer.x_dtype == O2M_S16;
  const auto depth = static_cast<double>(layer.depth);
  // Without data, as it was with it: whether a layer can be split hangs on it.
  *shifts = {!layer.weights && shifts->shift > 0 ? shifts->shift : 31, 0};
  if (s16 && layer.x_zero != 0 && !BiasesFit(layer)) {
    return Reject(host, Str("the input is s16 with zero point ", layer.x_zero, "; zero point 0 would work"));
  }
  // |acc| <= (2^15 + |zero|) * 127 * K + 2^27 must fit 31 bits before the multiplication
  const double reach = (32768 + std::fabs(layer.x_zero)) * 127 * depth + 2 * kLargestBias;
  while (s16 && reach / std::ldexp(1.0, shifts->acc_shift) > 1073741824.0) ++shifts->acc_shift;
  if (!s16 && layer.depth > kLargestDepth) {
    return Reject(host, Str("the layer sums ", layer.depth, " products; at most ", kLargestDepth, " would work"));
  }
  if (!layer.weights) return O2M_OK;
  const double ratio = layer.x_scale / layer.y_scale;
  const double factor = LargestColumnScale(layer, 0.499 / ratio / std::ldexp(1.0, shifts->acc_shift)) * ratio;
  if (((s16 ? 65536.0 : 256.0) * 127 * depth + kLargestBias) * factor > 1073741824.0) {
    return Reject(host, Str("the output's scale, ", layer.y_scale, ", is too small for these weights and the input's ",
                            "scale, ", layer.x_scale, "; calibrate with other images"));
  }
  shifts->shift = ShiftFor(factor * std::ldexp(1.0, shifts->acc_shift));
  const bool wants_32 = WantsShift32(target) && (!s16 || (target->features & O2M_FEATURE_DSP) != 0);
  // Below 31, kernels count on |acc| < 2^(shift - 1) where that is so with zero point 0.
  const bool far = s16 && std::fabs(layer.x_zero) * 127 * depth > kLargestBias;
  if (far && shifts->shift < 31 && std::ldexp(reach, 1 - shifts->shift - shifts->acc_shift) >= 1)
    return Reject(host, Str("the input is s16 with zero point ", layer.x_zero, "; zero point 0 would work"));
  if (wants_32 && factor * std::ldexp(1.0, shifts->acc_shift) < 0.499) shifts->shift = 32;
  return O2M_OK;
}

// Weights are stored [columns / 4][depth / 4][4][4], zero beyond the last column and the last k.
inline int64_t WeightCount(int64_t depth, int64_t columns) { return ((columns + 3) & ~3) * ((depth + 3) & ~3); }

// Column n of W becomes weights[0 .. 3], [16 .. 19] ..; its bias and multiplier.
inline void PackColumn(const LinearLayer &layer, int64_t n, const LinearShifts &shifts, int8_t *weights, int32_t *bias,
                       int32_t *multiplier) {
  const float *w = layer.weights + n;
  const double scale = ColumnScale(layer, n), unit = scale * layer.x_scale;
  int64_t sum = 0;
  int32_t before = 0;
  for (int64_t k = 0; k < layer.depth; ++k) {
    // -128 is for those who quantised so, and for one k of two: kernels add the products of an even k and the next.
    const int32_t low =
        layer.step == 1 && before != -128 && std::fabs(layer.Bias(n)) < unit * kLargestBias / 2 ? -128 : -127;
    const auto weight = static_cast<int8_t>(Quantized(layer, w[k * layer.columns], scale, low));
    before = k % 2 == 0 ? weight : 0;
    weights[o2m_linear_at(static_cast<int32_t>(k))] = weight;
    sum += weight;
  }
  *bias = RoundToInt(std::floor(layer.Bias(n) / unit + 0.5) - 1.0 * layer.x_zero * static_cast<double>(sum));
  *multiplier = LayerMultiplier(unit / layer.y_scale * std::ldexp(1.0, shifts.acc_shift), shifts.shift);
}

// Into a node's constants `slot`, weights; then bias, multipliers.
inline void PackLayer(const LinearLayer &layer, const LinearShifts &shifts, o2m_node *node, int32_t slot) {
  auto *const weights = ConstantData<int8_t>(node, slot);
  auto *const bias = ConstantData<int32_t>(node, slot + 1), *const multiplier = ConstantData<int32_t>(node, slot + 2);
  std::memset(weights, 0, static_cast<size_t>(node->constants[slot].count));
  for (int64_t n = 0; n < layer.columns; ++n) {
    int8_t *const group = weights + n / 4 * WeightCount(layer.depth, 4);
    PackColumn(layer, n, shifts, group + 4 * (n % 4), bias + n, multiplier + n);
  }
}

// Whether t is a constant f32 matrix [K, N], leading ones allowed.
inline bool IsConstantMatrix(const o2m_tensor &t) {
  return t.is_constant && t.dtype == O2M_F32 && t.rank >= 2 && ElementCount(t) == int64_t{Dim(t, 1)} * Dim(t, 2) &&
         ElementCount(t) <= INT32_MAX;
}
// Whether t is a constant f32 that adds one value, or one per column, to a row of `columns`.
inline bool IsBias(const o2m_tensor &t, int32_t columns) {
  return t.is_constant && t.dtype == O2M_F32 &&
         (ElementCount(t) == 1 || (ElementCount(t) == columns && Dim(t, 1) == columns));
}

// y has x's leading dims, with leading ones where the bias has a higher rank.
inline void SetLinearShape(const o2m_tensor &x, int32_t columns, const o2m_tensor *bias, o2m_tensor *y) {
  y->rank = bias ? std::max(x.rank, bias->rank) : x.rank;
  for (int32_t i = 1; i <= y->rank; ++i) y->dims[y->rank - i] = i == 1 ? columns : Dim(x, i);
  y->token_axis = x.token_axis == O2M_NONE ? O2M_NONE : x.token_axis + y->rank - x.rank;
}

// The types a linear layer reads and writes; y's default quant is x's.
inline o2m_status CheckLinearTypes(const o2m_host *host, o2m_node *node) {
  if (o2m_status s = CheckRowInput(host, node)) return s;
  o2m_tensor &y = *node->outputs[0];
  if (y.dtype == O2M_ANY) y.dtype = O2M_S8;
  if (y.quant.count == 0) y.quant = node->inputs[0]->quant;
  if (y.dtype != O2M_S8 && y.dtype != O2M_S16 && y.dtype != O2M_S32) {
    return Reject(host, Str("output 0 cannot be ", NameOf(y.dtype), "; s8, s16 or s32 would work"));
  }
  if (y.quant.count != 1) return Reject(host, "output 0 needs one scale for the whole tensor");
  if (node->epilogue && y.dtype != O2M_S8) return Reject(host, "a table in the epilogue needs an s8 output");
  return CheckZeroPoint(host, y, "output 0");
}

// What the accumulators are requantised to: y's quant, or that of the table's argument.
inline const o2m_quant &TargetQuant(const o2m_node *node) {
  return node->epilogue ? node->epilogue->in : node->outputs[0]->quant;
}

// ---- Kernels --------------------------------------------------------------------------------------------------------

// "o2m_linear_s8", "o2m_linear_s16"
inline std::string LinearKernel(o2m_dtype x) { return x == O2M_S8 ? "o2m_linear_s8" : "o2m_linear_s16"; }

// How many of `rows` rows share one widening of the weights: up to 16, in tiles of equal height.
inline int32_t LinearTile(int64_t rows) {
  const int64_t tiles = (rows + 15) / 16, tile = (rows + tiles - 1) / tiles;
  return static_cast<int32_t>(tile > 1 ? (tile + 1) & ~1 : 1);
}

// Bytes of packed weights for the kernel of one instruction set, `isa` as in isa.hpp: one reads 16 k at a time.
inline int64_t LinearWeightBytes(const std::string &isa, int64_t depth, int64_t columns) {
  return WeightCount(depth, columns) + (isa == "_mve" && (depth + 3) / 4 % 4 != 0 ? 48 : 0);
}

// Bytes of scratch; x_column: elements from one k to the next.
inline int64_t LinearScratch(const std::string &isa, int64_t depth, int64_t x_column, int64_t rows) {
  if (isa == "_mve") return x_column == 1 ? 0 : 2 * depth;
  if (isa == "_rv32") return rows < 4 ? 0 : (depth + 3) / 4 * 16;
  if (isa == "_armv7m") return rows < 2 ? 0 : (depth + 3) / 4 * 32;
  if (isa == "_armv6m") return (LinearTile(rows) / 2 + LinearTile(rows) % 2 + 1) * ((depth + 3) / 4 * 16);
  if (isa != "_dsp") return 0;
  const int64_t blocks = (depth + 3) / 4, tile = LinearTile(rows);
  return (tile + 1) / 2 * 16 * blocks + (tile >= O2M_LINEAR_DSP_WIDEN ? 32 * blocks : 0);
}

// One call of a kernel, as its cost depends on it.
struct LinearCall {
  const char *kernel;  // "linear_s8", "linear_s16"
  int64_t rows, depth, columns;
  bool x_dense, y_dense;  // k, or columns, side by side
  int64_t y_bytes;
  bool table, shifted;  // shifted: acc_shift > 0
};

inline int64_t CeilDiv(int64_t a, int64_t b) { return (a + b - 1) / b; }

// Pairs of rows, all columns, in tiles of up to 16 rows; four rows or more share widened weights.
inline void LinearDspTerms(const LinearCall &c, TermList &list) {
  const int64_t blocks = CeilDiv(c.depth, 4), tile = LinearTile(c.rows);
  const bool direct = std::strcmp(c.kernel, "linear_s8") == 0 || c.depth <= 480;
  const int64_t whole = direct ? c.columns / 4 : 0, groups = CeilDiv(c.columns, 4);
  for (int64_t t = 0; t < c.rows; t += tile) {
    const int64_t count = std::min(tile, c.rows - t), pairs = CeilDiv(count, 2);
    const bool widen = count >= O2M_LINEAR_DSP_WIDEN;
    list.Add(c.kernel, "row tiles", 1);
    list.Add(c.kernel, "panels", pairs);
    list.Add(c.kernel, c.x_dense ? "panel blocks" : "strided panel blocks", pairs * blocks);
    list.Add(c.kernel, "panel tails", c.x_dense && c.depth % 4 ? pairs : 0);
    list.Add(c.kernel, "groups", groups);
    list.Add(c.kernel, "widened groups", widen ? groups : 0);
    list.Add(c.kernel, "widened blocks", widen ? groups * blocks : 0);
    list.Add(c.kernel, widen ? "blocks" : "packed blocks", groups * pairs * blocks);
    list.Add(c.kernel, widen ? "rounds" : "packed rounds", groups * pairs * CeilDiv(blocks, widen ? 4 : 2));
    list.Add(c.kernel, "tiles", whole * pairs);
    list.Add(c.kernel, "odd groups", whole * (count % 2));
    list.Add(c.kernel, "table tiles", c.table ? whole * pairs : 0);
    list.Add(c.kernel, "shifted tiles", c.shifted ? whole * pairs : 0);
    list.Add(c.kernel, "sum tiles", (groups - whole) * pairs);
    list.Add(c.kernel, "sum outputs", (c.columns - 4 * whole) * count);
  }
}

// Pairs of rows by four columns, 16 k at a time.
inline void LinearMveTerms(const LinearCall &c, TermList &list) {
  const int64_t groups = CeilDiv(c.columns, 4), calls = c.x_dense ? 1 : CeilDiv(c.rows, 2);
  const int64_t runs = c.x_dense ? (c.rows > 1) + c.rows % 2 : calls, tiles = groups * CeilDiv(c.rows, 2);
  const bool plain = c.y_dense && c.y_bytes == 1;
  list.Add(c.kernel, "copied", c.x_dense ? 0 : c.rows * c.depth);
  list.Add(c.kernel, "groups", groups * calls);
  list.Add(c.kernel, "runs", groups * runs);
  list.Add(c.kernel, "tiles", tiles);
  list.Add(c.kernel, "blocks", tiles * (c.depth / 16));
  list.Add(c.kernel, "rounds", tiles * CeilDiv(std::max<int64_t>(c.depth / 16 - 1, 0), 2));
  list.Add(c.kernel, "last blocks", c.depth % 16 ? tiles : 0);
  list.Add(c.kernel, "table tiles", c.table ? tiles : 0);
  list.Add(c.kernel, "general tiles", plain ? (c.columns % 4 ? CeilDiv(c.rows, 2) : 0) : tiles);
}

// `height` rows, interleaved, by four columns; columns that the tile does not store itself go through its sums. Rows
// that are left, as pairs and alone.
inline void LinearInterleavedTerms(const LinearCall &c, int64_t height, TermList &list) {
  const int64_t times = c.rows / height, blocks = CeilDiv(c.depth, 4), groups = CeilDiv(c.columns, 4);
  const int64_t whole = c.y_bytes == 1 ? c.columns / 4 : 0, rest = c.rows - times * height;
  list.Add(c.kernel, "row tiles", times);
  list.Add(c.kernel, "interleaved", times * c.depth);
  list.Add(c.kernel, "interleaved tails", times * (4 * blocks - c.depth));
  list.Add(c.kernel, "blocks", times * groups * blocks);
  list.Add(c.kernel, "rounds", times * groups * CeilDiv(blocks, 4));
  list.Add(c.kernel, "tiles", times * whole);
  list.Add(c.kernel, "table tiles", c.table ? times * whole : 0);
  list.Add(c.kernel, "sum tiles", times * (groups - whole));
  list.Add(c.kernel, "sum outputs", (c.columns - 4 * whole) * times * height);
  list.Add(c.kernel, "pair tiles", rest / 2 * groups);
  list.Add(c.kernel, "pair blocks", rest / 2 * groups * blocks);
  list.Add(c.kernel, "row tiles alone", rest % 2 * groups);
  list.Add(c.kernel, "row blocks", rest % 2 * groups * blocks);
  list.Add(c.kernel, "rest outputs", rest * c.columns);
}

// Tiles of up to 16 rows, in fours, of which the last may be a pair, by one column, widened once per tile.
inline void LinearArmv6mTerms(const LinearCall &c, TermList &list) {
  const int64_t blocks = CeilDiv(c.depth, 4), tile = LinearTile(c.rows);
  for (int64_t t = 0; t < c.rows; t += tile) {
    const int64_t count = std::min(tile, c.rows - t), pairs = CeilDiv(count, 2);
    list.Add(c.kernel, "row tiles", 1);
    list.Add(c.kernel, "panels", pairs);
    list.Add(c.kernel, c.x_dense ? "panel blocks" : "strided panel blocks", pairs * blocks);
    list.Add(c.kernel, "columns", c.columns);
    list.Add(c.kernel, "widened blocks", c.columns * blocks);
    list.Add(c.kernel, "fours", c.columns * (pairs / 2));
    list.Add(c.kernel, "blocks of four", c.columns * (pairs / 2) * blocks);
    list.Add(c.kernel, "last pairs", c.columns * (pairs % 2));
    list.Add(c.kernel, "blocks of two", c.columns * (pairs % 2) * blocks);
  }
  const int64_t outputs = c.rows * c.columns;
  list.Add(c.kernel, "outputs", outputs);
  list.Add(c.kernel, "wide outputs", c.y_bytes > 1 ? outputs : 0);
  list.Add(c.kernel, "table outputs", c.table ? outputs : 0);
}

// Two rows of s8, or one, by four columns.
inline void LinearScalarTerms(const LinearCall &c, TermList &list) {
  const bool s8 = std::strcmp(c.kernel, "linear_s8") == 0;
  const int64_t groups = CeilDiv(c.columns, 4), pairs = s8 && c.x_dense ? c.rows / 2 : 0, alone = c.rows - 2 * pairs;
  const int64_t outputs = c.rows * c.columns;
  list.Add(c.kernel, "rows", c.rows);
  list.Add(c.kernel, "pair tiles", groups * pairs);
  list.Add(c.kernel, "pair blocks", groups * pairs * (c.depth / 4));
  list.Add(c.kernel, "pair tails", groups * pairs * (c.depth % 4));
  list.Add(c.kernel, "row tiles", groups * alone);
  list.Add(c.kernel, "row steps", groups * alone * c.depth);
  list.Add(c.kernel, "row tails", s8 ? 0 : groups * alone * (c.depth % 4));
  list.Add(c.kernel, "outputs", outputs);
  list.Add(c.kernel, "wide outputs", c.y_bytes > 1 ? outputs : 0);
  list.Add(c.kernel, "table outputs", c.table ? outputs : 0);
  list.Add(c.kernel, "shifted outputs", c.shifted ? outputs : 0);
}

// isa: as in isa.hpp.
inline void LinearTerms(const std::string &isa, const LinearCall &call, TermList &list) {
  if (isa == "_dsp") return LinearDspTerms(call, list);
  if (isa == "_mve") return LinearMveTerms(call, list);
  if (isa == "_rv32") return LinearInterleavedTerms(call, 4, list);
  if (isa == "_armv7m") return LinearInterleavedTerms(call, 2, list);
  if (isa == "_armv6m") return LinearArmv6mTerms(call, list);
  LinearScalarTerms(call, list);
}

// The kernel's parameters as C text; the constants by the names given, `table` "0" where there is none.
inline std::string LinearText(const o2m_linear_params &p, const std::string &weights, const std::string &bias,
                              const std::string &multiplier, const std::string &table) {
  return Initializer()
      .Field("depth", p.depth)
      .Field("columns", p.columns)
      .Field("x_row", p.x_row)
      .Field("x_column", p.x_column)
      .Field("y_row", p.y_row)
      .Field("y_column", p.y_column)
      .Field("y_zero", p.y_zero)
      .Field("y_bytes", p.y_bytes)
      .Field("shift", p.shift)
      .Field("acc_shift", p.acc_shift)
      .Field("tile", p.tile)
      .Field("weights", weights)
      .Field("bias", bias)
      .Field("multiplier", multiplier)
      .Field("table", table)
      .text();
}

}  // namespace o2m
