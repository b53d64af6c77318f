// planner/distance.h - token overwriting, which is one number: the least distance x - y, in bytes between the starts of
// two tensors, at which y may be written over x while a loop walks both upward.
#pragma once
#include <cstdint>

#include "planner/contract.h"

namespace onnx2mcu {

// The common case: n rows of x_row and y_row bytes, `rows` per iteration. in_place: the rows of x that an iteration
// consumes are dead before it writes.
int64_t MinDistance(int64_t n, int64_t rows, int64_t x_row, int64_t y_row, bool in_place);

// How the reader of x stands to the writer of y within one iteration.
enum class ReadOrder : uint8_t {
  kBefore,   // its reads of the iteration are over
  kInPlace,  // the same node, and the op lets output 0 of a step overwrite this input of that step
  kAfter     // the same node without that permission, or a later one
};

// The general case: views, bands that overlap, outer axes, whole operands. Bytes are relative to the starts of the two
// bases. Never negative. A result >= the size of y means that y may not lie over x at all.
int64_t MinDistance(int32_t steps, int32_t rows, const Touch &writer, const Touch &reader, ReadOrder order);

}  // namespace onnx2mcu
