// importer/onnx_reader.h - the parts of ReadOnnx(). Private to importer/onnx_reader*.cc, the only files that see
// protobuf. No exception and no protobuf text leaves them.
#pragma once
#include <string>

#include "importer/ir/graph.h"
#include "importer/ir/status.h"

namespace onnx {
class AttributeProto;
class GraphProto;
class ModelProto;
class NodeProto;
class TensorProto;
}  // namespace onnx

namespace onnx2mcu {

// Where a message points: the file as the user named it, and the folder that external data lives in.
struct ModelFile {
  std::string path;
  std::string folder;
  std::string sha256;
};

// The bytes of `path` as a model. NotFound: no such file; InvalidArgument: not a whole ONNX file.
absl::Status LoadModel(const std::string &path, ModelFile &file, onnx::ModelProto &model);

// Brings the model to what BuildGraph() takes: functions inlined, branches that shapes decide taken, no other control
// flow, known opsets and ops, names defined once, nodes in topological order. What ONNX Runtime runs although the
// checker refuses it becomes a warning.
absl::Status CheckModel(const ModelFile &file, onnx::ModelProto &model, std::vector<std::string> &warnings);

// The nodes, weights and outputs of a checked model, added to a graph that may be named already.
absl::StatusOr<Graph> BuildGraph(const ModelFile &file, const onnx::ModelProto &model, Graph graph);

// Puts the branch that is taken in the place of every If whose condition depends on shapes and constants alone; true if
// there was one. Branches may hold more of them.
bool TakeBranches(const ModelFile &file, onnx::ModelProto &model);
bool HasGraphs(const onnx::NodeProto &node);  // it is control flow

// A TensorProto as a constant in the dtype that the graph holds: half, bfloat16 and double widened to F32, unsigned
// integers to the next larger type. Not yet named.
absl::StatusOr<Tensor> ReadTensor(const ModelFile &file, const std::string &name, const onnx::TensorProto &proto);

// The DType of an onnx::TensorProto::DataType; kAny where the graph has none for it.
DType DTypeOf(int onnx_type);
std::string OnnxTypeName(int onnx_type);  // "float16"

// The version of `domain` that the model imports; 0 if none.
int OpsetOf(const onnx::ModelProto &model, const std::string &domain);
// "vit.onnx: node '/blocks.0/Erf' (Erf, opset 17)"
std::string NodeText(const ModelFile &file, const onnx::ModelProto &model, const onnx::NodeProto &node);
// `name` with control characters replaced by '?': names of a file go into one-line messages and comments.
std::string Printable(std::string name);
// The first line of a library's message, without a final full stop.
std::string OneLine(const std::string &message);

}  // namespace onnx2mcu
