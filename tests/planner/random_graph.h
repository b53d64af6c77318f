// tests/planner/random_graph.h - graphs of fake ops with random memory contracts.
#pragma once
#include <random>
#include <string>
#include <vector>

#include "tests/planner/fake_op.h"

namespace onnx2mcu {

// A graph of random step-wise, banded, whole and stateful nodes over dense tensors, head-major tensors and columns.
struct RandomGraph {
  std::mt19937 random;
  Graph graph;
  std::vector<TensorId> tensors;  // readable: [n, dim], [1, n, dim] or [heads, n, dim]

  int32_t Upto(int n) { return static_cast<int32_t>(random() % n); }
  TensorId Any() { return tensors[Upto(static_cast<int>(tensors.size()))]; }
  static int32_t TokenAxis(const Tensor &t) { return static_cast<int32_t>(t.dims.size()) - 2; }

  // How a node of `steps` steps may read `id`: by rows, by overlapping bands, or whole.
  o2m_access Access(TensorId id, int32_t steps) {
    const Tensor &t = graph.tensors[id];
    const int32_t axis = TokenAxis(t);
    if (t.dims[axis] != steps || Upto(4) == 0) return fake::kWhole;
    return Upto(5) ? fake::Rows(axis) : fake::Rows(axis, 1, 3, 1);
  }

  TensorId Output(int64_t n, const std::string &name) {
    const int64_t dim = 1 + Upto(9);
    if (Upto(4) == 0) return fake::AddBase(graph, name, {2, n, dim});
    return fake::AddBase(graph, name, {n, dim});
  }

  void AddReader(int index) {
    const std::string name = "n" + std::to_string(index);
    const TensorId main = Any();
    const int32_t axis = TokenAxis(graph.tensors[main]);
    fake::Params p;
    p.steps = static_cast<int32_t>(graph.tensors[main].dims[axis]);
    std::vector<TensorId> inputs = {main};
    while (Upto(2) && inputs.size() < 4) inputs.push_back(Any());
    p.inputs[0] = Upto(6) ? fake::Rows(axis) : fake::kWhole;
    for (size_t i = 1; i < inputs.size(); i++) p.inputs[i] = Access(inputs[i], p.steps);
    if (Upto(8) == 0) p.state = 5;
    p.in_place = static_cast<uint32_t>(Upto(1 << inputs.size()));
    p.scratch_per_row = Upto(3) ? 0 : 1 + Upto(20), p.scratch_fixed = Upto(3) ? 0 : Upto(30);
    p.macs_per_row = Upto(2);
    const TensorId y = Output(p.steps, name);
    p.output = fake::Rows(TokenAxis(graph.tensors[y]));
    fake::AddNode(graph, name, inputs, y, p);
    tensors.push_back(y);
  }

  // Two nodes write the columns (or the first and other rows) of one tensor.
  void AddParts(int index) {
    const std::string name = "p" + std::to_string(index);
    const TensorId main = Any();
    const int32_t axis = TokenAxis(graph.tensors[main]);
    const int64_t n = graph.tensors[main].dims[axis];
    const TensorId y = fake::AddBase(graph, name, {n, 7});
    fake::Params p;
    p.steps = static_cast<int32_t>(n), p.inputs[0] = fake::Rows(axis), p.output = fake::Rows(0);
    fake::AddNode(graph, name + "a", {main}, fake::AddView(graph, y, {n, 3}, 0, {7, 1}), p);
    fake::AddNode(graph, name + "b", {main}, fake::AddView(graph, y, {n, 4}, 3, {7, 1}), p);
    tensors.push_back(y);
    tensors.push_back(fake::AddView(graph, y, {n, 3}, 2, {7, 1}));
  }

  // A new number of steps: bands of the rows.
  void AddBands(int index) {
    const TensorId main = Any();
    const int32_t axis = TokenAxis(graph.tensors[main]);
    const int64_t n = graph.tensors[main].dims[axis], steps = (n + 1) / 2;
    const std::string name = "s" + std::to_string(index);
    const TensorId y = fake::AddBase(graph, name, {steps, 1 + Upto(20)});
    fake::Params p;
    p.steps = static_cast<int32_t>(steps), p.inputs[0] = fake::Rows(axis, 2, 3, 1), p.output = fake::Rows(0);
    fake::AddNode(graph, name, {main}, y, p);
    tensors.push_back(y);
  }

  Graph Make(uint32_t seed) {
    random.seed(seed);
    graph.file = "random.onnx";
    graph.inputs = {fake::AddBase(graph, "in", {6 + Upto(12), 5})};
    tensors = graph.inputs;
    const int nodes = 3 + Upto(14);
    for (int i = 0; i < nodes; i++) {
      const int kind = Upto(10);
      kind == 0 ? AddParts(i) : kind == 1 ? AddBands(i) : AddReader(i);
    }
    fake::Params all;
    const TensorId out = fake::AddBase(graph, "out", {4});
    fake::AddNode(graph, "last", {tensors.back(), Any(), Any()}, out, all);
    graph.outputs = {out};
    return graph;
  }
};

}  // namespace onnx2mcu
