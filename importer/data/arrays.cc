#include "importer/data/arrays.h"

#include <zlib.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "importer/data/files.h"
#include "importer/data/inputs.h"

namespace onnx2mcu {
namespace {

constexpr int64_t kMaxArrayElements = int64_t{1} << 31;

absl::Status Damaged(const std::string &path, const std::string &what) {
  return absl::InvalidArgumentError(absl::StrCat(path, ": ", what, "; write it again, for instance with numpy.save"));
}

// Number of elements, or -1 where the dims are not sane.
int64_t Count(const std::vector<int64_t> &dims) {
  int64_t count = 1;
  for (int64_t d : dims) {
    if (d < 0 || (d > 0 && count > kMaxArrayElements / d)) return -1;
    count *= d;
  }
  return count;
}

template <typename T>
void Widen(const char *bytes, int64_t count, std::vector<float> &out) {
  out.resize(count);
  for (int64_t i = 0; i < count; i++) {
    T value;
    std::memcpy(&value, bytes + i * static_cast<int64_t>(sizeof(T)), sizeof value);
    out[i] = static_cast<float>(value);
  }
}

struct Format {
  int64_t size;
  void (*widen)(const char *, int64_t, std::vector<float> &);
};

const std::map<std::string, Format> &Formats() {
  static const std::map<std::string, Format> formats = {{"<f4", {4, Widen<float>}},    {"<f8", {8, Widen<double>}},
                                                        {"<i8", {8, Widen<int64_t>}},  {"<i4", {4, Widen<int32_t>}},
                                                        {"<i2", {2, Widen<int16_t>}},  {"|i1", {1, Widen<int8_t>}},
                                                        {"<u2", {2, Widen<uint16_t>}}, {"<u4", {4, Widen<uint32_t>}},
                                                        {"|b1", {1, Widen<uint8_t>}},  {"<u8", {8, Widen<uint64_t>}}};
  return formats;
}

std::string Between(const std::string &text, const std::string &key, char open, char close) {
  const size_t at = text.find(key), from = at == std::string::npos ? at : text.find(open, at + key.size());
  const size_t to = from == std::string::npos ? from : text.find(close, from + 1);
  return to == std::string::npos ? "" : text.substr(from + 1, to - from - 1);
}

absl::StatusOr<Array> ParseNpy(const std::string &path, const std::string &data) {
  if (data.size() < 12 || data.compare(0, 6, "\x93NUMPY") != 0) return Damaged(path, "not a .npy array");
  const bool wide = data[6] > 1;
  const auto byte = [&](size_t i) { return static_cast<size_t>(static_cast<uint8_t>(data[i])); };
  const size_t start = wide ? 12 : 10, length = byte(8) | byte(9) << 8 | (wide ? byte(10) << 16 | byte(11) << 24 : 0);
  if (data.size() < start + length) return Damaged(path, "the .npy header is cut off");
  const std::string header = data.substr(start, length), type = Between(header, "'descr':", '\'', '\'');
  if (header.find("'fortran_order': False") == std::string::npos)
    return Damaged(path, "the array is in Fortran order, C order is needed");
  Array array;
  for (absl::string_view part : absl::StrSplit(Between(header, "'shape':", '(', ')'), ',', absl::SkipWhitespace())) {
    int64_t dim = 0;
    if (!absl::SimpleAtoi(part, &dim)) return Damaged(path, "the .npy header's shape cannot be read");
    array.dims.push_back(dim);
  }
  array.total = array.dims.empty() ? 0 : array.dims[0];
  const int64_t count = Count(array.dims);
  array.is_u8 = type == "|u1";
  const auto format = Formats().find(type);
  if (!array.is_u8 && format == Formats().end())
    return absl::InvalidArgumentError(absl::StrCat(path, ": dtype '", type, "' is not read; use uint8 or float32"));
  const int64_t size = array.is_u8 ? 1 : format->second.size;
  if (count < 0 || static_cast<int64_t>(data.size() - start - length) < count * size)
    return Damaged(path, "the array is cut off");
  const char *values = data.data() + start + length;
  if (array.is_u8)
    array.u8.assign(values, values + count);
  else
    format->second.widen(values, count, array.f32);
  return array;
}

absl::StatusOr<std::string> Inflate(const std::string &path, const std::string &packed, size_t size, int window) {
  std::string out(size, '\0');
  z_stream stream{};
  if (inflateInit2(&stream, window) != Z_OK) return Damaged(path, "cannot be unpacked");
  stream.next_in = reinterpret_cast<Bytef *>(const_cast<char *>(packed.data()));
  stream.avail_in = static_cast<uInt>(packed.size());
  int status = Z_OK;
  while (status == Z_OK) {
    if (stream.total_out == out.size()) out.resize(out.size() * 2 + 4096);
    stream.next_out = reinterpret_cast<Bytef *>(out.data() + stream.total_out);
    stream.avail_out = static_cast<uInt>(out.size() - stream.total_out);
    status = inflate(&stream, Z_NO_FLUSH);
    if (static_cast<int64_t>(stream.total_out) > kMaxArrayElements) break;
  }
  out.resize(stream.total_out);
  inflateEnd(&stream);
  if (status != Z_STREAM_END) return Damaged(path, "the packed data is damaged or cut off");
  return out;
}

uint64_t Little(const std::string &data, size_t at, size_t bytes) {
  uint64_t value = 0;
  for (size_t i = 0; i < bytes; i++) value |= static_cast<uint64_t>(static_cast<uint8_t>(data[at + i])) << (8 * i);
  return value;
}

// One local file header (zip): sizes may stand in a zip64 extra field, as numpy writes them.
absl::StatusOr<std::vector<Array>> ParseNpz(const std::string &path, const std::string &data) {
  std::vector<Array> arrays;
  size_t at = 0;
  while (at + 30 <= data.size() && data.compare(at, 4, "PK\x03\x04") == 0) {
    const uint64_t method = Little(data, at + 8, 2), name_size = Little(data, at + 26, 2),
                   extra = Little(data, at + 28, 2);
    uint64_t packed = Little(data, at + 18, 4), size = Little(data, at + 22, 4);
    const size_t body = at + 30 + name_size + extra;
    if (body > data.size()) return Damaged(path, "the .npz is cut off");
    if (packed == 0xFFFFFFFF && extra >= 20)
      size = Little(data, body - extra + 4, 8), packed = Little(data, body - extra + 12, 8);
    if (packed > data.size() - body) return Damaged(path, "the .npz is cut off");
    std::string name = data.substr(at + 30, name_size), bytes = data.substr(body, packed);
    if (method == 8) {
      O2M_ASSIGN_OR_RETURN(bytes, Inflate(path, bytes, size, -MAX_WBITS));
    }
    O2M_ASSIGN_OR_RETURN(Array array, ParseNpy(absl::StrCat(path, ":", name), bytes));
    array.name = absl::EndsWith(name, ".npy") ? name.substr(0, name.size() - 4) : name;
    arrays.push_back(std::move(array));
    at = body + packed;
  }
  if (arrays.empty()) return Damaged(path, "holds no array");
  return arrays;
}

// Where the bytes of an idx array begin.
size_t IdxStart(const std::string &data) { return 4 + 4 * static_cast<size_t>(static_cast<uint8_t>(data[3])); }

absl::StatusOr<std::vector<int64_t>> IdxDims(const std::string &path, const std::string &data) {
  if (data.size() < 4 || data[2] != 8) return Damaged(path, "not an idx file of bytes");
  if (data.size() < IdxStart(data)) return Damaged(path, "the idx header is cut off");
  std::vector<int64_t> dims;
  for (size_t at = 4; at < IdxStart(data); at += 4) {
    int64_t dim = 0;
    for (size_t k = 0; k < 4; k++) dim = dim << 8 | static_cast<uint8_t>(data[at + k]);
    dims.push_back(dim);
  }
  if (Count(dims) < 0) return Damaged(path, "the idx data is cut off");
  return dims;
}

// The first `rows` rows (0: all); `data` may end behind them.
absl::StatusOr<Array> ParseIdx(const std::string &path, const std::string &data, int64_t rows) {
  Array array;
  array.is_u8 = true;
  O2M_ASSIGN_OR_RETURN(array.dims, IdxDims(path, data));
  array.total = array.dims.empty() ? 0 : array.dims[0];
  if (rows > 0 && rows < array.total) array.dims[0] = rows;
  const auto start = static_cast<int64_t>(IdxStart(data)), count = Count(array.dims);
  if (static_cast<int64_t>(data.size()) - start < count) return Damaged(path, "the idx data is cut off");
  array.u8.assign(data.begin() + start, data.begin() + start + count);
  return array;
}

// What stands last in a .gz: its length when unpacked, in 32 bits.
uint64_t UnpackedSize(const std::string &path) {
  std::string last(4, '\0');
  std::ifstream file(path, std::ios::binary);
  file.seekg(-4, std::ios::end).read(last.data(), 4);
  return file ? Little(last, 0, 4) : 0;
}

// Up to the `rows`th row of an idx array, from an open .gz; empty where the file has no more, is no such array, or is
// not as long as its header says.
std::string RowsOf(gzFile file, const std::string &path, int64_t rows) {
  std::string data(4 + 4 * 255, '\0');
  data.resize(static_cast<size_t>(std::max(0, gzread(file, data.data(), static_cast<unsigned>(data.size())))));
  const auto dims = IdxDims(path, data);
  if (!dims.ok() || gzdirect(file) != 0 || data[0] != 0 || data[1] != 0 || dims->empty() || (*dims)[0] <= rows)
    return "";
  const size_t row = static_cast<size_t>(Count(*dims) / (*dims)[0]), read = data.size();
  if (IdxStart(data) + row * static_cast<size_t>((*dims)[0]) != UnpackedSize(path)) return "";
  data.resize(IdxStart(data) + row * static_cast<size_t>(rows));
  if (data.size() <= read) return data;
  const auto more = static_cast<unsigned>(data.size() - read);
  return gzread(file, data.data() + read, more) == static_cast<int>(more) ? data : "";
}

// Unpacking 60,000 images takes longer than calibrating with 128 of them. Empty: the whole file is to be read.
std::string UnpackedRows(const std::string &path, int64_t rows) {
  if (rows <= 0) return "";
  const gzFile file = gzopen(path.c_str(), "rb");
  if (file == nullptr) return "";
  std::string data = RowsOf(file, path, rows);
  gzclose(file);
  return data;
}

void PutLittle(std::string &out, uint64_t value, int bytes) {
  for (int i = 0; i < bytes; i++) out.push_back(static_cast<char>(value >> (8 * i)));
}

std::string NpyBytes(const NamedArray &array) {
  std::string shape;
  for (int64_t d : array.dims) absl::StrAppend(&shape, d, ", ");
  const bool real = array.i32.empty();
  std::string header =
      absl::StrCat("{'descr': '", real ? "<f4" : "<i4", "', 'fortran_order': False, 'shape': (", shape, "), }");
  while ((10 + header.size() + 1) % 64) header.push_back(' ');
  header.push_back('\n');
  std::string out("\x93NUMPY\x01\x00", 8);
  PutLittle(out, header.size(), 2);
  out += header;
  const char *data =
      real ? reinterpret_cast<const char *>(array.f32.data()) : reinterpret_cast<const char *>(array.i32.data());
  return out.append(data, 4 * (real ? array.f32.size() : array.i32.size()));
}

// The fields that a local and a central zip entry share, from "version needed" on. The date is 1980-01-01: same input,
// same bytes.
std::string ZipFields(const std::string &name, const std::string &body) {
  std::string f;
  PutLittle(f, 20, 2), PutLittle(f, 0, 2), PutLittle(f, 0, 2), PutLittle(f, 0, 2), PutLittle(f, 33, 2);
  PutLittle(f, crc32(0, reinterpret_cast<const Bytef *>(body.data()), static_cast<uInt>(body.size())), 4);
  PutLittle(f, body.size(), 4), PutLittle(f, body.size(), 4), PutLittle(f, name.size(), 2), PutLittle(f, 0, 2);
  return f;
}

// The file's bytes, gzip undone.
absl::StatusOr<std::string> Unpacked(const std::string &path) {
  absl::StatusOr<std::string> data = ReadFileBytes(path);
  if (!data.ok() || data->size() < 2 || (*data)[0] != '\x1f' || (*data)[1] != '\x8b') return data;
  return Inflate(path, *data, data->size() * 4, 16 + MAX_WBITS);
}

}  // namespace

absl::StatusOr<std::vector<Array>> ReadArrays(const std::string &path, int64_t rows) {
  if (const std::string data = UnpackedRows(path, rows); !data.empty()) {
    O2M_ASSIGN_OR_RETURN(Array array, ParseIdx(path, data, rows));
    return std::vector<Array>{std::move(array)};
  }
  const absl::StatusOr<std::string> data = Unpacked(path);
  if (!data.ok()) return data.status();
  if (data->compare(0, 4, "PK\x03\x04") == 0) return ParseNpz(path, *data);
  const bool idx = data->size() > 3 && (*data)[0] == 0 && (*data)[1] == 0;
  O2M_ASSIGN_OR_RETURN(Array array, idx ? ParseIdx(path, *data, rows) : ParseNpy(path, *data));
  return std::vector<Array>{std::move(array)};
}

absl::Status WriteNpz(const std::string &path, const std::vector<NamedArray> &arrays) {
  std::string out, directory;
  for (const NamedArray &array : arrays) {
    const std::string name = array.name + ".npy", body = NpyBytes(array), fields = ZipFields(name, body);
    directory += std::string("PK\x01\x02\x14\x00", 6) + fields;
    PutLittle(directory, 0, 2), PutLittle(directory, 0, 2), PutLittle(directory, 0, 2), PutLittle(directory, 0, 4);
    PutLittle(directory, out.size(), 4);
    directory += name;
    out += std::string("PK\x03\x04", 4) + fields + name + body;
  }
  const size_t start = out.size();
  out += directory + std::string("PK\x05\x06\x00\x00\x00\x00", 8);
  PutLittle(out, arrays.size(), 2), PutLittle(out, arrays.size(), 2), PutLittle(out, directory.size(), 4);
  PutLittle(out, start, 4), PutLittle(out, 0, 2);
  const absl::Status status = WriteFileBytes(path, out);
  if (!status.ok() && std::filesystem::is_regular_file(path)) std::filesystem::remove(path);
  return status;
}

}  // namespace onnx2mcu
