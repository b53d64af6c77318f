// importer/fake_quantize.h - onnx2mcu.FakeQuantize: what QuantizeLinear and the DequantizeLinear behind it do to a
// float tensor. Canonicalize() leaves one wherever the model says how an activation is held; it lives in the float
// half, so that calibration and validation compute what the model computes, and hides from op->match() that its operand
// is the same tensor, so that no op takes over what lies on both sides of a rounding.
//
//   y = (clamp(round_half_even(x / scale) + zero_point, low, high) - zero_point) * scale
//
// Scale 0: one that calibration finds, for bytes; y = x until then. What quantises dynamically is made static so.
// Attributes: scale, zero_point, low, high; in_place where nobody else reads x, so that the op that writes x can round.
#pragma once
#include <optional>
#include <vector>

#include "importer/ir/graph.h"

namespace onnx2mcu {

inline constexpr char kFakeQuantizeDomain[] = "onnx2mcu";
inline constexpr char kFakeQuantizeName[] = "onnx2mcu.FakeQuantize";

// The values scale * (q - zero_point) with q in [low, high]: all of s8 or all of s16. u8 with zero point z is s8 with
// z - 128, u16 with z is s16 with z - 32768.
struct Grid {
  float scale = 0;
  int64_t zero_point = 0, low = 0, high = 0;
  bool operator==(const Grid &o) const {
    return scale == o.scale && zero_point == o.zero_point && low == o.low && high == o.high;
  }
};

bool IsFakeQuantize(const FloatNode &node);
// True where the node's operand and result share memory.
bool IsInPlace(const FloatNode &node);
Grid GridOf(const FloatNode &fake_quantize);
inline constexpr Grid kCalibratedBytes = {0, 0, -128, 127};
std::map<std::string, Attr> AttrsOf(const Grid &grid);
float Rounded(const Grid &grid, float x);
bool OnGrid(const Tensor &constant, const Grid &grid);  // all values of a float constant

// What the MCU holds of values on the grid.
DType DTypeOf(const Grid &grid);
QuantParams QuantOf(const Grid &grid);

}  // namespace onnx2mcu
