// importer/rewriter.h - what the rewrites of Canonicalize() stand on: the float half with producers and readers kept
// up to date under edits. Private to importer/canonicalize*.cc.
#pragma once
#include <deque>
#include <initializer_list>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "importer/ir/graph.h"
#include "importer/ir/status.h"

namespace onnx2mcu {

using Dims = std::vector<int64_t>;
using Attrs = std::map<std::string, Attr>;

inline constexpr char kMs[] = "com.microsoft";
inline bool Has(const FloatNode &node, size_t i) { return i < node.inputs.size() && node.inputs[i] != kNone; }

// Holds the float nodes of `graph` from construction to Commit(). Node ids are stable: a removed node stays as an empty
// one, new ones are appended; references to nodes stay valid too, those to tensors do not. New tensors may share their
// names with others until OrderGraph().
class Rewriter {
 public:
  explicit Rewriter(Graph &graph);
  // Puts the live nodes back into the graph, in topological order.
  void Commit();
  const absl::Status &status() const { return status_; }

  // ---- Queries ----
  Graph &graph() { return graph_; }
  size_t node_count() const { return nodes_.size(); }
  bool alive(NodeId id) const { return !nodes_[id].op_type.empty(); }
  FloatNode &node(NodeId id) { return nodes_[id]; }
  const FloatNode &node(NodeId id) const { return nodes_[id]; }
  std::vector<NodeId> TopologicalOrder() const;  // of the live nodes
  bool Is(NodeId id, const char *op_type, const char *domain = "") const;
  NodeId ProducerId(TensorId id) const { return id == kNone ? kNone : producers_[id]; }
  // The node that writes `id` if it is a live `op_type` of domain "" (any: nullptr); else nullptr.
  const FloatNode *Producer(TensorId id, const char *op_type = nullptr) const;
  const std::vector<NodeId> &Readers(TensorId id) const { return readers_[id]; }
  bool IsOutput(TensorId id) const { return is_output_[id]; }
  // True where Replace(old, by) would leave a no-op behind: an output that is an input, a constant or another output.
  bool MustStay(TensorId old, TensorId by) const {
    return is_output_[old] && (IsConstant(by) || ProducerId(by) == kNone || is_output_[by]);
  }
  bool Unread(TensorId id) const { return readers_[id].empty() && !is_output_[id]; }
  bool OneReader(TensorId id) const { return readers_[id].size() == 1 && !is_output_[id]; }
  const Tensor &tensor(TensorId id) const { return graph_.tensors[id]; }
  const Dims &DimsOf(TensorId id) const { return graph_.tensors[id].dims; }
  int64_t Rank(TensorId id) const { return static_cast<int64_t>(DimsOf(id).size()); }
  int64_t LastDim(TensorId id) const { return DimsOf(id).empty() ? 1 : DimsOf(id).back(); }
  bool IsFloat(TensorId id) const { return graph_.tensors[id].dtype == DType::kF32; }
  bool IsConstant(TensorId id) const { return id != kNone && graph_.tensors[id].is_constant; }
  bool IsFloatConstant(TensorId id) const { return IsConstant(id) && IsFloat(id); }
  std::vector<float> Floats(TensorId id) const;    // Precondition: IsFloatConstant
  Dims Ints(TensorId id) const;                    // any integer dtype; empty if not a constant
  std::optional<float> Scalar(TensorId id) const;  // the value of a float constant of one element
  bool IsScalar(TensorId id, float value, float tolerance = 1e-6f) const;
  // The constant operand of a binary node and the other one, whichever way round; kNone if not exactly one is constant.
  struct Operands {
    TensorId value = kNone, constant = kNone;
  };
  Operands Split(const FloatNode &node) const;

  // ---- Edits ----
  // New constants.
  TensorId NewFloats(std::string name, Dims dims, const std::vector<float> &values);
  TensorId NewScalar(float value);
  TensorId NewInts(Dims values);
  // A new node, named after `origin` (and its source line), whose output 0 is returned; op_type "Add", or with its
  // domain as in "com.microsoft.Attention". It is evaluated at once where all operands are constants. The output's dims
  // are found by evaluating on zeros.
  TensorId Emit(NodeId origin, const std::string &op_type, const std::vector<TensorId> &inputs, Attrs attrs = {});
  TensorId Reshape(NodeId origin, TensorId x, Dims dims);
  TensorId Transpose(NodeId origin, TensorId x, Dims perm);
  TensorId SwapLast(NodeId origin, TensorId x);  // the last two axes
  TensorId Slice(NodeId origin, TensorId x, int64_t axis, int64_t start, int64_t end);
  // Every reader of `old` reads `by` instead, and `by` becomes the graph output where `old` was one (keeping its name).
  // What only `old` needed is removed. Precondition: same dims, and `by` is not computed from `old`.
  void Replace(TensorId old, TensorId by);
  // The type of a graph output, before it is replaced by a value of that type.
  void SetOutputType(TensorId id, DType dtype) { graph_.tensors[id].dtype = dtype; }
  void SetInput(NodeId id, size_t position, TensorId value);
  void SetInputs(NodeId id, const std::vector<TensorId> &inputs);
  // Drops input positions >= count.
  void Truncate(NodeId id, size_t count);

 private:
  TensorId NewTensor(Tensor tensor);
  std::optional<TensorId> Evaluated(const FloatNode &node);
  bool InferInto(const FloatNode &node, Tensor &tensor);
  void Attach(NodeId id);
  void Detach(NodeId id);
  void Release(TensorId id);
  TensorId KeepOutput(TensorId old, TensorId by);
  void Fail(const absl::Status &status);

  Graph &graph_;
  std::deque<FloatNode> nodes_;
  std::vector<NodeId> producers_;
  std::vector<std::vector<NodeId>> readers_;
  std::vector<bool> is_output_;
  absl::Status status_;
};

// One rewrite: changes the graph around node `id` and says so, or leaves it alone. It never changes what the graph
// computes, and every application brings the node nearer to its canonical form, so that a list of them terminates.
struct FloatRewrite {
  const char *name;
  bool (*apply)(Rewriter &, NodeId id);
};

int64_t AxisOf(int64_t axis, size_t rank);
Dims PermutedDims(const Dims &dims, const Dims &perm);
Dims InversePermutation(const Dims &perm);

}  // namespace onnx2mcu
