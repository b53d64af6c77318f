#include "importer/onnx_writer.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>

#include <limits>
#include <set>

#include "absl/strings/str_cat.h"
#include "onnx/onnx_pb.h"

namespace onnx2mcu {
namespace {

using onnx::AttributeProto;
using onnx::TensorProto;

// Of the types that the graph holds for ONNX values.
int OnnxType(DType dtype) {
  switch (dtype) {
    case DType::kS8:
      return TensorProto::INT8;
    case DType::kS16:
      return TensorProto::INT16;
    case DType::kS32:
      return TensorProto::INT32;
    case DType::kS64:
      return TensorProto::INT64;
    case DType::kU8:
      return TensorProto::UINT8;
    case DType::kBool:
      return TensorProto::BOOL;
    default:
      return TensorProto::FLOAT;
  }
}

void SetConstant(const Tensor &tensor, TensorProto &proto) {
  proto.set_name(tensor.name);
  proto.set_data_type(OnnxType(tensor.dtype));
  for (const int64_t dim : tensor.dims) proto.add_dims(dim);
  proto.set_raw_data(tensor.data.data(), tensor.data.size());
}

void SetValue(const Tensor &tensor, onnx::ValueInfoProto &proto) {
  proto.set_name(tensor.name);
  auto &type = *proto.mutable_type()->mutable_tensor_type();
  type.set_elem_type(OnnxType(tensor.dtype));
  type.mutable_shape();
  for (const int64_t dim : tensor.dims) type.mutable_shape()->add_dim()->set_dim_value(dim);
}

struct AttrSetter {
  AttributeProto &proto;
  void operator()(int64_t value) const { proto.set_type(AttributeProto::INT), proto.set_i(value); }
  void operator()(float value) const { proto.set_type(AttributeProto::FLOAT), proto.set_f(value); }
  void operator()(const std::string &value) const { proto.set_type(AttributeProto::STRING), proto.set_s(value); }
  void operator()(const std::vector<int64_t> &values) const {
    proto.set_type(AttributeProto::INTS);
    proto.mutable_ints()->Add(values.begin(), values.end());
  }
  void operator()(const std::vector<float> &values) const {
    proto.set_type(AttributeProto::FLOATS);
    proto.mutable_floats()->Add(values.begin(), values.end());
  }
  void operator()(const std::vector<std::string> &values) const {
    proto.set_type(AttributeProto::STRINGS);
    for (const std::string &value : values) proto.add_strings(value);
  }
};

void SetNode(const Graph &graph, const FloatNode &node, onnx::NodeProto &proto) {
  proto.set_name(node.name), proto.set_op_type(node.op_type), proto.set_domain(node.domain);
  for (const TensorId id : node.inputs) proto.add_input(id == kNone ? "" : graph.tensors[id].name);
  for (const TensorId id : node.outputs) proto.add_output(graph.tensors[id].name);
  for (const auto &[name, value] : node.attrs) {
    AttributeProto &attr = *proto.add_attribute();
    attr.set_name(name);
    std::visit(AttrSetter{attr}, value);
  }
}

onnx::ModelProto ModelOf(const Graph &graph) {
  onnx::ModelProto model;
  model.set_ir_version(9);  // the first of opset 20
  model.set_producer_name("onnx2mcu");
  model.add_opset_import()->set_version(graph.opset);
  for (const auto &[key, value] : graph.metadata) {
    auto &entry = *model.add_metadata_props();
    entry.set_key(key), entry.set_value(value);
  }
  onnx::GraphProto &proto = *model.mutable_graph();
  proto.set_name(graph.name);
  for (const TensorId id : graph.inputs) SetValue(graph.tensors[id], *proto.add_input());
  for (const TensorId id : graph.outputs) SetValue(graph.tensors[id], *proto.add_output());
  std::set<TensorId> written;
  for (const FloatNode &node : graph.float_nodes) {
    SetNode(graph, node, *proto.add_node());
    for (const TensorId id : node.inputs)
      if (id != kNone && graph.tensors[id].is_constant && written.insert(id).second)
        SetConstant(graph.tensors[id], *proto.add_initializer());
  }
  return model;
}

}  // namespace

absl::StatusOr<std::string> OnnxBytes(const Graph &graph) {
  const onnx::ModelProto model = ModelOf(graph);
  if (model.ByteSizeLong() > static_cast<size_t>(std::numeric_limits<int32_t>::max()))
    return absl::InvalidArgumentError(
        absl::StrCat(graph.name, ": ", model.ByteSizeLong(), " bytes, and an ONNX file ends at 2 GiB"));
  std::string bytes;
  google::protobuf::io::StringOutputStream stream(&bytes);
  google::protobuf::io::CodedOutputStream coded(&stream);
  coded.SetSerializationDeterministic(true);
  if (!model.SerializeToCodedStream(&coded))
    return absl::InternalError(absl::StrCat(graph.name, ": cannot be written as ONNX"));
  coded.Trim();
  return bytes;
}

}  // namespace onnx2mcu
