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

// Runs one node. `inputs` has null for a missing optional operand. Unimplemented names the op type; InvalidArgument a
// shape or attribute that ONNX does not allow.
absl::StatusOr<std::vector<Value>> EvaluateNode(const FloatNode &node, const std::vector<const Value *> &inputs);

// True where EvaluateNode knows domain.op_type.
bool CanEvaluate(const std::string &domain, const std::string &op_type);
std::vector<std::string> EvaluableOps();  // "Add", "com.microsoft.Gelu", sorted

// Runs the float half on one sample. `inputs` by position of graph.inputs. `visit`, if given, sees every non-constant
// tensor as soon as it is computed; values are freed after their last use.
using Visitor = std::function<void(TensorId, const Value &)>;
absl::StatusOr<std::vector<Value>> Evaluate(const Graph &graph, const std::vector<Value> &inputs,
                                            const Visitor &visit = {});

}  // namespace onnx2mcu
