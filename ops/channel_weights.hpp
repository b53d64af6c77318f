// channel_weights.hpp - constant weights [O][K] of a convolution, s8 with one scale per output channel, and the bias,
// multipliers and shift that go with them. Accumulators are s32:
//   acc = bias[o] + sum_k w[o][k] * x[k],  y = zero_point + acc * multiplier[o] / 2^shift
#pragma once
#include <string>

#include "elementwise.hpp"
#include "image_op.hpp"
#include "weight_grid.hpp"

namespace o2m {

// |bias| stays below 2^26, so that the rounding of a multiplier moves an output by 1/32 at most.
inline constexpr double kLargestChannelBias = 67108864;
// Beside an s16 image. What a wider bias takes from the weights' 7 bits, such an image shows 256 times as clearly.
inline constexpr double kLargestWideBias = 268435456;
// Where a bias, or a sum that acc_shift cuts, is rounded to a unit of the accumulator, a unit is less than two steps of
// the output: the result then is one step at most from the correctly rounded one. Calibrated ranges stay near 1: a
// product of two bytes is 2.03 steps of an s16 output that it fills, and s16 ranges have twofold headroom.
inline constexpr double kLargestRoundedFactor = 1.9;
// So many products of two bytes fit an s32 accumulator, zero points folded in.
inline constexpr int64_t kLargestChannelDepth = 30000;

// One layer's channels; `weights` and `bias` are null while only a price is asked.
struct Channels {
  const float *weights = nullptr, *bias = nullptr;
  int64_t count = 0, depth = 0;  // O, K
  double x_scale = 1, y_scale = 1;
  int32_t x_zero = 0;
  bool wide = false;  // x is s16: sums are of 64 bits, and 2^acc_shift of a sum make one unit of the accumulator
  int32_t acc_shift = 0;
};

inline double LargestBias(const Channels &c) { return c.wide ? kLargestWideBias : kLargestChannelBias; }

// Bits that a sum of `depth` products of an s16 image and a byte gives up to be an s32 accumulator.
inline int32_t WideAccShift(int64_t depth, int32_t x_zero = 0) {
  const double most = (32768.0 + std::abs(x_zero)) * 127 * static_cast<double>(depth) + 2 * kLargestWideBias;
  int32_t shift = 0;
  while (most / std::ldexp(1.0, shift) > 1073741824.0) ++shift;
  return shift;
}

inline Channels ChannelsOf(const o2m_node *node) {
  const o2m_tensor &x = *node->inputs[0], &w = *node->inputs[1];
  Channels c;
  c.weights = Floats(w);
  c.bias = node->input_count > 2 ? Floats(*node->inputs[2]) : nullptr;
  c.count = w.dims[0];
  c.depth = ElementCount(w) / w.dims[0];
  c.x_scale = ScaleOf(x);
  c.y_scale = (node->epilogue ? node->epilogue->in : node->outputs[0]->quant).scale[0];
  c.x_zero = ZeroPointOf(x);
  c.wide = x.dtype == O2M_S16;
  c.acc_shift = c.wide ? WideAccShift(c.depth, c.x_zero) : 0;
  return c;
}

// A channel of zeros may have any scale, so it takes one that suits the output.
inline double ChannelScale(const Channels &c, double largest, double bias) {
  const double for_bias = std::fabs(bias) / (c.x_scale * LargestBias(c));
  return std::fmax(largest > 0 ? largest / 127 : c.y_scale / c.x_scale / 1024, for_bias);
}

inline double LargestMagnitude(const float *values, int64_t count) {
  float largest = 0;
  for (int64_t i = 0; i < count; ++i) largest = std::fmax(largest, std::fabs(values[i]));
  return largest;
}

// The scale of channel o.
inline double ScaleOfChannel(const Channels &c, int64_t o) {
  const float *w = c.weights + o * c.depth;
  const double grid = GridStep(w, c.depth, 1);
  return ChannelScale(c, grid > 0 ? 127 * grid : LargestMagnitude(w, c.depth), c.bias ? c.bias[o] : 0);
}

// The largest bias, zero point of x included, fits s32.
inline bool BiasesFit(const Channels &c) {
  for (int64_t o = 0; c.weights && o < c.count; ++o) {
    double sum = 0;
    for (int64_t k = 0; k < c.depth; ++k) sum += c.weights[o * c.depth + k];
    const double steps = std::fabs(sum) / ScaleOfChannel(c, o) + 0.5 * static_cast<double>(c.depth);
    if (steps * std::abs(c.x_zero) + LargestBias(c) > INT32_MAX) return false;
  }
  return true;
}

// The largest that ScaleOfChannel() can be, quick; and as it is, where that is too large for the finest shift.
inline double LargestChannelScale(const Channels &c, double finest) {
  const double bias = c.bias ? LargestMagnitude(c.bias, c.count) : 0;
  double most = ChannelScale(c, LargestMagnitude(c.weights, c.count * c.depth), bias);
  if (most * kGridFactor < finest) return most;
  for (int64_t o = 0; o < c.count; ++o) most = std::fmax(most, ScaleOfChannel(c, o));
  return most;
}

// The one shift of the layer, from its largest factor. wants_32: WantsShift32(), where the op has such a kernel.
inline o2m_status ChooseChannelShift(const o2m_host *host, const Channels &c, int32_t *shift, bool wants_32 = false) {
  *shift = 31;
  if (c.depth > kLargestChannelDepth)
    return Reject(host, Str("the kernel sums ", c.depth, " products; at most ", kLargestChannelDepth, " would work"));
  if (!c.weights) return O2M_OK;
  const double ratio = c.x_scale / c.y_scale * std::ldexp(1.0, c.acc_shift);
  const double factor = LargestChannelScale(c, 0.499 / ratio) * ratio, values = c.wide ? 65536 : 256;
  const bool rounded = c.acc_shift > 0 || (c.bias && LargestMagnitude(c.bias, c.count) > 0);
  if ((values * 127 * static_cast<double>(c.depth) + LargestBias(c)) * factor >
          1073741824.0 * std::ldexp(1.0, c.acc_shift) ||
      (rounded && factor > kLargestRoundedFactor))
    return Reject(host,
                  Str("the output's scale, ", c.y_scale, ", is too small for these weights and the input's scale, ",
                      c.x_scale, "; other calibration images would work"));
  *shift = ShiftFor(factor);
  if (wants_32 && factor < 0.499) *shift = 32;
  return O2M_OK;
}

// Channel o: its weights through `place(k, q)`, k counting the K floats in their own order, its bias and multiplier.
template <class Place>
void PackChannel(const Channels &c, int64_t o, int32_t shift, int32_t *bias, int32_t *multiplier, const Place &place) {
  const float *w = c.weights + o * c.depth;
  const double b = c.bias ? c.bias[o] : 0;
  const double scale = ScaleOfChannel(c, o);
  const int32_t low = std::fabs(b) < scale * c.x_scale * LargestBias(c) / 2 ? -128 : -127;  // see weight_grid.hpp
  int64_t sum = 0;
  for (int64_t k = 0; k < c.depth; ++k) {
    const int32_t q = RoundToInt(w[k] / scale, low, 127);
    place(k, static_cast<int8_t>(q));
    sum += q;
  }
  bias[o] = RoundToInt(b / (scale * c.x_scale) - 1.0 * c.x_zero * static_cast<double>(sum));
  multiplier[o] = LayerMultiplier(scale * c.x_scale / c.y_scale * std::ldexp(1.0, c.acc_shift), shift);
}

// What convolutions ask of their operands: x [1, C, H, W] of one of `dtypes`, constant weights [O, C / group, kh, kw],
// bias [O].
inline o2m_status CheckConvOperands(const o2m_host *host, const o2m_node *node, int32_t group,
                                    uint32_t dtypes = Mask(O2M_S8) | Mask(O2M_U8)) {
  if (node->input_count < 2 || node->input_count > 3 || node->output_count != 1)
    return Reject(host, "a convolution has an input, weights, maybe a bias, and one output");
  const o2m_tensor &x = *node->inputs[0], &w = *node->inputs[1];
  if (o2m_status s = CheckQuantised(host, x, "the input", dtypes)) return s;
  if (x.rank != 4 || x.dims[0] != 1) return Reject(host, Str("the input is ", Shape(x), "; [1, C, H, W] would work"));
  if (!w.is_constant || w.dtype != O2M_F32 || w.rank != 4 || ElementCount(w) < 1)
    return Reject(host, "the weights must be a constant f32 of shape [O, C / group, kh, kw]");
  if (group < 1 || x.dims[1] != w.dims[1] * group || w.dims[0] % group != 0)
    return Reject(host, Str("the weights ", Shape(w), " in ", group, " groups do not fit the input ", Shape(x)));
  if (node->input_count == 2) return O2M_OK;
  const o2m_tensor &b = *node->inputs[2];
  if (!b.is_constant || b.dtype != O2M_F32 || ElementCount(b) != w.dims[0])
    return Reject(host, Str("the bias must be a constant f32 of ", w.dims[0], " values, not ", Shape(b)));
  return O2M_OK;
}

// dtype and quant of a convolution's output, checked. Without a preset, a range of four standard deviations of sums of
// independent products would be a guess: the input's scale serves as well.
inline o2m_status SettleConvOutput(const o2m_host *host, o2m_node *node, OwnQuant &own) {
  o2m_tensor &y = *node->outputs[0];
  const int32_t zero = node->inputs[0]->dtype == O2M_U8 ? 0 : ZeroPointOf(*node->inputs[0]);
  SettleOutput(y, O2M_S8, own, ScaleOf(*node->inputs[0]), zero);
  if (o2m_status s = CheckQuantised(host, y, "the output", kMaskS8S16)) return s;
  if (node->epilogue && y.dtype != O2M_S8) return Reject(host, "a table in the epilogue needs an s8 output");
  return O2M_OK;
}

// ---- Constants and kernel parameters of a convolution
// ----------------------------------------------------------------

enum ConvSlot { kConvWeights, kConvBias, kConvMultiplier, kConvTable };

inline void SetConvConstants(o2m_node *node) {
  const o2m_tensor &w = *node->inputs[1];
  SetConstants(node, {{"weights", O2M_S8, ElementCount(w), nullptr},
                      {"bias", O2M_S32, w.dims[0], nullptr},
                      {"multiplier", O2M_S32, w.dims[0], nullptr},
                      {"table", O2M_S8, node->epilogue ? 256 : 0, nullptr}});
}

// Packs all channels: weight k of channel o through `place(o, k, q)`, and the table of the epilogue.
template <class Place>
void PackConv(o2m_node *node, const Channels &channels, int32_t shift, const Place &place) {
  for (int64_t o = 0; o < channels.count; ++o) {
    PackChannel(channels, o, shift, ConstantData<int32_t>(node, kConvBias),
                ConstantData<int32_t>(node, kConvMultiplier), [&](int64_t k, int8_t q) { place(o, k, q); });
  }
  if (node->epilogue) std::memcpy(node->constants[kConvTable].data, node->epilogue->table, 256);
}

// Strides, output type and constants.
template <class Params>
void SetConvParams(const o2m_node *node, int32_t shift, Params &p) {
  const o2m_tensor &x = *node->inputs[0], &y = *node->outputs[0];
  SetImageStrides(x, y, p);
  p.x_signed = x.dtype == O2M_S8;
  p.y_bytes = static_cast<int32_t>(BytesOf(y.dtype));
  p.y_zero = (node->epilogue ? node->epilogue->in : y.quant).zero_point[0];
  p.shift = shift;
  p.weights = ConstantData<const int8_t>(node, kConvWeights);
  p.bias = ConstantData<const int32_t>(node, kConvBias);
  p.multiplier = ConstantData<const int32_t>(node, kConvMultiplier);
  p.table = node->epilogue ? ConstantData<const int8_t>(node, kConvTable) : nullptr;
}
// The last of the fields that SetConvParams() sets, from y_bytes on.
template <class Params>
void AddConvOutput(const Params &p, const o2m_node *node, const o2m_emitter *e, Initializer &text) {
  text.Field("y_bytes", p.y_bytes)
      .Field("y_zero", p.y_zero)
      .Field("shift", p.shift)
      .Field("weights", ConstantName(e, kConvWeights))
      .Field("bias", ConstantName(e, kConvBias))
      .Field("multiplier", ConstantName(e, kConvMultiplier))
      .Field("table", node->epilogue ? ConstantName(e, kConvTable) : "0");
}

// Weights and biases of a case.
inline CaseOperand CaseWeights(const std::vector<int32_t> &dims, uint64_t seed) {
  return {O2M_F32, dims, 0, 0, RandomFloats(int64_t{dims[0]} * dims[1] * dims[2] * dims[3], seed, 0.2f)};
}
inline CaseOperand CaseBias(int32_t outputs, uint64_t seed) {
  return {O2M_F32, {outputs}, 0, 0, RandomFloats(outputs, seed, 0.5f)};
}

}  // namespace o2m
