// importer/eval_transposed.cc - what adds windows into an image: ConvTranspose and Col2Im.
#include <algorithm>

#include "importer/eval_op.h"

namespace onnx2mcu {
namespace {

// Element (i, k) of the input and the kernel goes to i * stride + k * dilation - begin, along every axis.
struct Scattered {
  Dims in, kernel, out, strides, dilations, begin;
};

bool InRange(const Dims &values, int64_t low) {
  return std::all_of(values.begin(), values.end(), [low](int64_t v) { return v >= low && v <= 1 << 20; });
}

absl::Status CheckScatter(const Scattered &s) {
  const size_t rank = s.in.size();
  if (s.kernel.size() != rank || s.strides.size() != rank || s.dilations.size() != rank || s.begin.size() != rank) {
    return Invalid("kernel, strides, dilations and pads have another number of axes than the input");
  }
  if (InRange(s.kernel, 1) && InRange(s.strides, 1) && InRange(s.dilations, 1) && InRange(s.out, 1)) {
    return absl::OkStatus();
  }
  return Invalid("kernel, strides, dilations or output size are out of range; positive ones would work");
}

// Where in the flat output position i of the input goes through position k of the kernel; -1: outside.
int64_t TargetOf(const Scattered &s, int64_t i, int64_t k) {
  int64_t target = 0, unit = 1;
  for (size_t d = s.in.size(); d-- > 0;) {
    const int64_t at = i % s.in[d] * s.strides[d] + k % s.kernel[d] * s.dilations[d] - s.begin[d];
    if (at < 0 || at >= s.out[d]) return -1;
    target += at * unit, unit *= s.out[d];
    i /= s.in[d], k /= s.kernel[d];
  }
  return target;
}

// Sizes and pads of the output from `output_shape`, auto_pad or pads, as the ONNX definition has them.
void SetOutput(const FloatNode &node, Scattered &s) {
  const size_t rank = s.in.size();
  const std::string mode = AttrString(node, "auto_pad", "NOTSET");
  const Dims extra = AttrInts(node, "output_padding", Dims(rank, 0));
  const Dims pads = AttrInts(node, "pads", Dims(2 * rank, 0));
  Dims asked = AttrInts(node, "output_shape");
  for (size_t d = 0; d < rank; d++) {
    const int64_t full = s.strides[d] * (s.in[d] - 1) + extra[d] + (s.kernel[d] - 1) * s.dilations[d] + 1;
    const bool same = mode == "SAME_UPPER" || mode == "SAME_LOWER";
    const bool given = asked.size() >= rank;
    if (!given && !same) {
      const bool padded = mode == "NOTSET" && pads.size() == 2 * rank;
      s.begin.push_back(padded ? pads[d] : 0);
      s.out.push_back(full - (padded ? pads[d] + pads[d + rank] : 0));
      continue;
    }
    s.out.push_back(given ? asked[asked.size() - rank + d] : s.in[d] * s.strides[d]);
    const int64_t total = std::max<int64_t>(0, full - s.out[d]);
    s.begin.push_back(mode == "SAME_UPPER" ? total / 2 : total - total / 2);
  }
}

Values ConvTranspose(const OpCall &call) {
  const Value &x = call.in(0), &w = call.in(1);
  const int64_t groups = AttrInt(call.node, "group", 1);
  if (x.dims.size() < 3 || w.dims.size() != x.dims.size() || x.dims[1] != w.dims[0] || groups < 1 ||
      x.dims[1] % groups != 0) {
    return Invalid("input of shape ", ShapeText(x.dims), " and weights of shape ", ShapeText(w.dims), " in ", groups,
                   " group(s) do not fit");
  }
  Scattered s;
  s.in.assign(x.dims.begin() + 2, x.dims.end()), s.kernel.assign(w.dims.begin() + 2, w.dims.end());
  s.strides = AttrInts(call.node, "strides", Dims(s.in.size(), 1));
  s.dilations = AttrInts(call.node, "dilations", Dims(s.in.size(), 1));
  if (s.strides.size() != s.in.size() || s.dilations.size() != s.in.size()) return CheckScatter(s);
  SetOutput(call.node, s);
  O2M_RETURN_IF_ERROR(CheckScatter(s));
  const int64_t in = ElementCount(s.in), area = ElementCount(s.kernel), out = ElementCount(s.out);
  const int64_t per_group = x.dims[1] / groups, made = w.dims[1], channels = made * groups;
  Dims dims = {x.dims[0], channels};
  dims.insert(dims.end(), s.out.begin(), s.out.end());
  O2M_RETURN_IF_ERROR(CheckSize(dims));
  Value y = Floats(dims);
  if (call.has(2)) {
    if (Count(call.in(2)) != channels) return Invalid("bias of ", Count(call.in(2)), " elements; ", channels, " would");
    for (size_t k = 0; k < y.f.size(); k++) y.f[k] = call.in(2).f[static_cast<int64_t>(k) / out % channels];
  }
  for (int64_t k = 0; k < area; k++)
    for (int64_t i = 0; i < in; i++) {
      const int64_t target = TargetOf(s, i, k);
      if (target < 0) continue;
      for (int64_t n = 0; n < x.dims[0]; n++)
        for (int64_t c = 0; c < x.dims[1]; c++)
          for (int64_t o = 0; o < made; o++)
            y.f[(n * channels + c / per_group * made + o) * out + target] +=
                x.f[(n * x.dims[1] + c) * in + i] * w.f[(c * made + o) * area + k];
    }
  return One(std::move(y));
}

Values Col2Im(const OpCall &call) {
  const Value &x = call.in(0);
  Scattered s;
  s.out = call.in(1).i, s.kernel = call.in(2).i;
  const size_t rank = s.out.size();
  s.strides = AttrInts(call.node, "strides", Dims(rank, 1));
  s.dilations = AttrInts(call.node, "dilations", Dims(rank, 1));
  const Dims pads = AttrInts(call.node, "pads", Dims(2 * rank, 0));
  if (x.dims.size() != 3 || rank == 0 || s.kernel.size() != rank || pads.size() != 2 * rank ||
      s.strides.size() != rank || s.dilations.size() != rank || !InRange(s.strides, 1)) {
    return Invalid("columns of shape ", ShapeText(x.dims), " and blocks of ", s.kernel.size(), " axes do not fit");
  }
  s.begin.assign(pads.begin(), pads.begin() + rank);
  for (size_t d = 0; d < rank; d++)
    s.in.push_back((s.out[d] + pads[d] + pads[d + rank] - s.dilations[d] * (s.kernel[d] - 1) - 1) / s.strides[d] + 1);
  O2M_RETURN_IF_ERROR(CheckScatter(s));
  const int64_t blocks = ElementCount(s.in), area = ElementCount(s.kernel), out = ElementCount(s.out);
  if (blocks != x.dims[2] || x.dims[1] % area != 0) {
    return Invalid("columns of shape ", ShapeText(x.dims), " are not ", blocks, " blocks of ", area, " places");
  }
  const int64_t channels = x.dims[1] / area;
  Dims dims = {x.dims[0], channels};
  dims.insert(dims.end(), s.out.begin(), s.out.end());
  O2M_RETURN_IF_ERROR(CheckSize(dims));
  Value y = Floats(dims);
  for (int64_t k = 0; k < area; k++)
    for (int64_t i = 0; i < blocks; i++) {
      const int64_t target = TargetOf(s, i, k);
      for (int64_t plane = 0; target >= 0 && plane < x.dims[0] * channels; plane++)
        y.f[plane * out + target] += x.f[(plane * area + k) * blocks + i];
    }
  return One(std::move(y));
}

}  // namespace

std::vector<OpEntry> TransposedOps() { return {{"ConvTranspose", "fff?", ConvTranspose}, {"Col2Im", "fii", Col2Im}}; }

}  // namespace onnx2mcu
