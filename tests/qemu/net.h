// net.h - a float graph made by hand, lowered and planned for a core, for the tests on emulated cores.
#pragma once
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "codegen/emulator.h"
#include "importer/ir/op_node.h"
#include "importer/passes.h"

namespace onnx2mcu {

// Values in [-1, 1), the same everywhere.
inline std::vector<float> Noise(int64_t count, uint64_t seed) {
  std::vector<float> values;
  for (int64_t i = 0; i < count; i++) {
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    values.push_back(static_cast<float>(seed >> 40) / 8388608.0f - 1.0f);
  }
  return values;
}

struct FloatNet {
  Registry registry;
  Host host;
  Compilation compilation;
  Graph &graph = compilation.graph;

  void Start(const std::string &target) {
    registry.LoadFolder(O2M_PLUGIN_DIR);
    graph.name = "net", graph.file = "net.onnx", graph.sha256 = std::string(64, '0'), graph.opset = 17;
    compilation.target = FindTarget(target).value();
  }
  TensorId Value(const std::string &name, std::vector<int64_t> dims) {
    Tensor tensor;
    tensor.name = name, tensor.dims = std::move(dims);
    return AddTensor(graph, tensor);
  }
  TensorId Append(const std::string &name, const std::string &type, std::vector<TensorId> inputs,
                  std::vector<int64_t> dims, std::map<std::string, Attr> attrs = {}) {
    FloatNode node;
    node.name = name, node.op_type = type, node.opset = 17, node.attrs = std::move(attrs);
    node.inputs = std::move(inputs), node.outputs = {Value(name + "_out", std::move(dims))};
    graph.float_nodes.push_back(node);
    return node.outputs[0];
  }
  // [.., k] -> [.., m]
  TensorId Linear(const std::string &name, TensorId x, int64_t m) {
    std::vector<int64_t> dims = graph.tensors[x].dims;
    const int64_t k = std::exchange(dims.back(), m);
    const TensorId w = AddFloats(graph, name + ".w", {k, m}, Noise(k * m, k));
    const TensorId b = AddFloats(graph, name + ".b", {m}, Noise(m, m));
    const TensorId product = Append(name + "/MatMul", "MatMul", {x, w}, dims);
    return Append(name + "/Add", "Add", {product, b}, dims);
  }
  // Lowered, quantised on noise, legal, planned; not yet packed.
  absl::Status LowerAndPlan(int32_t rows) {
    const o2m_target target = compilation.target.abi();
    O2M_RETURN_IF_ERROR(LowerToOps(graph, registry));
    O2M_RETURN_IF_ERROR(ResolveViews(graph, registry));
    O2M_RETURN_IF_ERROR(Quantize(graph, {}, host, target));
    O2M_RETURN_IF_ERROR(LegalizeLayouts(graph, registry, target));
    O2M_RETURN_IF_ERROR(InferAll(graph, host, target));
    O2M_RETURN_IF_ERROR(FuseEpilogues(graph, host, target));
    PlanOptions options;
    options.rows = rows;
    O2M_ASSIGN_OR_RETURN(compilation.plan, MakePlan(graph, target, options));
    return absl::OkStatus();
  }
};

}  // namespace onnx2mcu
