// A .npz is a ZIP archive of .npy members; each begins with a local header "PK\3\4" that gives its length.
#include "npz.h"

#include <cstring>
#include <fstream>
#include <iterator>
#include <sstream>

namespace onnx2mcu {
namespace {

template <class T>
T At(const std::string &bytes, size_t position) {
  T value{};
  if (position + sizeof(T) <= bytes.size()) std::memcpy(&value, bytes.data() + position, sizeof(T));
  return value;
}

template <class T>
void Copy(const std::string &bytes, size_t start, Value &value) {
  const int64_t count = ElementCount(value.dims);
  for (int64_t k = 0; k < count; k++) {
    const T element = At<T>(bytes, start + static_cast<size_t>(k) * sizeof(T));
    if (value.is_float()) {
      value.f.push_back(static_cast<float>(element));
    } else {
      value.i.push_back(static_cast<int64_t>(element));
    }
  }
}

// The text between quotes or brackets after a key of the header.
std::string Field(const std::string &header, const std::string &key, char open, char close) {
  const size_t at = header.find(open, header.find("'" + key + "':") + key.size() + 3);
  return header.substr(at + 1, header.find(close, at + 1) - at - 1);
}

Value ParseNpy(const std::string &npy) {
  const size_t start = npy.size() > 6 && npy[6] == 1 ? 10 + At<uint16_t>(npy, 8) : 12 + At<uint32_t>(npy, 8);
  const std::string header = npy.substr(0, start), type = Field(header, "descr", '\'', '\'');
  Value value;
  value.dtype = type[1] == 'f' ? DType::kF32 : DType::kS64;
  std::stringstream shape(Field(header, "shape", '(', ')'));
  for (std::string dim; std::getline(shape, dim, ',');) {
    if (dim.find_first_of("0123456789") != std::string::npos) value.dims.push_back(std::stoll(dim));
  }
  if (type == "<f4") Copy<float>(npy, start, value);
  if (type == "<f8") Copy<double>(npy, start, value);
  if (type == "<i8") Copy<int64_t>(npy, start, value);
  if (type == "<i4") Copy<int32_t>(npy, start, value);
  if (type == "|u1") Copy<uint8_t>(npy, start, value);
  if (type == "|i1" || type == "|b1") Copy<int8_t>(npy, start, value);
  return value;
}

}  // namespace

std::map<std::string, Value> ReadNpz(const std::string &path) {
  std::ifstream in(path, std::ios::binary);
  const std::string zip((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
  std::map<std::string, Value> arrays;
  size_t at = 0;
  while (at + 30 <= zip.size() && At<uint32_t>(zip, at) == 0x04034b50) {
    const size_t name_length = At<uint16_t>(zip, at + 26), extra = At<uint16_t>(zip, at + 28);
    size_t bytes = At<uint32_t>(zip, at + 18);
    if (bytes == 0xffffffff) bytes = At<uint64_t>(zip, at + 30 + name_length + 4 + 8);  // ZIP64: both sizes follow
    const std::string name = zip.substr(at + 30, name_length);
    const size_t start = at + 30 + name_length + extra;
    if (At<uint16_t>(zip, at + 8) != 0 || start + bytes > zip.size()) return {};
    arrays[name.substr(0, name.rfind(".npy"))] = ParseNpy(zip.substr(start, bytes));
    at = start + bytes;
  }
  return arrays;
}

}  // namespace onnx2mcu
