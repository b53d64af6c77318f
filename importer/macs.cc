// importer/macs.cc - multiply-accumulates per operator.
#include "importer/macs.h"

#include <algorithm>
#include <map>
#include <string>

#include "importer/evaluate.h"

namespace onnx2mcu {
namespace {

using Dims = std::vector<int64_t>;

const Dims &DimsOf(const Graph &graph, const std::vector<TensorId> &ids, size_t position) {
  static const Dims kScalar;
  return position < ids.size() && ids[position] != kNone ? graph.tensors[ids[position]].dims : kScalar;
}

// Product of the result's elements and the inner dimension, read off operand `a`.
int64_t MatMulMacs(const Graph &graph, const FloatNode &node, size_t a, bool transposed) {
  const Dims &x = DimsOf(graph, node.inputs, a);
  if (x.empty()) return 0;
  const int64_t inner = transposed && x.size() > 1 ? x[x.size() - 2] : x.back();
  return ElementCount(DimsOf(graph, node.outputs, 0)) * inner;
}

// Each output element sums over one filter: channels / group times the kernel.
int64_t ConvMacs(const Graph &graph, const FloatNode &node, size_t weight) {
  const Dims &w = DimsOf(graph, node.inputs, weight);
  if (w.empty()) return 0;
  return ElementCount(DimsOf(graph, node.outputs, 0)) * ElementCount(Dims(w.begin() + 1, w.end()));
}

// q k^T and the product with v: queries * keys * (P + V) per head. Heads side by side count as one wide head.
int64_t AttentionMacs(const Graph &graph, const FloatNode &node) {
  const Dims &q = DimsOf(graph, node.inputs, 0), &k = DimsOf(graph, node.inputs, 1),
             &y = DimsOf(graph, node.outputs, 0);
  if (q.size() < 3 || k.size() < 3) return 0;
  return k[k.size() - 2] * (ElementCount(q) + ElementCount(y));
}

// com.microsoft.Attention: the linear layer of q, k and v, then the above with as many keys as queries.
int64_t PackedAttentionMacs(const Graph &graph, const FloatNode &node) {
  const Dims &x = DimsOf(graph, node.inputs, 0), &w = DimsOf(graph, node.inputs, 1);
  if (x.size() != 3 || w.size() != 2) return 0;
  const int64_t outputs = ElementCount(DimsOf(graph, node.outputs, 0));
  return ElementCount(x) * w[1] + x[1] * 2 * outputs;
}

// Every label once: the size of the whole contraction.
int64_t EinsumMacs(const Graph &graph, const FloatNode &node) {
  if (node.inputs.size() < 2) return 0;
  const std::string equation = AttrString(node, "equation", "");
  std::map<char, int64_t> sizes;
  size_t operand = 0, dim = 0;
  for (char c : equation) {
    if (c == '-') break;
    if (c == ',') {
      operand++;
      dim = 0;
    } else if (c == '.') {
      return 0;  // an ellipsis: rare, and not worth a second parser
    } else if (c != ' ') {
      const Dims &x = DimsOf(graph, node.inputs, operand);
      if (dim < x.size()) sizes[c] = std::max(sizes[c], x[dim]);
      dim++;
    }
  }
  int64_t macs = 1;
  for (const auto &[label, size] : sizes) macs *= size;
  return macs;
}

}  // namespace

int64_t MacsOf(const Graph &graph, const FloatNode &node) {
  const std::string op = QualifiedName(node);
  const bool ta = AttrInt(node, "transA", 0) != 0;
  if (op == "MatMul" || op == "MatMulInteger" || op == "QLinearMatMul") return MatMulMacs(graph, node, 0, false);
  if (op == "Gemm" || op == "com.microsoft.FusedMatMul" || op == "com.microsoft.QGemm") {
    return MatMulMacs(graph, node, 0, ta);
  }
  if (op == "Conv" || op == "ConvInteger") return ConvMacs(graph, node, 1);
  if (op == "QLinearConv") return ConvMacs(graph, node, 3);
  if (op == "Attention" || op == "com.microsoft.MultiHeadAttention") return AttentionMacs(graph, node);
  if (op == "com.microsoft.Attention") return PackedAttentionMacs(graph, node);
  if (op == "Einsum") return EinsumMacs(graph, node);
  return 0;
}

int64_t CountMacs(const Graph &graph) {
  int64_t macs = 0;
  for (const FloatNode &node : graph.float_nodes) macs += MacsOf(graph, node);
  return macs;
}

}  // namespace onnx2mcu
