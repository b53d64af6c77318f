// ConvTranspose and Col2Im as convolutions. Output f = i s + k of a transposed convolution of stride s sees the places
// k of the kernel with k = f modulo s only. So every phase of f is a convolution of stride 1 with each s-th place of
// the kernel, all phases are the channels of one convolution, and a Transpose puts them side by side (sub-pixel
// convolution: Shi et al., arXiv:1609.05158).
#include <algorithm>

#include "importer/canonicalize.h"

namespace onnx2mcu {
namespace {

// Of two spatial axes each.
struct TransposedConv {
  int64_t group = 1, in_channels = 0, out_channels = 0;  // the latter per group
  Dims in, out, kernel, strides, begin;
  std::vector<float> weight;  // [in_channels, out_channels, kernel], dilation written out
};

Dims TwoOf(Dims values, int64_t one) {
  if (values.size() == 1) values.insert(values.begin(), one);
  return values;
}

// Begins of the padding, from auto_pad, output_shape or pads.
Dims Begins(const FloatNode &node, const TransposedConv &t, const Dims &reach) {
  const std::string mode = AttrString(node, "auto_pad", "NOTSET");
  const Dims pads = AttrInts(node, "pads");
  const size_t rank = AttrInts(node, "pads", Dims(4, 0)).size() / 2;
  const bool asked = node.attrs.count("output_shape") > 0;
  const Dims extra = TwoOf(AttrInts(node, "output_padding", Dims(rank, 0)), 0);
  Dims begin;
  for (size_t d = 0; d < 2; d++) {
    const int64_t total = std::max<int64_t>(0, t.strides[d] * (t.in[d] - 1) + extra[d] + reach[d] - t.out[d]);
    begin.push_back(mode == "SAME_UPPER" ? total / 2 : total - total / 2);
  }
  if (asked || mode == "SAME_UPPER" || mode == "SAME_LOWER") return begin;
  if (mode == "VALID" || pads.empty()) return {0, 0};
  return TwoOf(Dims(pads.begin(), pads.begin() + static_cast<int64_t>(rank)), 0);
}

std::optional<TransposedConv> Describe(const Rewriter &r, const FloatNode &node) {
  const Dims x = r.DimsOf(node.inputs[0]), w = r.DimsOf(node.inputs[1]), y = r.DimsOf(node.outputs[0]);
  if ((x.size() != 3 && x.size() != 4) || x[0] != 1 || !r.IsFloatConstant(node.inputs[1])) return std::nullopt;
  const Dims ones(x.size() - 2, 1);
  TransposedConv t;
  t.group = AttrInt(node, "group", 1), t.in_channels = x[1], t.out_channels = w[1];
  t.in = TwoOf(Dims(x.begin() + 2, x.end()), 1), t.out = TwoOf(Dims(y.begin() + 2, y.end()), 1);
  t.strides = TwoOf(AttrInts(node, "strides", ones), 1);
  const Dims kernel = TwoOf(Dims(w.begin() + 2, w.end()), 1), dilations = TwoOf(AttrInts(node, "dilations", ones), 1);
  for (size_t d = 0; d < 2; d++) t.kernel.push_back((kernel[d] - 1) * dilations[d] + 1);
  t.begin = Begins(node, t, t.kernel);
  const std::vector<float> weight = r.Floats(node.inputs[1]);
  t.weight.assign(w[0] * w[1] * ElementCount(t.kernel), 0.0f);
  for (size_t i = 0; i < weight.size(); i++) {
    const int64_t n = static_cast<int64_t>(i), column = n % kernel[1], row = n / kernel[1] % kernel[0];
    const int64_t plane = n / kernel[1] / kernel[0];
    t.weight[(plane * t.kernel[0] + row * dilations[0]) * t.kernel[1] + column * dilations[1]] = weight[i];
  }
  return t;
}

// Taps of a phase along axis d: as many as the kernel has, and as the last output asks for.
int64_t TapsOf(const TransposedConv &t, size_t d) {
  int64_t taps = (t.kernel[d] + t.strides[d] - 1) / t.strides[d];
  while (t.strides[d] * (t.in[d] + taps - 1) < t.begin[d] + t.out[d]) taps++;
  return taps;
}

// [group, out_channels, s_h, s_w, in_channels / group, m_h, m_w]: tap m of a phase p, turned round, is place
// p + s (M - 1 - m) of the kernel.
std::vector<float> PhaseWeights(const TransposedConv &t, const Dims &taps) {
  const int64_t per_group = t.in_channels / t.group;
  std::vector<float> weights;
  for (int64_t g = 0; g < t.group; g++)
    for (int64_t o = 0; o < t.out_channels; o++)
      for (int64_t p = 0; p < t.strides[0] * t.strides[1]; p++)
        for (int64_t c = g * per_group; c < (g + 1) * per_group; c++)
          for (int64_t m = 0; m < taps[0] * taps[1]; m++) {
            const int64_t row = p / t.strides[1] + t.strides[0] * (taps[0] - 1 - m / taps[1]);
            const int64_t column = p % t.strides[1] + t.strides[1] * (taps[1] - 1 - m % taps[1]);
            const bool inside = row < t.kernel[0] && column < t.kernel[1];
            const int64_t at = ((c * t.out_channels + o) * t.kernel[0] + row) * t.kernel[1] + column;
            weights.push_back(inside ? t.weight[at] : 0.0f);
          }
  return weights;
}

TensorId RepeatedBias(Rewriter &r, const FloatNode &node, int64_t channels, int64_t phases) {
  std::vector<float> bias;
  const bool given = node.inputs.size() > 2 && node.inputs[2] != kNone;
  const std::vector<float> values = given ? r.Floats(node.inputs[2]) : std::vector<float>(channels, 0.0f);
  for (float value : values) bias.insert(bias.end(), phases, value);
  return r.NewFloats("bias", {channels * phases}, bias);
}

bool ConvTransposeToConv(Rewriter &r, NodeId id) {
  const FloatNode &node = r.node(id);
  if (!r.Is(id, "ConvTranspose") || r.IsConstant(node.inputs[0])) return false;
  if (node.inputs.size() > 2 && node.inputs[2] != kNone && !r.IsFloatConstant(node.inputs[2])) return false;
  const std::optional<TransposedConv> t = Describe(r, node);
  if (!t) return false;
  const Dims taps = {TapsOf(*t, 0), TapsOf(*t, 1)}, s = t->strides;
  const int64_t phases = s[0] * s[1], channels = t->group * t->out_channels;
  const TensorId weight =
      r.NewFloats(r.tensor(node.inputs[1]).name, {channels * phases, t->in_channels / t->group, taps[0], taps[1]},
                  PhaseWeights(*t, taps));
  const TensorId x = r.Reshape(id, node.inputs[0], {1, t->in_channels, t->in[0], t->in[1]});
  const Attrs attrs = {{"strides", Dims{1, 1}},
                       {"pads", Dims{taps[0] - 1, taps[1] - 1, taps[0] - 1, taps[1] - 1}},
                       {"dilations", Dims{1, 1}},
                       {"group", t->group}};
  TensorId y = r.Emit(id, "Conv", {x, weight, RepeatedBias(r, node, channels, phases)}, attrs);
  const int64_t h = t->in[0] + taps[0] - 1, w = t->in[1] + taps[1] - 1;
  y = r.Transpose(id, r.Reshape(id, y, {1, channels, s[0], s[1], h, w}), {0, 1, 4, 2, 5, 3});
  y = r.Reshape(id, y, {1, channels, h * s[0], w * s[1]});
  y = r.Slice(id, y, 2, t->begin[0], t->begin[0] + t->out[0]);
  y = r.Slice(id, y, 3, t->begin[1], t->begin[1] + t->out[1]);
  r.Replace(node.outputs[0], r.Reshape(id, y, r.DimsOf(node.outputs[0])));
  return true;
}

// Patches added into an image: a transposed convolution whose weight k is 1 at place k and else 0.
bool PatchesToConv(Rewriter &r, NodeId id) {
  const FloatNode &node = r.node(id);
  if (!r.Is(id, "Col2Im")) return false;
  const Dims kernel = r.Ints(node.inputs[2]), x = r.DimsOf(node.inputs[0]), y = r.DimsOf(node.outputs[0]);
  if (kernel.size() != 2 || x[0] != 1) return false;
  const Dims strides = AttrInts(node, "strides", {1, 1}), dilations = AttrInts(node, "dilations", {1, 1});
  const Dims pads = AttrInts(node, "pads", Dims(4, 0));
  Dims blocks;
  for (size_t d = 0; d < 2; d++)
    blocks.push_back((y[d + 2] + pads[d] + pads[d + 2] - dilations[d] * (kernel[d] - 1) - 1) / strides[d] + 1);
  const int64_t area = ElementCount(kernel), channels = y[1];
  std::vector<float> ones(channels * area * area, 0.0f);
  for (int64_t c = 0; c < channels * area; c++) ones[c * area + c % area] = 1.0f;
  const TensorId image = r.Reshape(id, node.inputs[0], {1, x[1], blocks[0], blocks[1]});
  const TensorId weight = r.NewFloats("ones", {channels * area, 1, kernel[0], kernel[1]}, ones);
  Dims extra;  // rows and columns that no patch reaches
  for (size_t d = 0; d < 2; d++)
    extra.push_back(y[d + 2] + pads[d] + pads[d + 2] - strides[d] * (blocks[d] - 1) - dilations[d] * (kernel[d] - 1) -
                    1);
  const TensorId sum = r.Emit(
      id, "ConvTranspose", {image, weight},
      {{"strides", strides}, {"dilations", dilations}, {"pads", pads}, {"output_padding", extra}, {"group", channels}});
  if (r.DimsOf(sum) != y) return false;
  r.Replace(node.outputs[0], sum);
  return true;
}

}  // namespace

std::vector<FloatRewrite> TransposedRewrites() {
  return {{"patches to conv", PatchesToConv}, {"conv transpose to conv", ConvTransposeToConv}};
}

}  // namespace onnx2mcu
