// tests/importer/net.h - a small float graph built by names, for tests of passes.
#pragma once
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "importer/evaluate.h"
#include "importer/ir/print.h"
#include "importer/passes.h"

namespace onnx2mcu {

using Dims = std::vector<int64_t>;

inline Value RandomValue(const Dims &dims, uint32_t seed) {
  Value value;
  value.dims = dims;
  value.f.resize(ElementCount(dims));
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  for (float &x : value.f) x = normal(random);
  return value;
}

// A graph by names, folded so that every tensor has its dims.
class Net {
 public:
  explicit Net(const Dims &input, int32_t opset = 17) : opset_(opset) {
    graph_.file = "net.onnx";
    graph_.opset = opset;
    graph_.inputs = {Id("x")};
    graph_.tensors[0].dims = input;
  }
  Net &Weights(const std::string &name, const Dims &dims) {
    SetConstant(graph_.tensors[Id(name)], RandomValue(dims, static_cast<uint32_t>(graph_.tensors.size())));
    return *this;
  }
  Net &Floats(const std::string &name, const Dims &dims, const std::vector<float> &values) {
    SetConstant(graph_.tensors[Id(name)], {DType::kF32, dims, values, {}});
    return *this;
  }
  Net &Scalar(const std::string &name, float value) { return Floats(name, {}, {value}); }
  Net &Ints(const std::string &name, const Dims &values) {
    SetConstant(graph_.tensors[Id(name)], {DType::kS64, {static_cast<int64_t>(values.size())}, {}, values});
    return *this;
  }
  Net &Int(const std::string &name, int64_t value) {
    SetConstant(graph_.tensors[Id(name)], {DType::kS64, {}, {}, {value}});
    return *this;
  }
  Net &Bools(const std::string &name, const Dims &dims, const Dims &values) {
    SetConstant(graph_.tensors[Id(name)], {DType::kBool, dims, {}, values});
    return *this;
  }
  Net &Constant(const std::string &name, const Value &value) {
    SetConstant(graph_.tensors[Id(name)], value);
    return *this;
  }
  Net &Op(const std::string &type, const std::vector<std::string> &inputs, const std::vector<std::string> &outputs,
          const std::map<std::string, Attr> &attrs = {}, const std::string &domain = "") {
    FloatNode node;
    node.name = outputs[0];
    node.op_type = type;
    node.domain = domain;
    node.opset = domain.empty() ? opset_ : 1;
    node.attrs = attrs;
    for (const std::string &name : inputs) node.inputs.push_back(Id(name));
    for (const std::string &name : outputs) node.outputs.push_back(Id(name));
    graph_.float_nodes.push_back(node);
    return *this;
  }
  // Canonicalizes with `outputs`, checks that they compute the same, and returns the operators in order.
  std::vector<std::string> Ops(const std::vector<std::string> &outputs = {"y"}, double tolerance = 2e-6) {
    for (const std::string &name : outputs) graph_.outputs.push_back(Id(name));
    const absl::Status folded = FoldConstants(graph_);
    EXPECT_TRUE(folded.ok()) << folded;
    const Graph before = graph_;
    const absl::Status status = Canonicalize(graph_);
    EXPECT_TRUE(status.ok()) << status;
    if (folded.ok() && status.ok()) ExpectSame(before, tolerance);
    std::vector<std::string> ops;
    for (const FloatNode &node : graph_.float_nodes) ops.push_back(node.op_type);
    return ops;
  }
  const FloatNode &node(size_t i) const { return graph_.float_nodes[i]; }
  const Tensor &input(size_t node, size_t i) const { return graph_.tensors[graph_.float_nodes[node].inputs[i]]; }
  const Graph &graph() const { return graph_; }

 private:
  TensorId Id(const std::string &name) {
    if (name.empty()) return kNone;
    if (const auto it = ids_.find(name); it != ids_.end()) return it->second;
    Tensor tensor;
    tensor.name = name;
    graph_.tensors.push_back(tensor);
    return ids_[name] = static_cast<TensorId>(graph_.tensors.size()) - 1;
  }
  void ExpectSame(const Graph &before, double tolerance) {
    const Value x = RandomValue(before.tensors[before.inputs[0]].dims, 99);
    const auto want = Evaluate(before, {x}), got = Evaluate(graph_, {x});
    ASSERT_TRUE(want.ok() && got.ok()) << want.status() << got.status() << PrintGraph(graph_);
    for (size_t o = 0; o < want->size(); o++) {
      ASSERT_EQ((*want)[o].dims, (*got)[o].dims);
      EXPECT_EQ(before.tensors[before.outputs[o]].name, graph_.tensors[graph_.outputs[o]].name);
      double largest = 0, error = 0;
      for (size_t i = 0; i < (*want)[o].f.size(); i++) {
        largest = std::max(largest, std::fabs(double{(*want)[o].f[i]}));
        error = std::max(error, std::fabs(double{(*want)[o].f[i]} - (*got)[o].f[i]));
      }
      EXPECT_LE(error, tolerance * largest) << PrintGraph(graph_);
      EXPECT_GT(largest, 0);
    }
  }

  int32_t opset_;
  Graph graph_;
  std::map<std::string, TensorId> ids_;
};

inline const std::map<std::string, Attr> kLast = {{"axes", Dims{-1}}, {"keepdims", int64_t{1}}};

}  // namespace onnx2mcu
