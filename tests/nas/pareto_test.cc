#include "nas/search/pareto.h"

#include <gtest/gtest.h>

#include <cmath>

#include "nas/search/random.h"

namespace onnx2mcu {
namespace {

// Coordinates 0..5, so that equal ones occur.
std::vector<Point> RandomPoints(size_t count, uint64_t seed) {
  RandomStream random(seed);
  std::vector<Point> points(count);
  for (Point &point : points)
    for (double &x : point) x = random.Below(6);
  return points;
}

// By definition: the unit cells of [0, 6)^4 that some point dominates.
double CountedVolume(const std::vector<Point> &points) {
  int cells = 0;
  for (int cell = 0; cell < 6 * 6 * 6 * 6; cell++) {
    const Point corner = {double(cell % 6), double(cell / 6 % 6), double(cell / 36 % 6), double(cell / 216)};
    bool covered = false;
    for (const Point &point : points)
      covered |= point[0] <= corner[0] && point[1] <= corner[1] && point[2] <= corner[2] && point[3] <= corner[3];
    cells += covered ? 1 : 0;
  }
  return cells;
}

TEST(Pareto, HypervolumeIsTheCountedVolume) {
  for (uint64_t seed = 0; seed < 20; seed++) {
    SCOPED_TRACE(seed);
    const std::vector<Point> points = RandomPoints(1 + seed * 2, seed);
    EXPECT_EQ(Hypervolume(points, {6, 6, 6, 6}), CountedVolume(points));
  }
  EXPECT_EQ(Hypervolume({}, {1, 1, 1, 1}), 0);
  EXPECT_EQ(Hypervolume({{2, 0, 0, 0}}, {1, 1, 1, 1}), 0);  // beyond the reference
}

TEST(Pareto, FrontsAreWhatThePreviousOnesLeave) {
  for (uint64_t seed = 0; seed < 20; seed++) {
    SCOPED_TRACE(seed);
    const std::vector<Point> points = RandomPoints(60, seed);
    const auto fronts = Fronts(points);
    size_t placed = 0;
    std::vector<bool> gone(points.size(), false);
    for (const std::vector<size_t> &front : fronts) {
      std::vector<size_t> expected;
      for (size_t i = 0; i < points.size(); i++) {
        bool dominated = gone[i];
        for (size_t j = 0; j < points.size(); j++) dominated |= !gone[j] && Dominates(points[j], points[i]);
        if (!dominated) expected.push_back(i);
      }
      EXPECT_EQ(front, expected);
      for (const size_t i : front) gone[i] = true;
      placed += front.size();
    }
    EXPECT_EQ(placed, points.size());
  }
}

TEST(Pareto, CrowdingIsTheGapOfNeighbours) {
  const std::vector<Point> points = {{0, 4, 0, 0}, {1, 3, 0, 0}, {3, 1, 0, 0}, {4, 0, 0, 0}};
  const std::vector<double> crowding = Crowding(points, {0, 1, 2, 3});
  EXPECT_TRUE(std::isinf(crowding[0]) && std::isinf(crowding[3]));
  EXPECT_DOUBLE_EQ(crowding[1], 0.75 + 0.75);
  EXPECT_DOUBLE_EQ(crowding[2], 0.75 + 0.75);
}

TEST(Pareto, FrontierKeepsOneOfEquals) {
  const Cost small = {10, 0, 10, 0, 0, 10}, large = {20, 0, 20, 0, 0, 20};
  const std::vector<Evaluation> all = {
      {{0}, 0.5, small, 0}, {{1}, 0.6, large, 0}, {{2}, 0.5, small, 0}, {{3}, 0.4, large, 0}};
  EXPECT_EQ(FrontierOf(all), (std::vector<size_t>{1, 0}));
}

}  // namespace
}  // namespace onnx2mcu
