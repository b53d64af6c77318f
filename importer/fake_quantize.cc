#include "importer/fake_quantize.h"

#include <algorithm>
#include <cmath>

namespace onnx2mcu {

bool IsFakeQuantize(const FloatNode &node) {
  return node.domain == kFakeQuantizeDomain && node.op_type == "FakeQuantize";
}

bool IsInPlace(const FloatNode &node) { return IsFakeQuantize(node) && AttrInt(node, "in_place", 0) != 0; }

Grid GridOf(const FloatNode &node) {
  return {AttrFloat(node, "scale", 1), AttrInt(node, "zero_point", 0), AttrInt(node, "low", -128),
          AttrInt(node, "high", 127)};
}

std::map<std::string, Attr> AttrsOf(const Grid &grid) {
  return {{"scale", grid.scale}, {"zero_point", grid.zero_point}, {"low", grid.low}, {"high", grid.high}};
}

float Rounded(const Grid &grid, float x) {
  if (grid.scale == 0) return x;
  const float q = std::nearbyint(x / grid.scale);
  if (std::isnan(q)) return 0;
  const double moved = static_cast<double>(q) + static_cast<double>(grid.zero_point);
  const double held = std::clamp(moved, static_cast<double>(grid.low), static_cast<double>(grid.high));
  return static_cast<float>(held - static_cast<double>(grid.zero_point)) * grid.scale;
}

bool OnGrid(const Tensor &constant, const Grid &grid) {
  if (grid.scale == 0) return false;
  const float *const values = FloatData(constant);
  return std::all_of(values, values + ElementCount(constant.dims),
                     [&](float v) { return std::fabs(Rounded(grid, v) - v) <= 1e-6f * grid.scale; });
}

DType DTypeOf(const Grid &grid) { return grid.low < -128 || grid.high > 127 ? DType::kS16 : DType::kS8; }

QuantParams QuantOf(const Grid &grid) { return {{grid.scale}, {static_cast<int32_t>(grid.zero_point)}, kNone}; }

}  // namespace onnx2mcu
