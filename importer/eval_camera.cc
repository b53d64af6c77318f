// importer/eval_camera.cc - onnx2mcu.Camera: the planes of an image out of a camera's bytes, in whole numbers, as the
// target computes them. Attributes: format (index into PixelFormats()), planes (3, or 1: grey), reversed (blue first),
// size (of the output), window (the scaled image's height and width, and where in it the output lies; zeros: not
// scaled).
#include <algorithm>
#include <cmath>

#include "importer/eval_op.h"
#include "ops/resample_taps.hpp"

namespace onnx2mcu {
namespace {

struct Planes {
  int64_t planes, height, width;
  std::vector<int64_t> values;
  int64_t &at(int64_t k, int64_t h, int64_t w) { return values[(k * height + h) * width + w]; }
};

int64_t Byte(float value) { return std::clamp<int64_t>(std::lround(value), 0, 255); }

// Red, green and blue.
std::array<int64_t, 3> Colours(const Value &x, int64_t format, int64_t pixel) {
  const int64_t area = x.dims[2] * x.dims[3];
  const auto byte = [&](int64_t k) { return Byte(x.f[k * area + pixel]); };
  if (format == 0) return {byte(0), byte(0), byte(0)};
  if (format == 1) return {byte(0), byte(1), byte(2)};
  if (format == 2) return {byte(2), byte(1), byte(0)};
  const int64_t word = format == 3 ? byte(1) << 8 | byte(0) : byte(0) << 8 | byte(1);
  const int64_t red = word >> 11, green = word >> 5 & 63, blue = word & 31;
  return {red << 3 | red >> 2, green << 2 | green >> 4, blue << 3 | blue >> 2};
}

Planes Unpacked(const Value &x, const FloatNode &node) {
  const int64_t format = AttrInt(node, "format", 0), planes = AttrInt(node, "planes", 3);
  Planes image{planes, x.dims[2], x.dims[3], std::vector<int64_t>(planes * x.dims[2] * x.dims[3])};
  for (int64_t h = 0; h < image.height; h++)
    for (int64_t w = 0; w < image.width; w++) {
      std::array<int64_t, 3> c = Colours(x, format, h * image.width + w);
      if (AttrInt(node, "reversed", 0)) std::swap(c[0], c[2]);
      if (planes == 1 && format != 0) c[0] = (19595 * c[0] + 38470 * c[1] + 7471 * c[2] + 32768) >> 16;
      for (int64_t k = 0; k < planes; k++) image.at(k, h, w) = c[k];
    }
  return image;
}

// Columns first, with 8 bits behind the point, then rows.
Planes Resampled(Planes image, const Dims &size, const Dims &window) {
  const auto i32 = [](int64_t v) { return static_cast<int32_t>(v); };
  const o2m::Taps down = o2m::TapsOf({i32(image.height), i32(window[0]), i32(window[2]), i32(size[0])});
  const o2m::Taps across = o2m::TapsOf({i32(image.width), i32(window[1]), i32(window[3]), i32(size[1])});
  Planes tall{image.planes, size[0], image.width, std::vector<int64_t>(image.planes * size[0] * image.width)};
  Planes y{image.planes, size[0], size[1], std::vector<int64_t>(image.planes * size[0] * size[1])};
  for (int64_t k = 0; k < image.planes; k++)
    for (int64_t r = 0; r < size[0]; r++) {
      for (int64_t w = 0; w < image.width; w++) {
        int64_t sum = 1 << 5;
        for (int64_t t = 0; t < down.taps; t++)
          sum += down.weights[r * down.taps + t] * image.at(k, down.first[r] + t, w);
        tall.at(k, r, w) = sum >> 6;
      }
      for (int64_t w = 0; w < size[1]; w++) {
        int64_t sum = 1 << 21;
        for (int64_t t = 0; t < across.taps; t++)
          sum += across.weights[w * across.taps + t] * tall.at(k, r, across.first[w] + t);
        y.at(k, r, w) = sum >> 22;
      }
    }
  return y;
}

Values Camera(const OpCall &call) {
  const Value &x = call.in(0);
  const Dims size = AttrInts(call.node, "size"), window = AttrInts(call.node, "window");
  if (x.dims.size() != 4 || size.size() != 2 || window.size() != 4)
    return Invalid("input of shape ", ShapeText(x.dims), "; [1,bytes,H,W] would work");
  Planes image = Unpacked(x, call.node);
  if (window[0] > 0) image = Resampled(std::move(image), size, window);
  Value y = Floats({1, image.planes, image.height, image.width});
  std::copy(image.values.begin(), image.values.end(), y.f.begin());
  return One(std::move(y));
}

}  // namespace

std::vector<OpEntry> CameraOps() { return {{"onnx2mcu.Camera", "f", Camera}}; }

}  // namespace onnx2mcu
