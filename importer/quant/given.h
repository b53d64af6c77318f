// importer/quant/given.h - scales that a model brings with it (onnx2mcu.FakeQuantize), for the quantiser.
#pragma once
#include <functional>
#include <optional>
#include <vector>

#include "importer/fake_quantize.h"

namespace onnx2mcu {

using GroupOf = std::function<int32_t(TensorId)>;     // the storages that share a scale, by tensor
using GivenGrids = std::vector<std::optional<Grid>>;  // by group

// How the model itself holds what lies in a group.
GivenGrids GivenOf(const Graph &graph, const GroupOf &group_of);
// Also for groups that nothing but copies write, all from one grid, and constants on it: a Concat. copies: by node, in
// the order of the graph, whether its output may keep input 0's scale.
void GiveToCopies(const Graph &graph, const GroupOf &group_of, const std::vector<bool> &copies, GivenGrids &given);
bool AnyGiven(const Graph &graph);  // the model rounds somewhere
// By group: the model holds it in bytes, with a scale that is to be found.
std::vector<bool> CalibratedBytes(const Graph &graph, const GroupOf &group_of);
// True for a node that is there to round: its output keeps no scale of its input.
bool Rounds(const Graph &graph, const Node &node);
// Whether the output of a node that keeps input 0's scale can share it: not where both are given and differ, nor where
// the output is one part of a Concat, whose other parts have no such scale.
bool MayShare(const Graph &graph, const GroupOf &group_of, const GivenGrids &given, TensorId from, TensorId to);

// A grid as ops can hold it: itself, or s8 over the same range where an op does not take s16.
Grid HeldAs(const Grid &grid, bool takes_s16);
// s16 over no less than the same range with zero point 0, which costs less than a bit.
QuantParams Centred(const QuantParams &s16);

}  // namespace onnx2mcu
