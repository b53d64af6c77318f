#include "nas/search/pareto.h"

#include <algorithm>
#include <limits>

namespace onnx2mcu {
namespace {

std::vector<Point> NonDominated(const std::vector<Point> &points) {
  std::vector<Point> kept;
  for (const Point &point : points) {
    const auto beats = [&](const Point &other) { return other == point || Dominates(other, point); };
    if (std::any_of(kept.begin(), kept.end(), beats)) continue;
    kept.erase(std::remove_if(kept.begin(), kept.end(), [&](const Point &other) { return Dominates(point, other); }),
               kept.end());
    kept.push_back(point);
  }
  return kept;
}

double Box(const Point &point, const Point &reference) {
  double volume = 1;
  for (size_t i = 0; i < point.size(); i++) volume *= std::max(0.0, reference[i] - point[i]);
  return volume;
}

// Precondition: no point dominates another.
double Volume(const std::vector<Point> &points, const Point &reference) {
  double volume = 0;
  for (size_t i = 0; i < points.size(); i++) {
    std::vector<Point> limited;  // what later points share with this one
    for (size_t j = i + 1; j < points.size(); j++) {
      Point shared;
      for (size_t k = 0; k < shared.size(); k++) shared[k] = std::max(points[i][k], points[j][k]);
      limited.push_back(shared);
    }
    volume += Box(points[i], reference) - Volume(NonDominated(limited), reference);
  }
  return volume;
}

}  // namespace

Point PointOf(const Evaluation &evaluation) {
  const Cost &cost = evaluation.cost;
  return {1 - evaluation.accuracy, static_cast<double>(cost.ram_bytes()), static_cast<double>(cost.flash_bytes()),
          static_cast<double>(cost.instructions)};
}

bool Dominates(const Point &a, const Point &b) {
  bool better = false;
  for (size_t i = 0; i < a.size(); i++) {
    if (a[i] > b[i]) return false;
    better |= a[i] < b[i];
  }
  return better;
}

std::vector<std::vector<size_t>> Fronts(const std::vector<Point> &points) {
  std::vector<int32_t> dominators(points.size(), 0);
  for (const Point &a : points)
    for (size_t j = 0; j < points.size(); j++) dominators[j] += Dominates(a, points[j]) ? 1 : 0;
  std::vector<std::vector<size_t>> fronts;
  for (size_t placed = 0; placed < points.size(); placed += fronts.back().size()) {
    std::vector<size_t> front;
    for (size_t i = 0; i < points.size(); i++)
      if (dominators[i] == 0) front.push_back(i);
    for (const size_t i : front) {
      dominators[i] = -1;
      for (size_t j = 0; j < points.size(); j++) dominators[j] -= Dominates(points[i], points[j]) ? 1 : 0;
    }
    fronts.push_back(std::move(front));
  }
  return fronts;
}

std::vector<double> Crowding(const std::vector<Point> &points, const std::vector<size_t> &front) {
  std::vector<double> crowding(front.size(), 0);
  std::vector<size_t> order(front.size());
  for (size_t i = 0; i < order.size(); i++) order[i] = i;
  for (size_t k = 0; k < Point().size(); k++) {
    const auto value = [&](size_t i) { return points[front[order[i]]][k]; };
    std::stable_sort(order.begin(), order.end(),
                     [&](size_t a, size_t b) { return points[front[a]][k] < points[front[b]][k]; });
    crowding[order.front()] = crowding[order.back()] = std::numeric_limits<double>::infinity();
    const double range = value(order.size() - 1) - value(0);
    for (size_t i = 1; i + 1 < order.size() && range > 0; i++)
      crowding[order[i]] += (value(i + 1) - value(i - 1)) / range;
  }
  return crowding;
}

std::vector<size_t> FrontierOf(const std::vector<Evaluation> &evaluations) {
  std::vector<Point> points;
  for (const Evaluation &evaluation : evaluations) points.push_back(PointOf(evaluation));
  std::vector<size_t> frontier;
  for (size_t i = 0; i < points.size(); i++) {
    const auto beats = [&](const Point &other) {
      return Dominates(other, points[i]) || (other == points[i] && &other < &points[i]);
    };
    if (std::none_of(points.begin(), points.end(), beats)) frontier.push_back(i);
  }
  std::stable_sort(frontier.begin(), frontier.end(), [&](size_t a, size_t b) { return points[a][0] < points[b][0]; });
  return frontier;
}

double Hypervolume(std::vector<Point> points, const Point &reference) {
  std::sort(points.begin(), points.end());
  return Volume(NonDominated(points), reference);
}

}  // namespace onnx2mcu
