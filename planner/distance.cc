#include "planner/distance.h"

#include <algorithm>
#include <limits>

namespace onnx2mcu {

int64_t MinDistance(int64_t n, int64_t rows, int64_t x_row, int64_t y_row, bool in_place) {
  int64_t distance = 0;
  for (int64_t first = 0; first < n; first += rows) {
    const int64_t done = std::min(first + rows, n);
    const int64_t live = in_place ? done : first;  // first row of x still needed
    if (live < n) distance = std::max(distance, done * y_row - live * x_row);
  }
  return distance;
}

namespace {

// Past the last byte of y that steps [0, done) write.
int64_t BytesWritten(const Touch &writer, int64_t done) {
  if (writer.whole || writer.row_stride <= 0) return EndByte(writer);
  const int64_t rows = std::min(writer.rows, (done - 1) * writer.step - writer.before + writer.extent);
  return writer.offset + std::max<int64_t>(rows - 1, 0) * writer.row_stride + InnerSpan(writer);
}

// First byte of x that steps [live, steps) read; nothing is left after the last step.
int64_t Needed(const Touch &reader, int64_t live, int32_t steps) {
  if (live >= steps) return std::numeric_limits<int64_t>::max();
  if (reader.whole || reader.row_stride <= 0) return FirstByte(reader);
  const Touch row{.offset = reader.offset, .inner = reader.inner};
  return FirstByte(row) + std::max<int64_t>(live * reader.step - reader.before, 0) * reader.row_stride;
}

int64_t Gap(int64_t written, int64_t needed) {
  return needed == std::numeric_limits<int64_t>::max() ? 0 : written - needed;
}

// An op that overwrites its own input buffers the row or walks it upward, so rows must agree byte by byte.
bool RowsAgree(const Touch &writer, const Touch &reader) {
  if (writer.whole || reader.whole || writer.row_stride <= 0 || reader.row_stride <= 0) return false;
  if (InnerDense(writer) && InnerDense(reader)) return true;
  const auto same = [](const ByteAxis &a, const ByteAxis &b) { return a.dim == b.dim && a.stride == b.stride; };
  return std::equal(writer.inner.begin(), writer.inner.end(), reader.inner.begin(), reader.inner.end(), same);
}

int64_t InPlaceDistance(int32_t steps, const Touch &writer, const Touch &reader) {
  int64_t distance = 0;
  for (int64_t u : {int64_t{0}, int64_t{1}, int64_t{steps} - 2, int64_t{steps} - 1}) {
    if (u < 0 || u >= steps) continue;
    const int64_t y = writer.offset + u * writer.step * writer.row_stride;
    distance = std::max(distance, y - Needed(reader, u, steps));
    distance = std::max(distance, Gap(BytesWritten(writer, u + 1), Needed(reader, u + 1, steps)));
  }
  return distance;
}

}  // namespace

// Both ends move linearly with the iteration k, except for the last one and for bands, whose start is cut off at row 0:
// the gap is piecewise linear and largest at an end of a piece.
int64_t MinDistance(int32_t steps, int32_t rows, const Touch &writer, const Touch &reader, ReadOrder order) {
  if (order == ReadOrder::kInPlace && !RowsAgree(writer, reader)) order = ReadOrder::kAfter;
  if (order == ReadOrder::kInPlace && reader.extent == reader.step && reader.before == 0)
    return InPlaceDistance(steps, writer, reader);
  const int64_t iterations = CeilDiv(steps, rows);
  const int64_t kink = reader.whole ? 0 : reader.before / std::max<int64_t>(reader.step * rows, 1);
  int64_t distance = 0;
  for (int64_t k : {int64_t{0}, int64_t{1}, kink - 1, kink, kink + 1, iterations - 2, iterations - 1}) {
    if (k < 0 || k >= iterations) continue;
    const int64_t done = std::min<int64_t>((k + 1) * rows, steps);
    const int64_t live = order == ReadOrder::kBefore ? done : k * rows;
    distance = std::max(distance, Gap(BytesWritten(writer, done), Needed(reader, live, steps)));
  }
  return distance;
}

}  // namespace onnx2mcu
