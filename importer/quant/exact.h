// importer/quant/exact.h - steps of which all values of a tensor are multiples, since it is made of what the model
// rounds.
#pragma once
#include <vector>

#include "importer/quant/given.h"

namespace onnx2mcu {

// By group, for what the model computes between its roundings: a mean of n values on a grid of step s lies on one of
// s / n, a difference of two grids on the finer one where that divides the other. 0 where no step is known.
std::vector<double> ExactSteps(const Graph &graph, const GroupOf &group_of, const GivenGrids &given);

}  // namespace onnx2mcu
