// nas/search/pareto.h - fronts of several objectives, all of them minimised.
#pragma once
#include <array>
#include <vector>

#include "nas/search/objective.h"

namespace onnx2mcu {

using Point = std::array<double, 4>;  // 1 - accuracy, RAM bytes, flash bytes, instructions
Point PointOf(const Evaluation &evaluation);

// Nowhere worse and somewhere better.
bool Dominates(const Point &a, const Point &b);
// Indices by front, the front that nothing dominates first; in each ascending (Deb et al. 2002, III A).
std::vector<std::vector<size_t>> Fronts(const std::vector<Point> &points);
// By position in `front`: the sum over objectives of the gap between its two neighbours, as part of the front's range;
// infinite at the ends (III B).
std::vector<double> Crowding(const std::vector<Point> &points, const std::vector<size_t> &front);
// Indices of what nothing else dominates, by accuracy, best first; of equal points the first.
std::vector<size_t> FrontierOf(const std::vector<Evaluation> &evaluations);
// Exact volume between the points and `reference` (While, Bradstreet, Barone: A fast way of calculating exact
// hypervolumes, IEEE TEC 2012, the recursion over exclusive volumes).
double Hypervolume(std::vector<Point> points, const Point &reference);

}  // namespace onnx2mcu
