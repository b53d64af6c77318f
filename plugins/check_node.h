// plugins/check_node.h - an op node as a value: what the checker varies, copies and compares, and the o2m_node of it.
#pragma once
#include <array>
#include <cstdint>
#include <deque>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "ops/onnx2mcu_op.h"

namespace onnx2mcu::check {

using Bytes = std::vector<uint8_t>;

struct QuantSpec {
  std::vector<float> scale;
  std::vector<int32_t> zero_point;
  int32_t axis = O2M_NONE;
  bool operator==(const QuantSpec &) const = default;
};

struct TensorSpec {
  std::string name;
  o2m_dtype dtype = O2M_ANY;
  std::vector<int32_t> dims;
  std::vector<int64_t> strides;  // elements, one per dim
  int32_t token_axis = O2M_NONE;
  QuantSpec quant;
  bool is_constant = false;
  Bytes data;  // dense; constants, and inputs whose values the case fixes
  bool operator==(const TensorSpec &) const = default;
  bool missing() const { return dtype == O2M_ANY && dims.empty(); }  // an optional input that is not there
};

struct ConstantSpec {
  std::string hint;
  o2m_dtype dtype = O2M_ANY;
  int64_t count = 0;
  Bytes data;  // empty until Pack()
  bool operator==(const ConstantSpec &) const = default;
};

struct NodeSpec {
  const o2m_op *op = nullptr;
  std::string name;
  std::vector<TensorSpec> inputs, outputs;
  Bytes params;
  int32_t variant = 0;
  std::vector<ConstantSpec> constants;
  QuantSpec epilogue_in;
  std::vector<int8_t> epilogue_table;  // 256 entries, or empty: no epilogue
  bool operator==(const NodeSpec &) const = default;
};

int64_t BytesOf(o2m_dtype dtype);
int64_t CountOf(const TensorSpec &tensor);
std::vector<int64_t> DenseStrides(const std::vector<int32_t> &dims);
std::string TextOf(const std::vector<int32_t> &dims);  // "[1, 8, 4]"

// The node of a case, dense. InvalidArgument says what is wrong with the case itself. Constants whose data the case
// leaves NULL get random values in [-1, 1].
absl::StatusOr<NodeSpec> SpecOf(const o2m_op *op, const o2m_case &c, uint64_t seed);
// The strides that the case itself asks for, or none where it asks for dense operands.
std::vector<std::vector<int64_t>> CaseStrides(const o2m_case &c);

// The o2m_node of a spec; points into the spec, which must stay in place.
class NodeView {
 public:
  explicit NodeView(const NodeSpec &spec);
  NodeView(const NodeView &) = delete;
  NodeView &operator=(const NodeView &) = delete;
  o2m_node *get() { return &node_; }
  const o2m_node *get() const { return &node_; }
  o2m_constant *constants() { return constants_.data(); }
  const Bytes &params() const { return params_; }

 private:
  std::deque<o2m_tensor> tensors_;
  std::vector<const o2m_tensor *> inputs_;
  std::vector<o2m_tensor *> outputs_;
  Bytes params_;
  std::array<o2m_constant, O2M_MAX_CONSTANTS> constants_{};
  o2m_epilogue epilogue_{};
  o2m_node node_{};
};

// The spec with what infer() decided. Errors: what infer() said, or what it broke.
absl::StatusOr<NodeSpec> Infer(const NodeSpec &spec, const o2m_target &target);
// The spec with constants filled by pack(), in memory that held `poison` before. Guard bytes lie behind each.
absl::StatusOr<NodeSpec> Pack(const NodeSpec &spec, const o2m_target &target, uint8_t poison);
// Zeroed where the op has no memory().
o2m_memory MemoryOf(const NodeSpec &spec, const o2m_target &target, int32_t rows);

// Null if absent.
template <class T>
const T *ExtensionOf(const o2m_op *op, const char *id) {
  return op->get_extension ? static_cast<const T *>(op->get_extension(id)) : nullptr;
}

// splitmix64 (Steele et al., 2014): the same values everywhere.
struct Random {
  uint64_t state;
  uint64_t Next();
  int64_t Between(int64_t low, int64_t high);  // inclusive
  float Unit();                                // [-1, 1)
};

}  // namespace onnx2mcu::check
