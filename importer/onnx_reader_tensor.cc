// TensorProto -> constant Tensor: types, sizes, external data, values that no model may hold.
#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <limits>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "importer/onnx_reader.h"
#include "onnx/onnx_pb.h"

namespace onnx2mcu {
namespace {

namespace fs = std::filesystem;
using onnx::TensorProto;

std::string Where(const ModelFile &file, const std::string &name) {
  return absl::StrCat(file.path, ": tensor '", Printable(name), "'");
}

absl::Status Bad(const ModelFile &file, const std::string &name, const std::string &what) {
  return absl::InvalidArgumentError(absl::StrCat(Where(file, name), ": ", what));
}

// Bits of one stored element; 0: no such type here.
int64_t StoredBits(int type) {
  switch (type) {
    case TensorProto::FLOAT:
    case TensorProto::INT32:
    case TensorProto::UINT32:
      return 32;
    case TensorProto::FLOAT16:
    case TensorProto::BFLOAT16:
    case TensorProto::INT16:
    case TensorProto::UINT16:
      return 16;
    case TensorProto::DOUBLE:
    case TensorProto::INT64:
    case TensorProto::UINT64:
      return 64;
    case TensorProto::INT8:
    case TensorProto::UINT8:
    case TensorProto::BOOL:
      return 8;
    case TensorProto::INT4:
    case TensorProto::UINT4:
      return 4;
    default:
      return 0;
  }
}

constexpr int64_t kMaxElements = int64_t{1} << 31;

absl::StatusOr<int64_t> CountOf(const ModelFile &file, const std::string &name, const std::vector<int64_t> &dims) {
  int64_t count = 1;
  for (int64_t dim : dims) {
    if (dim < 0) return Bad(file, name, absl::StrCat("has dimension ", dim, "; export with fixed sizes"));
    if (dim > 0 && count > kMaxElements / dim)
      return Bad(file, name, "claims more than 2^31 elements; the file is damaged, export it again");
    count *= dim;
  }
  if (count == 0 && dims.size() > 1)
    return Bad(file, name, "has a dimension of size 0; export the model with non-empty layers");
  return count;
}

// Where an external tensor lies.
struct Piece {
  std::string location;
  int64_t offset = 0, length = -1;
};

absl::StatusOr<Piece> PieceOf(const ModelFile &file, const std::string &name, const TensorProto &proto) {
  Piece piece;
  for (const auto &entry : proto.external_data()) {
    bool ok = true;
    if (entry.key() == "location") piece.location = entry.value();
    if (entry.key() == "offset") ok = absl::SimpleAtoi(entry.value(), &piece.offset) && piece.offset >= 0;
    if (entry.key() == "length") ok = absl::SimpleAtoi(entry.value(), &piece.length) && piece.length >= 0;
    if (!ok)
      return Bad(file, name,
                 absl::StrCat("external data: ", entry.key(), " '", entry.value(),
                              "' is not a number of bytes; export the model again"));
  }
  return piece;
}

// External data must stay in the model's folder: a model is data, and data names no other files of the machine.
absl::StatusOr<fs::path> ResolveLocation(const ModelFile &file, const std::string &name, const std::string &location) {
  const std::string leaves =
      absl::StrCat("external data '", location, "' leaves the model's folder; keep the data file beside the model");
  const fs::path relative(location);
  if (location.empty()) return Bad(file, name, "external data without a location; export the model again");
  if (location.find('\0') != std::string::npos || relative.is_absolute()) return Bad(file, name, leaves);
  for (const fs::path &part : relative)
    if (part == "..") return Bad(file, name, leaves);
  std::error_code error;
  const fs::path folder = fs::canonical(file.folder.empty() ? "." : file.folder, error);
  const fs::path path = fs::weakly_canonical(folder / relative, error);
  const fs::path inside = path.lexically_relative(folder);
  if (error || inside.empty() || *inside.begin() == "..") return Bad(file, name, leaves);
  if (!fs::is_regular_file(path, error))
    return absl::NotFoundError(absl::StrCat(Where(file, name), ": external data file '", location,
                                            "' is missing; put it beside the model, or export with all data inside"));
  return path;
}

absl::StatusOr<std::string> ReadExternal(const ModelFile &file, const std::string &name, const TensorProto &proto,
                                         int64_t bytes) {
  O2M_ASSIGN_OR_RETURN(const Piece piece, PieceOf(file, name, proto));
  O2M_ASSIGN_OR_RETURN(const fs::path path, ResolveLocation(file, name, piece.location));
  std::error_code error;
  const int64_t size = static_cast<int64_t>(fs::file_size(path, error));
  if (piece.length >= 0 && piece.length != bytes)
    return Bad(file, name,
               absl::StrCat("external data has ", piece.length, " bytes where its shape needs ", bytes,
                            "; export the model again"));
  if (error || piece.offset > size || size - piece.offset < bytes)
    return Bad(file, name,
               absl::StrCat("external data file '", piece.location, "' ends after ", size, " bytes, ", piece.offset,
                            " + ", bytes, " are needed; copy the file again"));
  std::string data(static_cast<size_t>(bytes), '\0');
  std::ifstream in(path, std::ios::binary);
  in.seekg(piece.offset);
  if (!in.read(data.data(), bytes))
    return Bad(file, name, absl::StrCat("external data file '", piece.location, "' cannot be read; check the disk"));
  return data;
}

// The elements of a tensor as stored: little endian, dense.
template <typename T, typename Field>
std::string Narrow(const Field &values) {
  std::string bytes(static_cast<size_t>(values.size()) * sizeof(T), '\0');
  for (int i = 0; i < values.size(); i++) {
    const T value = static_cast<T>(values[i]);
    std::memcpy(bytes.data() + static_cast<size_t>(i) * sizeof(T), &value, sizeof(T));
  }
  return bytes;
}

std::string TypedBytes(const TensorProto &proto) {
  switch (proto.data_type()) {
    case TensorProto::FLOAT:
      return Narrow<float>(proto.float_data());
    case TensorProto::DOUBLE:
      return Narrow<double>(proto.double_data());
    case TensorProto::INT64:
      return Narrow<int64_t>(proto.int64_data());
    case TensorProto::UINT64:
      return Narrow<uint64_t>(proto.uint64_data());
    case TensorProto::UINT32:
      return Narrow<uint32_t>(proto.uint64_data());
    case TensorProto::INT32:
      return Narrow<int32_t>(proto.int32_data());
    case TensorProto::FLOAT16:
    case TensorProto::BFLOAT16:
    case TensorProto::INT16:
    case TensorProto::UINT16:
      return Narrow<uint16_t>(proto.int32_data());
    default:
      return Narrow<uint8_t>(proto.int32_data());
  }
}

absl::StatusOr<std::string> StoredBytes(const ModelFile &file, const std::string &name, const TensorProto &proto,
                                        int64_t count) {
  const int64_t needed = (count * StoredBits(proto.data_type()) + 7) / 8;
  if (proto.data_location() == TensorProto::EXTERNAL) return ReadExternal(file, name, proto, needed);
  const std::string bytes = proto.has_raw_data() ? proto.raw_data() : TypedBytes(proto);
  if (static_cast<int64_t>(bytes.size()) != needed)
    return Bad(file, name,
               absl::StrCat("holds ", bytes.size(), " bytes where its shape needs ", needed,
                            "; the file is damaged, export it again"));
  return bytes;
}

float HalfToFloat(uint16_t half) {
  const int exponent = half >> 10 & 31;
  const int mantissa = half & 1023;
  const float sign = half >> 15 ? -1.0f : 1.0f;
  if (exponent == 31) return mantissa ? std::numeric_limits<float>::quiet_NaN() : sign * INFINITY;
  if (exponent == 0) return sign * std::ldexp(static_cast<float>(mantissa), -24);
  return sign * std::ldexp(static_cast<float>(1024 + mantissa), exponent - 25);
}

float BfloatToFloat(uint16_t value) {
  const uint32_t bits = uint32_t{value} << 16;
  float result;
  std::memcpy(&result, &bits, sizeof result);
  return result;
}

// double masks hold -1.8e308: they saturate, as in a model exported in float.
float DoubleToFloat(double value) {
  constexpr double kMax = std::numeric_limits<float>::max();
  return std::isfinite(value) ? static_cast<float>(std::min(std::max(value, -kMax), kMax)) : static_cast<float>(value);
}

template <typename From, typename To, typename Convert>
std::vector<std::byte> Widen(const std::string &bytes, Convert convert) {
  const size_t count = bytes.size() / sizeof(From);
  std::vector<std::byte> data(count * sizeof(To));
  for (size_t i = 0; i < count; i++) {
    From from;
    std::memcpy(&from, bytes.data() + i * sizeof from, sizeof from);
    const To to = convert(from);
    std::memcpy(data.data() + i * sizeof to, &to, sizeof to);
  }
  return data;
}

// Two 4-bit values per byte, the low half first.
std::vector<std::byte> Unpack4(const std::string &bytes, int64_t count, bool is_signed) {
  std::vector<std::byte> data(static_cast<size_t>(count));
  for (size_t i = 0; i < data.size(); i++) {
    const int nibble = static_cast<unsigned char>(bytes[i / 2]) >> (4 * (i % 2)) & 15;
    data[i] = static_cast<std::byte>(is_signed && nibble > 7 ? nibble - 16 : nibble);
  }
  return data;
}

std::vector<std::byte> Plain(const std::string &bytes) {
  std::vector<std::byte> data(bytes.size());
  if (!bytes.empty()) std::memcpy(data.data(), bytes.data(), bytes.size());
  return data;
}

std::vector<std::byte> Decode(int type, const std::string &bytes, int64_t count) {
  switch (type) {
    case TensorProto::FLOAT16:
      return Widen<uint16_t, float>(bytes, HalfToFloat);
    case TensorProto::BFLOAT16:
      return Widen<uint16_t, float>(bytes, BfloatToFloat);
    case TensorProto::DOUBLE:
      return Widen<double, float>(bytes, DoubleToFloat);
    case TensorProto::UINT16:
      return Widen<uint16_t, int32_t>(bytes, [](uint16_t v) { return static_cast<int32_t>(v); });
    case TensorProto::UINT32:
      return Widen<uint32_t, int64_t>(bytes, [](uint32_t v) { return static_cast<int64_t>(v); });
    case TensorProto::INT4:
    case TensorProto::UINT4:
      return Unpack4(bytes, count, type == TensorProto::INT4);
    default:
      return Plain(bytes);
  }
}

// NaN never; infinities only where masks and bounds have them: alone, or -inf among zeros.
absl::Status CheckFinite(const ModelFile &file, const std::string &name, const Tensor &tensor) {
  const int64_t count = ElementCount(tensor.dims);
  const float *data = FloatData(tensor);
  int64_t infinite = kNone;
  bool mask = true;
  for (int64_t i = 0; i < count; i++) {
    if (std::isnan(data[i]))
      return Bad(file, name, absl::StrCat("element ", i, " is NaN; train or convert the model again"));
    if (std::isinf(data[i]) && infinite == kNone) infinite = i;
    mask = mask && (data[i] == 0 || (std::isinf(data[i]) && data[i] < 0));
  }
  if (infinite != kNone && count > 1 && !mask)
    return Bad(file, name, absl::StrCat("element ", infinite, " is infinite; train or convert the model again"));
  return absl::OkStatus();
}

}  // namespace

DType DTypeOf(int onnx_type) {
  switch (onnx_type) {
    case TensorProto::FLOAT:
    case TensorProto::FLOAT16:
    case TensorProto::BFLOAT16:
    case TensorProto::DOUBLE:
      return DType::kF32;
    case TensorProto::INT4:
    case TensorProto::INT8:
      return DType::kS8;
    case TensorProto::UINT4:
    case TensorProto::UINT8:
      return DType::kU8;
    case TensorProto::INT16:
      return DType::kS16;
    case TensorProto::UINT16:
    case TensorProto::INT32:
      return DType::kS32;
    case TensorProto::UINT32:
    case TensorProto::UINT64:
    case TensorProto::INT64:
      return DType::kS64;
    case TensorProto::BOOL:
      return DType::kBool;
    default:
      return DType::kAny;
  }
}

std::string OnnxTypeName(int onnx_type) {
  static constexpr const char *kNames[] = {"undefined", "float",  "uint8",     "int8",       "uint16",  "int16",
                                           "int32",     "int64",  "string",    "bool",       "float16", "double",
                                           "uint32",    "uint64", "complex64", "complex128", "bfloat16"};
  if (onnx_type >= 0 && onnx_type < static_cast<int>(std::size(kNames))) return kNames[onnx_type];
  return absl::StrCat("number ", onnx_type);
}

absl::StatusOr<Tensor> ReadTensor(const ModelFile &file, const std::string &name, const TensorProto &proto) {
  Tensor tensor;
  tensor.name = name;
  tensor.is_constant = true;
  tensor.dtype = DTypeOf(proto.data_type());
  tensor.dims.assign(proto.dims().begin(), proto.dims().end());
  if (tensor.dtype == DType::kAny || StoredBits(proto.data_type()) == 0)
    return absl::UnimplementedError(absl::StrCat(Where(file, name), " has element type ",
                                                 OnnxTypeName(proto.data_type()),
                                                 ", which is not supported; float, int64, int32 and int8 work"));
  O2M_ASSIGN_OR_RETURN(const int64_t count, CountOf(file, name, tensor.dims));
  O2M_ASSIGN_OR_RETURN(const std::string bytes, StoredBytes(file, name, proto, count));
  tensor.data = Decode(proto.data_type(), bytes, count);
  if (tensor.dtype == DType::kF32) O2M_RETURN_IF_ERROR(CheckFinite(file, name, tensor));
  return tensor;
}

}  // namespace onnx2mcu
