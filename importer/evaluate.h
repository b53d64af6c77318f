// importer/evaluate.h - the float evaluator: runs the float half of a Graph with Eigen.
//
// One piece serves constant folding, calibration, validation and NAS fitness. Values are held in float for float
// tensors and in int64 for integer and bool ones.
#pragma once
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "importer/ir/graph.h"
#include "importer/ir/status.h"

namespace onnx2mcu {

// A dense row-major array: exactly one of `f` (float) and `i` (every integer type and bool) is used, by dtype.
struct Value {
  DType dtype = DType::kF32;
  std::vector<int64_t> dims;
  std::vector<float> f;
  std::vector<int64_t> i;
  bool is_float() const { return dtype == DType::kF32; }
};

Value ValueOf(const Tensor &constant);
void SetConstant(Tensor &tensor, const Value &value);  // makes it a constant holding value

// Runs one node. `inputs` has null for a missing optional operand; the values of node.subgraph_constants follow those
// of node.inputs, in the order of their names. Unimplemented names the op type; InvalidArgument a shape or attribute
// that ONNX does not allow. Messages begin with "node 'name' (Op, opset 17): ".
absl::StatusOr<std::vector<Value>> EvaluateNode(const FloatNode &node, const std::vector<const Value *> &inputs);

// node.inputs, then the tensors of node.subgraph_constants: what EvaluateNode's `inputs` stand for.
std::vector<TensorId> OperandsOf(const FloatNode &node);

// True where EvaluateNode knows domain.op_type.
bool CanEvaluate(const std::string &domain, const std::string &op_type);
std::vector<std::string> EvaluableOps();           // "Add", "com.microsoft.Gelu", sorted; of files, no nodes of our own
std::string QualifiedName(const FloatNode &node);  // "Add", "com.microsoft.Gelu"
// The evaluable op whose name is nearest to this one's by edit distance; the first in order on a tie.
std::string NearestEvaluableOp(const std::string &qualified_name);
// "node '/blocks.0/attn/MatMul' (MatMul, opset 17)"
std::string NodeText(const FloatNode &node);

// `visit`, if given, sees every non-constant tensor as soon as it is computed, the inputs first.
using Visitor = std::function<void(TensorId, const Value &)>;

// The float half, prepared to run on many samples: constants are converted once. The graph must outlive it and keep its
// float half unchanged. Run() is const and safe to call from several threads.
class Evaluator {
 public:
  explicit Evaluator(const Graph &graph);
  // `inputs` by position of graph.inputs; outputs by position of graph.outputs. Values are freed after their last use.
  // InvalidArgument: an input of another shape or type, or what EvaluateNode refuses; messages begin with the file.
  absl::StatusOr<std::vector<Value>> Run(const std::vector<Value> &inputs, const Visitor &visit = {}) const;

 private:
  const Graph &graph_;
  std::vector<Value> constants_;              // by TensorId; empty where the tensor is no constant or never read
  std::vector<std::vector<TensorId>> spent_;  // by float node: values that no later node and no output reads
};

// One sample, once: Evaluator(graph).Run(inputs, visit).
absl::StatusOr<std::vector<Value>> Evaluate(const Graph &graph, const std::vector<Value> &inputs,
                                            const Visitor &visit = {});

}  // namespace onnx2mcu
