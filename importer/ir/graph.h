// importer/ir/graph.h - the one IR: plain data, ids instead of pointers, static shapes only.
//
// One Graph goes from the ONNX reader to the emitter; every pass edits it in place. It has two halves over one tensor
// table: `float_nodes`, the imported and canonicalised ONNX nodes, which the float evaluator runs from the first pass
// to the last, and `nodes`, the op nodes that LowerToOps() made of them.
#pragma once
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "ops/onnx2mcu_op.h"

namespace onnx2mcu {

using TensorId = int32_t;  // index into Graph::tensors
using NodeId = int32_t;    // index into Graph::nodes or Graph::float_nodes
inline constexpr int32_t kNone = -1;

// Values equal the o2m_dtype of the op interface.
enum class DType : uint8_t {
  kAny = O2M_ANY,
  kF32 = O2M_F32,
  kS8 = O2M_S8,
  kS16 = O2M_S16,
  kS32 = O2M_S32,
  kS64 = O2M_S64,
  kU8 = O2M_U8,
  kBool = O2M_BOOL
};
int64_t DTypeBytes(DType dtype);
const char *DTypeName(DType dtype);  // "s8"

// real = scale[c] * (q - zero_point[c]).  Empty: float, or not decided yet.
struct QuantParams {
  std::vector<float> scale;  // one entry: per tensor; more: per channel on axis
  std::vector<int32_t> zero_point;
  int32_t axis = kNone;
};

struct Tensor {
  std::string name;           // ONNX value name; unique, never empty
  DType dtype = DType::kF32;  // of the ONNX value (F32, S64, BOOL ...) until Quantize() sets what the MCU holds
  std::vector<int64_t> dims;
  bool is_constant = false;
  std::vector<std::byte> data;  // constants: dense, row major, in dtype (half, bfloat16 and double were widened to F32)
  QuantParams quant;

  // Set by ResolveViews(). A tensor owns memory (base == kNone) or is a window of another one's, as in BLAS's lda.
  TensorId base = kNone;         // never itself a view
  int64_t view_offset = 0;       // elements into base
  std::vector<int64_t> strides;  // elements, one per dim; empty: dense, row major

  bool in_arena = false;  // of a graph input: the caller leaves it in the arena, where it is overwritten
};

using Attr =
    std::variant<int64_t, float, std::string, std::vector<int64_t>, std::vector<float>, std::vector<std::string>>;

// One node of the float half. A missing optional operand is kNone.
struct FloatNode {
  std::string name, domain, op_type;  // domain "" is the ONNX one
  int32_t opset = 0;                  // of that domain
  std::vector<TensorId> inputs, outputs;
  std::map<std::string, Attr> attrs;
  std::map<std::string, TensorId> subgraph_constants;  // tensor-valued attributes (Constant's value)
  std::string source;                                  // the exporter's source line, where the file has one
};

// What an op derives from its weights; data is empty until Pack().
struct Constant {
  std::string hint;
  DType dtype = DType::kAny;
  int64_t count = 0;
  std::vector<std::byte> data;
};

// A unary function that a producer applies to its own output 0 (o2m_epilogue).
struct Epilogue {
  QuantParams in;
  std::vector<int8_t> table;  // 256 entries
  std::string name;           // of the node it came from, for comments
};

struct Node {
  std::string name;  // ONNX name of the node it ends in; shown in messages and comments
  const o2m_op *op = nullptr;
  std::vector<TensorId> inputs, outputs;
  std::vector<std::byte> params;  // private to op
  std::vector<Constant> constants;
  std::vector<Epilogue> epilogue;  // zero or one entry
  int32_t variant = 0;
  std::vector<NodeId> float_nodes;  // what op was matched from
};

// A tensor that is s16, and all that shares its memory, where s8 is the rule; why.
struct RaisedTensor {
  std::string name, why;
};

struct Graph {
  std::string name;    // the model's C identifier
  std::string file;    // as given on the command line, for messages
  std::string sha256;  // of the model file, hex
  int32_t opset = 0;
  std::map<std::string, std::string> metadata;
  std::vector<Tensor> tensors;
  std::vector<FloatNode> float_nodes;  // topological order, always
  std::vector<Node> nodes;             // topological order, always; empty before LowerToOps()
  std::vector<TensorId> inputs, outputs;
  std::vector<std::string> warnings;
  std::vector<RaisedTensor> raised;  // by Quantize()
  int64_t macs = 0;                  // of the imported float graph
  // By input: how the file holds it where that is a quantised tensor, real = scale * (q - zero_point); else scale 0.
  struct QuantisedInput {
    float scale = 0;
    int64_t zero_point = 0;
  };
  std::vector<QuantisedInput> quantised_inputs;
  // An integerised model (importer/dialect.h): its tensors hold integers by declaration, scale 1 and zero point 0.
  bool integerised = false;
  std::vector<std::pair<int64_t, int64_t>> declared_inputs;  // of such a model, by input: its ends, or 0 and -1
};

int64_t ElementCount(const std::vector<int64_t> &dims);
std::vector<int64_t> DenseStrides(const std::vector<int64_t> &dims);
// The strides of a tensor in its own memory or its base's, one per dim.
std::vector<int64_t> StridesOf(const Tensor &tensor);
// The tensor that owns the memory of `id`.
TensorId BaseOf(const Graph &graph, TensorId id);
int64_t BytesOf(const Tensor &tensor);  // dense size

// Adds a tensor and returns its id; `name` is made unique by a suffix where it is taken.
TensorId AddTensor(Graph &graph, Tensor tensor);
// Adds a constant holding `values`.
TensorId AddFloats(Graph &graph, const std::string &name, std::vector<int64_t> dims, const std::vector<float> &values);

// Constants' data as numbers. Precondition: is_constant, and the dtype named.
const float *FloatData(const Tensor &tensor);
const int64_t *Int64Data(const Tensor &tensor);

// Per tensor: the float node that writes it, or kNone; and the float nodes that read it (once per operand).
std::vector<NodeId> Producers(const Graph &graph);
std::vector<std::vector<NodeId>> Consumers(const Graph &graph);

inline const std::vector<int64_t> &DimsOf(const Graph &graph, TensorId id) { return graph.tensors[id].dims; }
inline bool Contains(const std::vector<TensorId> &ids, TensorId id) {
  return std::find(ids.begin(), ids.end(), id) != ids.end();
}

// By TensorId of a base: the op nodes that read and that write some of it, once each, in order.
struct Users {
  std::vector<std::vector<NodeId>> readers, writers;
};
Users OpUsers(const Graph &graph);

// Bytes of what op nodes derived from their weights, known after infer(). Of a graph: nodes that do the same work once
// more share theirs, as in the generated program.
int64_t ConstantBytes(const Node &node);
int64_t ConstantBytes(const Graph &graph);

// Attributes with defaults.
int64_t AttrInt(const FloatNode &node, const std::string &key, int64_t fallback);
float AttrFloat(const FloatNode &node, const std::string &key, float fallback);
std::string AttrString(const FloatNode &node, const std::string &key, const std::string &fallback);
std::vector<int64_t> AttrInts(const FloatNode &node, const std::string &key, const std::vector<int64_t> &fallback = {});

}  // namespace onnx2mcu
