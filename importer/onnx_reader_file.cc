// From a path to a ModelProto: everything that can be wrong with a file before a graph is seen.
#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/stubs/logging.h>

#include <cctype>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <limits>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "importer/onnx_reader.h"
#include "importer/sha256.h"
#include "onnx/onnx_pb.h"

namespace onnx2mcu {
namespace {

namespace fs = std::filesystem;

constexpr char kExportAgain[] = "export the model again, or copy the file again";

absl::Status CheckPath(const std::string &path) {
  std::error_code error;
  const fs::file_status status = fs::status(path, error);
  if (!fs::exists(status)) return absl::NotFoundError(absl::StrCat(path, ": no such file; check the path"));
  if (fs::is_directory(status))
    return absl::InvalidArgumentError(absl::StrCat(path, ": is a folder; name the .onnx file in it"));
  if (!fs::is_regular_file(status))
    return absl::InvalidArgumentError(absl::StrCat(path, ": is not a regular file; name an .onnx file"));
  const uintmax_t size = fs::file_size(path, error);
  if (error) return absl::InvalidArgumentError(absl::StrCat(path, ": cannot be read: ", error.message()));
  if (size == 0) return absl::InvalidArgumentError(absl::StrCat(path, ": the file is empty; ", kExportAgain));
  if (size > static_cast<uintmax_t>(std::numeric_limits<int32_t>::max()))
    return absl::InvalidArgumentError(absl::StrCat(path, ": ", size,
                                                   " bytes, and an ONNX file ends at 2 GiB; export with external data "
                                                   "(no model of this size fits a microcontroller)"));
  return absl::OkStatus();
}

absl::StatusOr<std::string> ReadBytes(const std::string &path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) return absl::InvalidArgumentError(absl::StrCat(path, ": cannot be opened; check its permissions"));
  std::string bytes((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
  if (in.bad()) return absl::InvalidArgumentError(absl::StrCat(path, ": cannot be read; check the disk"));
  return bytes;
}

// What people pass by mistake, by its first bytes; "" if it looks like none of them.
std::string KnownFormat(const std::string &bytes) {
  const auto starts = [&](const char *magic) { return bytes.compare(0, std::strlen(magic), magic) == 0; };
  if (starts("PK\x03\x04"))
    return "a zip archive (a PyTorch checkpoint?); export it with torch.onnx.export(model, sample, 'model.onnx')";
  if (bytes.size() > 8 && bytes.compare(4, 4, "TFL3") == 0)
    return "a TensorFlow Lite model; export the model to ONNX instead";
  if (starts("\x89HDF")) return "an HDF5 file (Keras?); export it with tf2onnx";
  if (starts("version https://git-lfs")) return "a Git LFS pointer; run git lfs pull";
  if (starts("\x80\x02") || starts("\x80\x04")) return "a Python pickle; export the model with torch.onnx.export";
  if (starts("\x7f"
             "ELF"))
    return "a program; name an .onnx file";
  return "";
}

// One top-level field of the wire format, without reading what is in it.
struct Field {
  int number = 0;
  uint64_t claimed = 0;  // bytes of a length-delimited field
  bool valid = false, overruns = false;
};

Field NextField(google::protobuf::io::CodedInputStream &in, size_t total) {
  Field field;
  const uint32_t tag = in.ReadTagNoLastTag();
  field.number = static_cast<int>(tag >> 3);
  uint64_t value = 0;
  uint32_t word = 0;
  switch (tag & 7) {
    case 0:
      field.valid = in.ReadVarint64(&value);
      break;
    case 1:
      field.valid = in.ReadLittleEndian64(&value);
      break;
    case 5:
      field.valid = in.ReadLittleEndian32(&word);
      break;
    case 2: {
      if (!in.ReadVarint64(&field.claimed)) return field;
      const uint64_t left = total - static_cast<uint64_t>(in.CurrentPosition());
      field.valid = true;
      field.overruns = field.claimed > left;
      if (!field.overruns) in.Skip(static_cast<int>(field.claimed));
      break;
    }
    default:
      break;
  }
  return field;
}

bool IsModelField(int number) { return (number >= 1 && number <= 8) || number == 14 || (number >= 20 && number <= 28); }

// Says why `bytes` do not parse, from the outermost fields.
std::string Diagnosis(const std::string &bytes) {
  const std::string known = KnownFormat(bytes);
  if (!known.empty()) return absl::StrCat("is ", known);
  google::protobuf::io::CodedInputStream in(reinterpret_cast<const uint8_t *>(bytes.data()),
                                            static_cast<int>(bytes.size()));
  for (int count = 0; in.CurrentPosition() < static_cast<int>(bytes.size()); count++) {
    const Field field = NextField(in, bytes.size());
    const bool model_field = field.valid && IsModelField(field.number);
    if (!model_field && count == 0) return "is not an ONNX file (no protobuf of a model); name an .onnx file";
    if (!model_field) break;
    if (field.overruns)
      return absl::StrCat("is truncated: a field claims ", field.claimed, " bytes, of which ",
                          bytes.size() - static_cast<size_t>(in.CurrentPosition()), " are there; ", kExportAgain);
  }
  return absl::StrCat("is truncated or damaged: its outer fields are those of a model, what is in them is not; ",
                      kExportAgain);
}

bool Parse(const std::string &bytes, onnx::ModelProto &model) {
  google::protobuf::LogSilencer silent;
  google::protobuf::io::CodedInputStream in(reinterpret_cast<const uint8_t *>(bytes.data()),
                                            static_cast<int>(bytes.size()));
  in.SetTotalBytesLimit(std::numeric_limits<int>::max());
  return model.ParseFromCodedStream(&in) && in.ConsumedEntireMessage();
}

// A JSON or text file may by chance be a valid message of unknown fields.
bool LooksLikeText(const std::string &bytes) {
  for (size_t i = 0; i < bytes.size() && i < 64; i++)
    if (!std::isprint(static_cast<unsigned char>(bytes[i])) && !std::isspace(static_cast<unsigned char>(bytes[i])))
      return false;
  return true;
}

}  // namespace

absl::Status LoadModel(const std::string &path, ModelFile &file, onnx::ModelProto &model) {
  O2M_RETURN_IF_ERROR(CheckPath(path));
  O2M_ASSIGN_OR_RETURN(const std::string bytes, ReadBytes(path));
  if (!Parse(bytes, model)) return absl::InvalidArgumentError(absl::StrCat(path, ": ", Diagnosis(bytes)));
  if (!model.has_graph() || LooksLikeText(bytes)) {
    const std::string known = KnownFormat(bytes);
    return absl::InvalidArgumentError(
        absl::StrCat(path, ": ", known.empty() ? "holds no graph; name an .onnx model" : "is " + known));
  }
  file.path = path;
  file.folder = fs::path(path).parent_path().string();
  file.sha256 = Sha256Hex(bytes);
  return absl::OkStatus();
}

}  // namespace onnx2mcu
