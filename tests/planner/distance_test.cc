// MinDistance against a walk through every byte.
#include "planner/distance.h"

#include <gtest/gtest.h>

#include <random>

namespace onnx2mcu {
namespace {

// Does y, `distance` bytes below x, spare every byte of x that is still to be read?
bool Spares(int32_t steps, int32_t rows, const Touch &y, const Touch &x, ReadOrder order, int64_t distance) {
  const auto reads = [&](int64_t u, const auto &visit) {
    const int64_t low = std::max<int64_t>(u * x.step - x.before, 0);
    const int64_t high = std::min(x.rows, u * x.step - x.before + x.extent);
    for (int64_t row = low; row < high; row++)
      for (int64_t i = 0; i < InnerSpan(x); i++) visit(distance + x.offset + row * x.row_stride + i);
  };
  std::vector<bool> covered(100000);
  const auto write = [&](int64_t u) {
    for (int64_t row = u * y.step; row < std::min(y.rows, u * y.step + y.extent); row++)
      for (int64_t i = 0; i < InnerSpan(y); i++) covered[y.offset + row * y.row_stride + i] = true;
  };
  bool spared = true;
  const auto read = [&](int64_t u) { reads(u, [&](int64_t byte) { spared = spared && !covered[byte]; }); };
  for (int64_t first = 0; first < steps; first += rows) {
    const int64_t done = std::min<int64_t>(first + rows, steps);
    for (int64_t u = first; u < done; u++) {
      if (order != ReadOrder::kAfter) read(u);
      if (order == ReadOrder::kInPlace) write(u);
    }
    if (order == ReadOrder::kInPlace) continue;
    for (int64_t u = first; u < done; u++) write(u);
    for (int64_t u = first; u < done && order == ReadOrder::kAfter; u++) read(u);
  }
  return spared;
}

Touch Stepwise(int64_t steps, int64_t step, int64_t row, int64_t extent, int64_t before) {
  Touch touch;
  touch.whole = false;
  touch.rows = steps * step, touch.row_stride = row;
  touch.step = step, touch.extent = extent, touch.before = before;
  touch.inner = {{row, 1}};
  return touch;
}

TEST(MinDistance, IsTheLeastOneThatSparesWhatIsReadLater) {
  std::mt19937 random(7);
  const auto upto = [&](int n) { return static_cast<int64_t>(random() % n); };
  for (int trial = 0; trial < 3000; trial++) {
    const int32_t steps = static_cast<int32_t>(1 + upto(12)), rows = static_cast<int32_t>(1 + upto(steps));
    const Touch y = Stepwise(steps, 1 + upto(3), 1 + upto(6), 0, 0);
    Touch writer = y;
    writer.extent = writer.step;
    const int64_t step = 1 + upto(3), before = upto(3);
    const Touch reader = Stepwise(steps, step, 1 + upto(6), step + before + upto(3), before);
    const ReadOrder order = trial % 2 ? ReadOrder::kBefore : ReadOrder::kAfter;
    const int64_t distance = MinDistance(steps, rows, writer, reader, order);
    ASSERT_TRUE(Spares(steps, rows, writer, reader, order, distance)) << "trial " << trial;
    if (distance > 0) {
      ASSERT_FALSE(Spares(steps, rows, writer, reader, order, distance - 1)) << "trial " << trial;
    }
  }
}

TEST(MinDistance, InPlaceKeepsEachRowAtOrBelowItsInput) {
  for (int64_t x_row : {1, 3, 8}) {
    for (int64_t y_row : {1, 3, 8}) {
      const Touch writer = Stepwise(9, 1, y_row, 1, 0), reader = Stepwise(9, 1, x_row, 1, 0);
      const int64_t distance = MinDistance(9, 4, writer, reader, ReadOrder::kInPlace);
      EXPECT_TRUE(Spares(9, 4, writer, reader, ReadOrder::kInPlace, distance));
      for (int64_t u = 0; u < 9; u++) EXPECT_LE(u * y_row, distance + u * x_row);
      EXPECT_EQ(distance, std::max<int64_t>(0, 8 * (y_row - x_row)));
    }
  }
}

TEST(MinDistance, AgreesWithTheFormulaOnTokenRows) {
  for (int64_t n : {1, 7, 16}) {
    for (int64_t rows : {1, 3, 16}) {
      for (int64_t x_row : {4, 6}) {
        const Touch writer = Stepwise(n, 1, 5, 1, 0), reader = Stepwise(n, 1, x_row, 1, 0);
        const int32_t steps = static_cast<int32_t>(n), r = static_cast<int32_t>(rows);
        EXPECT_EQ(MinDistance(steps, r, writer, reader, ReadOrder::kAfter), MinDistance(n, rows, x_row, 5, false));
        EXPECT_EQ(MinDistance(steps, r, writer, reader, ReadOrder::kBefore), MinDistance(n, rows, x_row, 5, true));
      }
    }
  }
}

TEST(MinDistance, ForbidsWritingOverWhatIsReadWhole) {
  Touch whole;
  whole.inner = {{40, 1}};
  const Touch writer = Stepwise(8, 1, 5, 1, 0);
  EXPECT_GE(MinDistance(8, 2, writer, whole, ReadOrder::kAfter), 40);
  EXPECT_GE(MinDistance(8, 2, writer, whole, ReadOrder::kBefore), 30);
}

}  // namespace
}  // namespace onnx2mcu
