// tests/importer/onnx_bytes.h - ONNX files made byte by byte, without protobuf: the wire format of onnx.proto's fields
// that the tests need.
#pragma once
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

namespace onnx2mcu::wire {

inline std::string Varint(uint64_t value) {
  std::string bytes;
  for (; value >= 128; value >>= 7) bytes.push_back(static_cast<char>(value | 128));
  bytes.push_back(static_cast<char>(value));
  return bytes;
}
inline std::string Int(int field, int64_t value) {
  return Varint(static_cast<uint64_t>(field) << 3) + Varint(static_cast<uint64_t>(value));
}
inline std::string Bytes(int field, const std::string &value) {
  return Varint(static_cast<uint64_t>(field) << 3 | 2) + Varint(value.size()) + value;
}
inline std::string Float(int field, float value) {
  std::string bytes(4, '\0');
  std::memcpy(bytes.data(), &value, 4);
  return Varint(static_cast<uint64_t>(field) << 3 | 5) + bytes;
}
template <typename T>
std::string Raw(const std::vector<T> &values) {
  std::string bytes(values.size() * sizeof(T), '\0');
  if (!values.empty()) std::memcpy(bytes.data(), values.data(), bytes.size());
  return bytes;
}

enum Type { kFloat = 1, kInt32 = 6, kInt64 = 7, kHalf = 10, kDouble = 11, kUint32 = 12, kBfloat = 16, kInt4 = 22 };

inline std::string Dims(const std::vector<int64_t> &dims) {
  std::string bytes;
  for (int64_t dim : dims) bytes += Int(1, dim);
  return bytes;
}
// TensorProto with raw data.
inline std::string Tensor(const std::string &name, Type type, const std::vector<int64_t> &dims,
                          const std::string &raw) {
  return Dims(dims) + Int(2, type) + Bytes(8, name) + Bytes(9, raw);
}
inline std::string Entry(const std::string &key, const std::string &value) { return Bytes(1, key) + Bytes(2, value); }
// TensorProto whose data is in another file.
inline std::string External(const std::string &name, const std::vector<int64_t> &dims, const std::string &file,
                            int64_t offset, int64_t length) {
  return Dims(dims) + Int(2, kFloat) + Bytes(8, name) + Bytes(13, Entry("location", file)) +
         Bytes(13, Entry("offset", std::to_string(offset))) + Bytes(13, Entry("length", std::to_string(length))) +
         Int(14, 1);
}
// ValueInfoProto; a dim is a number or, where it is not one, a name.
inline std::string Value(const std::string &name, Type type, const std::vector<std::string> &dims) {
  std::string shape;
  for (const std::string &dim : dims) {
    const bool number = dim.find_first_not_of("0123456789") == std::string::npos;
    shape += Bytes(1, number ? Int(1, std::stoll(dim)) : Bytes(2, dim));
  }
  return Bytes(1, name) + Bytes(2, Bytes(1, Int(1, type) + Bytes(2, shape)));
}
inline std::string IntAttr(const std::string &name, int64_t value) {
  return Bytes(5, Bytes(1, name) + Int(3, value) + Int(20, 2));
}
inline std::string FloatAttr(const std::string &name, float value) {
  return Bytes(5, Bytes(1, name) + Float(2, value) + Int(20, 1));
}
// NodeProto.
inline std::string Node(const std::string &op, const std::vector<std::string> &inputs,
                        const std::vector<std::string> &outputs, const std::string &more = "") {
  std::string bytes;
  for (const std::string &input : inputs) bytes += Bytes(1, input);
  for (const std::string &output : outputs) bytes += Bytes(2, output);
  return bytes + Bytes(3, "node_" + (outputs.empty() ? op : outputs[0])) + Bytes(4, op) + more;
}

// GraphProto's parts, to be joined.
inline std::string GraphNode(const std::string &node) { return Bytes(1, node); }
inline std::string GraphTensor(const std::string &tensor) { return Bytes(5, tensor); }
inline std::string GraphInput(const std::string &value) { return Bytes(11, value); }
inline std::string GraphOutput(const std::string &name) { return Bytes(12, Value(name, kFloat, {})); }

// ModelProto.
inline std::string Model(const std::string &graph, int64_t opset = 17, const std::string &more = "") {
  return Int(1, 8) + Bytes(7, Bytes(2, "g") + graph) + Bytes(8, Int(2, opset)) + more;
}

}  // namespace onnx2mcu::wire
