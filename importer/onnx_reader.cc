// ReadOnnx(): a checked ModelProto as a Graph. The file's values keep their names, its weights become constants, what
// depends on the batch sees a batch of 1.
#include "importer/onnx_reader.h"

#include <cctype>
#include <map>
#include <set>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "importer/passes.h"
#include "onnx/onnx_pb.h"

namespace onnx2mcu {
namespace {

using onnx::AttributeProto;
using onnx::TensorProto;

// The tensors of a graph under construction, by ONNX name.
struct Names {
  std::map<std::string, TensorId> ids;
};

TensorId Add(Graph &graph, Names &names, Tensor tensor) {
  const std::string name = tensor.name;
  tensor.name = Printable(name);
  graph.tensors.push_back(std::move(tensor));  // CheckModel() made sure that names are unique
  return names.ids[name] = static_cast<TensorId>(graph.tensors.size()) - 1;
}

bool IsKeyword(const std::string &name) {
  static constexpr const char *kWords[] = {
      "auto",    "break",    "case",     "char",  "const",  "continue", "default", "do",     "double",
      "else",    "enum",     "extern",   "float", "for",    "goto",     "if",      "inline", "int",
      "long",    "register", "return",   "short", "signed", "sizeof",   "static",  "struct", "switch",
      "typedef", "union",    "unsigned", "void",  "while",  "class",    "new",     "delete", "this",
      "main",    "template", "try",      "catch", "public", "private",  "using",   "bool"};
  for (const char *word : kWords)
    if (name == word) return true;
  return false;
}

// "vit-tiny.v2" -> "vit_tiny_v2"
std::string CIdentifier(const std::string &text) {
  std::string name;
  for (char c : text) name.push_back(std::isalnum(static_cast<unsigned char>(c)) ? c : '_');
  if (name.empty() || std::isdigit(static_cast<unsigned char>(name[0]))) name = "model_" + name;
  return IsKeyword(name) ? name + "_" : name;
}

std::string StemOf(const std::string &path) {
  const size_t slash = path.find_last_of('/');
  const std::string file = slash == std::string::npos ? path : path.substr(slash + 1);
  const size_t dot = file.find_last_of('.');
  return dot == std::string::npos || dot == 0 ? file : file.substr(0, dot);
}

absl::Status NameGraph(const ModelFile &file, const ReadOptions &options, Graph &graph) {
  graph.name = options.name.empty() ? CIdentifier(StemOf(file.path)) : options.name;
  if (!options.name.empty() && CIdentifier(options.name) != options.name)
    return absl::InvalidArgumentError(
        absl::StrCat("name '", options.name, "' is not a C identifier; try '", CIdentifier(options.name), "'"));
  return absl::OkStatus();
}

// A leading dynamic dimension, and every other one of the same name, is the batch.
absl::StatusOr<std::vector<int64_t>> InputDims(const ModelFile &file, const onnx::ValueInfoProto &input) {
  const onnx::TensorShapeProto &shape = input.type().tensor_type().shape();
  const std::string batch = shape.dim_size() > 0 ? shape.dim(0).dim_param() : "";
  std::vector<int64_t> dims;
  for (int axis = 0; axis < shape.dim_size(); axis++) {
    const auto &dim = shape.dim(axis);
    const bool dynamic = !dim.has_dim_value() || dim.dim_value() < 0;
    const bool is_batch = axis == 0 || (!batch.empty() && dim.dim_param() == batch);
    const std::string where = absl::StrCat(file.path, ": input '", Printable(input.name()), "' axis ", axis);
    if (dynamic && !is_batch)
      return absl::InvalidArgumentError(absl::StrCat(
          where, " is dynamic", dim.dim_param().empty() ? "" : " ('" + dim.dim_param() + "')",
          "; only the batch (axis 0) may be: export with a fixed size there, without it in dynamic_axes or "
          "dynamic_shapes"));
    if (!dynamic && dim.dim_value() == 0)
      return absl::InvalidArgumentError(absl::StrCat(where, " has size 0; export with a real input size"));
    dims.push_back(dynamic ? 1 : dim.dim_value());
  }
  return dims;
}

absl::Status AddInput(const ModelFile &file, const onnx::ValueInfoProto &input, Names &names, Graph &graph) {
  const std::string where = absl::StrCat(file.path, ": input '", Printable(input.name()), "'");
  if (!input.type().has_tensor_type())
    return absl::UnimplementedError(absl::StrCat(where, " is not a tensor; export the model with tensor inputs"));
  Tensor tensor;
  tensor.name = input.name();
  tensor.dtype = DTypeOf(input.type().tensor_type().elem_type());
  if (tensor.dtype == DType::kAny)
    return absl::UnimplementedError(absl::StrCat(where, " has element type ",
                                                 OnnxTypeName(input.type().tensor_type().elem_type()),
                                                 ", which is not supported; float, int64, int32, int8 and uint8 work"));
  if (!input.type().tensor_type().has_shape())
    return absl::InvalidArgumentError(absl::StrCat(where, " has no shape; export the model with a sample input"));
  O2M_ASSIGN_OR_RETURN(tensor.dims, InputDims(file, input));
  graph.inputs.push_back(Add(graph, names, std::move(tensor)));
  return absl::OkStatus();
}

// Weights may be listed as graph inputs too (IR version 3, or keep_initializers_as_inputs): then they are weights.
absl::Status AddInputsAndWeights(const ModelFile &file, const onnx::GraphProto &proto, Names &names, Graph &graph) {
  std::set<std::string> weights;
  for (const TensorProto &tensor : proto.initializer()) weights.insert(tensor.name());
  for (const onnx::ValueInfoProto &input : proto.input())
    if (!weights.count(input.name())) O2M_RETURN_IF_ERROR(AddInput(file, input, names, graph));
  if (graph.inputs.empty())
    return absl::InvalidArgumentError(absl::StrCat(file.path, ": has no input; export the model with a sample input"));
  for (const TensorProto &proto_tensor : proto.initializer()) {
    O2M_ASSIGN_OR_RETURN(Tensor tensor, ReadTensor(file, proto_tensor.name(), proto_tensor));
    Add(graph, names, std::move(tensor));
  }
  return absl::OkStatus();
}

Tensor Int64Constant(const std::string &name, std::vector<int64_t> dims, const std::vector<int64_t> &values) {
  Tensor tensor;
  tensor.name = name;
  tensor.dtype = DType::kS64;
  tensor.dims = std::move(dims);
  tensor.is_constant = true;
  const auto *bytes = reinterpret_cast<const std::byte *>(values.data());
  tensor.data.assign(bytes, bytes + values.size() * sizeof(int64_t));
  return tensor;
}

Tensor FloatConstant(const std::string &name, std::vector<int64_t> dims, const std::vector<float> &values) {
  Tensor tensor;
  tensor.name = name;
  tensor.dims = std::move(dims);
  tensor.is_constant = true;
  const auto *bytes = reinterpret_cast<const std::byte *>(values.data());
  tensor.data.assign(bytes, bytes + values.size() * sizeof(float));
  return tensor;
}

// The value of a Constant node.
absl::StatusOr<Tensor> ConstantValue(const ModelFile &file, const onnx::ModelProto &model,
                                     const onnx::NodeProto &node) {
  const std::string &name = node.output(0);
  for (const AttributeProto &a : node.attribute()) {
    if (a.name() == "value") return ReadTensor(file, name, a.t());
    if (a.name() == "value_float") return FloatConstant(name, {}, {a.f()});
    if (a.name() == "value_int") return Int64Constant(name, {}, {a.i()});
    if (a.name() == "value_floats")
      return FloatConstant(name, {a.floats_size()}, {a.floats().begin(), a.floats().end()});
    if (a.name() == "value_ints") return Int64Constant(name, {a.ints_size()}, {a.ints().begin(), a.ints().end()});
  }
  return absl::UnimplementedError(absl::StrCat(NodeText(file, model, node),
                                               ": a constant that is no dense tensor of numbers is not supported; "
                                               "export without strings and sparse constants"));
}

// Half and double are evaluated in float, so casts to them are casts to float.
int64_t WidenedType(int64_t onnx_type) {
  return DTypeOf(static_cast<int>(onnx_type)) == DType::kF32 ? int64_t{TensorProto::FLOAT} : onnx_type;
}

bool NamesType(const AttributeProto &a) {
  return a.name() == "to" || a.name() == "dtype" || a.name() == "output_dtype" || a.name() == "stash_type";
}

absl::Status AddAttribute(const ModelFile &file, const AttributeProto &a, FloatNode &node, Graph &graph) {
  switch (a.type()) {
    case AttributeProto::FLOAT:
      node.attrs[a.name()] = a.f();
      return absl::OkStatus();
    case AttributeProto::INT:
      node.attrs[a.name()] = NamesType(a) ? WidenedType(a.i()) : int64_t{a.i()};
      return absl::OkStatus();
    case AttributeProto::STRING:
      node.attrs[a.name()] = a.s();
      return absl::OkStatus();
    case AttributeProto::FLOATS:
      node.attrs[a.name()] = std::vector<float>(a.floats().begin(), a.floats().end());
      return absl::OkStatus();
    case AttributeProto::INTS:
      node.attrs[a.name()] = std::vector<int64_t>(a.ints().begin(), a.ints().end());
      return absl::OkStatus();
    case AttributeProto::STRINGS:
      node.attrs[a.name()] = std::vector<std::string>(a.strings().begin(), a.strings().end());
      return absl::OkStatus();
    case AttributeProto::TENSOR: {
      O2M_ASSIGN_OR_RETURN(Tensor tensor, ReadTensor(file, absl::StrCat(node.name, ".", a.name()), a.t()));
      node.subgraph_constants[a.name()] = AddTensor(graph, std::move(tensor));
      return absl::OkStatus();
    }
    default:
      return absl::UnimplementedError(absl::StrCat(file.path, ": node '", node.name, "' (", node.op_type,
                                                   "): attribute '", a.name(),
                                                   "' is of a kind that is not supported; numbers, strings and tensors "
                                                   "work"));
  }
}

// A tensor-valued attribute of one element is its number as well: EvaluateNode() sees no graph.
void ScalarAttributes(const Graph &graph, FloatNode &node) {
  for (const auto &[key, id] : node.subgraph_constants) {
    const Tensor &tensor = graph.tensors[id];
    if (ElementCount(tensor.dims) != 1) continue;
    if (tensor.dtype == DType::kF32) node.attrs[key] = FloatData(tensor)[0];
    if (tensor.dtype == DType::kS64) node.attrs[key] = Int64Data(tensor)[0];
    if (tensor.dtype == DType::kS32) node.attrs[key] = int64_t{*reinterpret_cast<const int32_t *>(tensor.data.data())};
    if (DTypeBytes(tensor.dtype) == 1) node.attrs[key] = static_cast<int64_t>(tensor.data[0]);
  }
}

// 'File "/home/me/nets.py", line 105, in forward\n    qkv = self.qkv(x)' -> 'nets.py:105: qkv = self.qkv(x)', of the
// innermost frame that lies in the same file as the outermost: the model's own code, not the library's.
std::string SourceLine(const std::string &trace) {
  std::string best, top;
  for (size_t at = trace.find("File \""); at != std::string::npos; at = trace.find("File \"", at + 1)) {
    const size_t open = at + 6, close = trace.find('"', open);
    const size_t line = trace.find(", line ", open), end = trace.find('\n', open);
    if (close == std::string::npos || line == std::string::npos || line > end) continue;
    const std::string path = trace.substr(open, close - open);
    const std::string file = path.substr(path.find_last_of("/\\") + 1);
    if (top.empty()) top = file;
    if (file != top) continue;
    const size_t digits = line + 7;
    best = absl::StrCat(file, ":", trace.substr(digits, trace.find_first_not_of("0123456789", digits) - digits));
    if (end == std::string::npos) continue;
    const size_t code = trace.find_first_not_of(" \n", end);
    if (code != std::string::npos && trace.compare(code, 4, "File") != 0)
      absl::StrAppend(&best, ": ", trace.substr(code, trace.find('\n', code) - code));
  }
  return best;
}

std::string SourceOf(const onnx::NodeProto &node) {
  for (const auto &entry : node.metadata_props())
    if (entry.key() == "pkg.torch.onnx.stack_trace") return SourceLine(entry.value());
  return SourceLine(node.doc_string());
}

TensorId ValueId(Graph &graph, Names &names, const std::string &name) {
  if (name.empty()) return kNone;
  const auto it = names.ids.find(name);
  if (it != names.ids.end()) return it->second;
  Tensor tensor;
  tensor.name = name;
  return Add(graph, names, std::move(tensor));
}

void DropMissingTail(std::vector<TensorId> &ids) {
  while (!ids.empty() && ids.back() == kNone) ids.pop_back();
}

absl::Status AddNode(const ModelFile &file, const onnx::ModelProto &model, const onnx::NodeProto &proto, Names &names,
                     Graph &graph) {
  if (proto.op_type() == "Constant" && proto.domain().empty()) {
    O2M_ASSIGN_OR_RETURN(Tensor tensor, ConstantValue(file, model, proto));
    Add(graph, names, std::move(tensor));
    return absl::OkStatus();
  }
  FloatNode node;
  node.name = Printable(proto.name().empty() && !proto.output().empty() ? proto.output(0) : proto.name());
  node.domain = proto.domain();
  node.op_type = proto.op_type();
  node.opset = OpsetOf(model, proto.domain());
  node.source = SourceOf(proto);
  for (const std::string &name : proto.input()) node.inputs.push_back(ValueId(graph, names, name));
  DropMissingTail(node.inputs);
  for (const AttributeProto &a : proto.attribute()) O2M_RETURN_IF_ERROR(AddAttribute(file, a, node, graph));
  ScalarAttributes(graph, node);
  for (const std::string &name : proto.output()) node.outputs.push_back(ValueId(graph, names, name));
  graph.float_nodes.push_back(std::move(node));
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Graph> BuildGraph(const ModelFile &file, const onnx::ModelProto &model, Graph graph) {
  Names names;
  O2M_RETURN_IF_ERROR(AddInputsAndWeights(file, model.graph(), names, graph));
  for (const onnx::NodeProto &node : model.graph().node())
    O2M_RETURN_IF_ERROR(AddNode(file, model, node, names, graph));
  for (const auto &output : model.graph().output()) graph.outputs.push_back(names.ids.at(output.name()));
  return graph;
}

absl::StatusOr<Graph> ReadOnnx(const std::string &path, const ReadOptions &options) {
  ModelFile file;
  onnx::ModelProto model;
  Graph graph;
  O2M_RETURN_IF_ERROR(LoadModel(path, file, model));
  O2M_RETURN_IF_ERROR(CheckModel(file, model, graph.warnings));
  O2M_RETURN_IF_ERROR(NameGraph(file, options, graph));
  graph.file = path;
  graph.sha256 = file.sha256;
  graph.opset = OpsetOf(model, "");
  for (const auto &entry : model.metadata_props()) graph.metadata[entry.key()] = entry.value();
  return BuildGraph(file, model, std::move(graph));
}

}  // namespace onnx2mcu
