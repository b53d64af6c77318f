#include "importer/data/inputs.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <numeric>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "importer/data/arrays.h"
#include "importer/data/files.h"
#include "importer/data/images.h"

namespace onnx2mcu {
namespace {

using Dims = std::vector<int64_t>;

std::string Shape(const Dims &dims) { return absl::StrCat("[", absl::StrJoin(dims, ","), "]"); }

Dims WithoutLeadingOnes(const Dims &dims) {
  const auto first = std::find_if(dims.begin(), dims.end(), [](int64_t d) { return d != 1; });
  return {first, dims.end()};
}

// The array is [n, ...] with ... the model's shape, leading ones aside.
bool Fits(const Array &array, const Dims &dims) {
  return !array.dims.empty() &&
         WithoutLeadingOnes({array.dims.begin() + 1, array.dims.end()}) == WithoutLeadingOnes(dims);
}

bool FitsChannelsLast(const Array &array, const Dims &dims) {
  if (!array.is_u8 || array.dims.size() != 4 || dims.size() < 3) return false;
  const size_t r = dims.size();
  return array.dims[1] == dims[r - 2] && array.dims[2] == dims[r - 1] && array.dims[3] == dims[r - 3];
}

void ToChannelsFirst(Array &array) {
  const int64_t n = array.dims[0], h = array.dims[1], w = array.dims[2], c = array.dims[3];
  std::vector<uint8_t> moved(array.u8.size());
  for (int64_t s = 0; s < n; s++)
    for (int64_t p = 0; p < h * w; p++)
      for (int64_t k = 0; k < c; k++) moved[(s * c + k) * h * w + p] = array.u8[(s * h * w + p) * c + k];
  array.u8 = std::move(moved);
  array.dims = {n, c, h, w};
}

struct FileAndKey {
  std::string file, key;
};
FileAndKey SplitKey(const std::string &text) {
  const size_t at = text.rfind(".npz:");
  if (at == std::string::npos) return {text, ""};
  return {text.substr(0, at + 4), text.substr(at + 5)};
}

std::string Describe(const std::vector<Array> &arrays) {
  return absl::StrJoin(arrays, ", ", [](std::string *out, const Array &a) {
    absl::StrAppend(out, a.name.empty() ? "" : a.name + " ", a.is_u8 ? "u8 " : "float ", Shape(a.dims));
  });
}

// From an .npz: the key asked for, the model's input name, "input", "images", else the only one that fits.
absl::StatusOr<Array> ChooseArray(std::vector<Array> arrays, const FileAndKey &source, const std::string &name,
                                  const Dims &dims) {
  const auto fits = [&](const Array &a) { return Fits(a, dims) || FitsChannelsLast(a, dims); };
  for (const std::string &wanted : {source.key, name, std::string("input"), std::string("images")}) {
    if (wanted.empty()) continue;
    for (Array &array : arrays)
      if (array.name == wanted && fits(array)) return std::move(array);
    if (wanted == source.key) break;
  }
  const int64_t fitting = std::count_if(arrays.begin(), arrays.end(), fits);
  if (source.key.empty() && fitting == 1) return std::move(*std::find_if(arrays.begin(), arrays.end(), fits));
  return absl::InvalidArgumentError(absl::StrCat(
      source.file, ": ", fitting > 1 ? "several arrays fit" : "no array fits", " input '", name, "', which takes ",
      Shape(dims), " per sample; the file holds ", Describe(arrays), "; give [n, ...] of that shape, or FILE.npz:key"));
}

template <typename T>
std::vector<T> Head(std::vector<T> values, int64_t size) {
  values.resize(std::min<size_t>(values.size(), static_cast<size_t>(size)));
  return values;
}

uint8_t PixelOf(float normalized, float mean, float std) {
  return static_cast<uint8_t>(std::clamp(std::lround((normalized * std + mean) * 255), 0L, 255L));
}

// Floats are fed after normalisation; a network that takes pixels needs them from before, in the model's channels.
void ToPixels(InputSet &set, const Preprocessing &p) {
  const int64_t size = ElementCount(set.dims), plane = set.dims[set.dims.size() - 1] * set.dims[set.dims.size() - 2];
  set.u8.resize(set.f32.size());
  for (size_t i = 0; i < set.f32.size(); i++) {
    const size_t c = p.std.size() == 1 ? 0 : static_cast<size_t>(static_cast<int64_t>(i) % size / plane);
    set.u8[i] = PixelOf(set.f32[i], p.mean[c], p.std[c]);
  }
  set.f32.clear();
}

// Pictures in red, green and blue, or grey, to what a camera of that format gives; `dims` are those of the input.
void ToCamera(InputSet &set, const PixelFormat &format, const Dims &dims) {
  const int64_t area = dims[2] * dims[3];
  std::vector<uint8_t> bytes;
  bytes.reserve(set.count * format.bytes * area);
  for (int64_t n = 0; n < set.count; n++) {
    const std::vector<uint8_t> picture = EncodePicture(format, set.u8.data() + n * format.colours * area, area);
    bytes.insert(bytes.end(), picture.begin(), picture.end());
  }
  set.u8 = std::move(bytes), set.dims = dims;
}

// The planes of a model whose channels are blue, green and red as red, green and blue.
void ReverseColours(InputSet &set) {
  const int64_t size = ElementCount(set.dims), area = size / 3;
  for (int64_t n = 0; n < set.count; n++) {
    const auto picture = set.u8.begin() + n * size;
    std::swap_ranges(picture, picture + area, picture + 2 * area);
  }
}

// An array of packed pixels as a camera wrote them, [n, H, W, bytes].
bool HoldsBytes(const std::string &text, const Tensor &input) {
  const FileAndKey source = SplitKey(text);
  auto arrays = ReadArrays(source.file, 1);
  if (!arrays.ok()) return false;
  const auto array = ChooseArray(*std::move(arrays), source, input.name, input.dims);
  return array.ok() && FitsChannelsLast(*array, input.dims);
}

bool IsQuantised(const Graph &graph, int index) {
  return static_cast<size_t>(index) < graph.quantised_inputs.size() && graph.quantised_inputs[index].scale > 0;
}

// Samples of an input that the file holds quantised are the integers.
void ToReals(InputSet &set, const Graph::QuantisedInput &input) {
  if (set.pixels) set.f32.assign(set.u8.begin(), set.u8.end());
  for (float &v : set.f32) v = (v - static_cast<float>(input.zero_point)) * input.scale;
  set.u8.clear(), set.pixels = false;
}

absl::Status NeedsPreprocessing(const std::string &file) {
  return absl::InvalidArgumentError(absl::StrCat(
      file,
      ": u8 pixels, and how the model wants them normalised is not known; give --mean and --std in units of "
      "pixel/255 (--mean=0 --std=1 for plain 0..1), or float inputs"));
}

absl::StatusOr<InputSet> FromFolder(const std::string &folder, const Dims &dims, bool camera, int64_t limit) {
  const size_t r = dims.size();
  if (r < 3 || (dims[r - 3] != 1 && dims[r - 3] != 3))
    return absl::InvalidArgumentError(
        absl::StrCat(folder, ": a folder of images does not fit an input of ", Shape(dims), "; give an array file"));
  const ImageSize size = {static_cast<int>(dims[r - 3]), static_cast<int>(dims[r - 2]), static_cast<int>(dims[r - 1]),
                          camera};
  O2M_ASSIGN_OR_RETURN(ImageFolder images, ReadImages(folder, size, limit));
  return InputSet{images.count, images.count, true, dims, std::move(images.chw), {}, std::move(images.labels)};
}

absl::StatusOr<InputSet> FromFile(const std::string &text, const std::string &name, const Dims &dims, int64_t limit) {
  const FileAndKey source = SplitKey(text);
  O2M_ASSIGN_OR_RETURN(std::vector<Array> arrays, ReadArrays(source.file, limit));
  O2M_ASSIGN_OR_RETURN(Array array, ChooseArray(std::move(arrays), source, name, dims));
  if (!Fits(array, dims)) ToChannelsFirst(array);
  InputSet set{array.dims[0], array.total, array.is_u8, dims, {}, {}, {}};
  if (limit) set.count = std::min(set.count, limit);
  const int64_t size = set.count * ElementCount(dims);
  set.u8 = Head(std::move(array.u8), size), set.f32 = Head(std::move(array.f32), size);
  return set;
}

}  // namespace

absl::StatusOr<InputSet> ReadInputs(const std::string &file, const Graph &graph, int index,
                                    const Preprocessing &preprocessing, int64_t limit) {
  const Tensor &input = graph.tensors[graph.inputs[index]];
  const bool folder = std::filesystem::is_directory(file), camera = preprocessing.formatted() && index == 0;
  Dims dims = input.dims;  // of what the file holds: pictures, where a camera's bytes are the input
  if (camera) dims[1] = preprocessing.format.colours;
  const bool raw = camera && !folder && preprocessing.format.packed && HoldsBytes(file, input);
  O2M_ASSIGN_OR_RETURN(InputSet set, folder ? FromFolder(file, dims, camera, limit)
                                            : FromFile(file, input.name, raw ? input.dims : dims, limit));
  if (set.count == 0)
    return absl::InvalidArgumentError(absl::StrCat(file, ": holds no sample; at least one is needed"));
  const bool pixels = preprocessing.known() && index == 0;
  if (IsQuantised(graph, index)) ToReals(set, graph.quantised_inputs[index]);
  if (set.pixels && !pixels && graph.integerised) set.f32.assign(set.u8.begin(), set.u8.end());  // integers as they are
  if (set.pixels && !pixels && !graph.integerised) return NeedsPreprocessing(file);
  if (camera && !set.pixels && preprocessing.std.size() > 1 && dims[1] == 1)
    return absl::InvalidArgumentError(absl::StrCat(file,
                                                   ": floats are fed after normalisation, which differs between the ",
                                                   "channels of one grey; give u8 pixels"));
  const bool reversed = camera && !set.pixels && preprocessing.bgr && dims[1] == 3;
  if (!set.pixels && pixels) ToPixels(set, preprocessing);
  if (reversed) ReverseColours(set);
  if (camera && !raw) ToCamera(set, preprocessing.format, input.dims);
  set.pixels = pixels;
  for (float v : set.f32)
    if (!std::isfinite(v))
      return absl::InvalidArgumentError(absl::StrCat(file, ": holds NaN or Inf; remove those samples"));
  return set;
}

namespace {

// NAME=FILE with a name that is no input, and no file of that name either.
absl::Status CheckInputName(const std::string &text, size_t name_size, const Graph &graph) {
  const size_t equals = text.find('=');
  if (name_size > 0 || equals == std::string::npos || std::filesystem::exists(SplitKey(text).file))
    return absl::OkStatus();
  std::vector<std::string> names;
  for (TensorId id : graph.inputs) names.push_back(absl::StrCat("'", graph.tensors[id].name, "'"));
  return absl::InvalidArgumentError(absl::StrCat(
      text, ": ", graph.file, " has no input named as before the '='; its inputs are ", absl::StrJoin(names, ", ")));
}

}  // namespace

absl::StatusOr<std::vector<InputSet>> ReadAllInputs(const std::vector<std::string> &files, const Graph &graph,
                                                    const Preprocessing &preprocessing, int64_t limit) {
  std::vector<InputSet> sets(graph.inputs.size());
  std::vector<bool> given(graph.inputs.size());
  for (const std::string &text : files) {
    size_t index = 0, skip = 0;
    for (size_t i = 0; i < graph.inputs.size(); i++)
      if (absl::StartsWith(text, graph.tensors[graph.inputs[i]].name + "="))
        index = i, skip = graph.tensors[graph.inputs[i]].name.size() + 1;
    O2M_RETURN_IF_ERROR(CheckInputName(text, skip, graph));
    O2M_ASSIGN_OR_RETURN(sets[index],
                         ReadInputs(text.substr(skip), graph, static_cast<int>(index), preprocessing, limit));
    given[index] = true;
  }
  for (size_t i = 0; i < sets.size(); i++) {
    const std::string name = graph.tensors[graph.inputs[i]].name;
    if (!given[i])
      return absl::InvalidArgumentError(
          absl::StrCat(graph.file, ": no samples for input '", name, "'; give ", name, "=FILE"));
    if (sets[i].count != sets[0].count)
      return absl::InvalidArgumentError(absl::StrCat(graph.file, ": ", sets[i].count, " samples for input '", name,
                                                     "' and ", sets[0].count, " for the first; give as many"));
  }
  return sets;
}

std::vector<Value> SampleOf(const std::vector<InputSet> &sets, int64_t n) {
  std::vector<Value> sample;
  for (const InputSet &set : sets) {
    const int64_t size = ElementCount(set.dims);
    Value value{DType::kF32, set.dims, {}, {}};
    if (set.pixels)
      value.f.assign(set.u8.begin() + n * size, set.u8.begin() + (n + 1) * size);
    else
      value.f.assign(set.f32.begin() + n * size, set.f32.begin() + (n + 1) * size);
    sample.push_back(std::move(value));
  }
  return sample;
}

namespace {

// Elements in the model's order to the order in memory, `size` bytes each.
std::vector<uint8_t> InMemory(const std::vector<uint8_t> &elements, int64_t size, const Tensor &input) {
  if (input.strides.empty()) return elements;
  std::vector<uint8_t> bytes(elements.size());
  std::vector<int64_t> index(input.dims.size());
  for (size_t from = 0; from < elements.size(); from += size) {
    int64_t at = 0;
    for (size_t i = 0; i < index.size(); i++) at += index[i] * input.strides[i];
    std::copy_n(elements.begin() + from, size, bytes.begin() + at * size);
    for (size_t i = index.size(); i-- > 0 && ++index[i] == input.dims[i];) index[i] = 0;
  }
  return bytes;
}

}  // namespace

std::vector<uint8_t> QuantizedSample(const InputSet &set, int64_t n, const Tensor &input) {
  const int64_t size = ElementCount(set.dims);
  if (set.pixels) return InMemory({set.u8.begin() + n * size, set.u8.begin() + (n + 1) * size}, 1, input);
  const bool wide = input.dtype == DType::kS16, is_signed = input.dtype != DType::kU8;
  const long low = wide ? -32768 : is_signed ? -128 : 0, high = wide ? 32767 : is_signed ? 127 : 255;
  std::vector<uint8_t> bytes;
  for (int64_t i = n * size; i < (n + 1) * size; i++) {
    const long q = std::clamp(std::lrint(set.f32[i] / input.quant.scale[0]) + input.quant.zero_point[0], low, high);
    bytes.push_back(static_cast<uint8_t>(q & 0xFF));
    if (wide) bytes.push_back(static_cast<uint8_t>(q >> 8 & 0xFF));
  }
  return InMemory(bytes, wide ? 2 : 1, input);
}

absl::StatusOr<std::vector<int64_t>> ReadLabels(const std::string &file, int64_t total, int64_t classes) {
  std::vector<int64_t> labels;
  if (absl::EndsWith(file, ".txt") || absl::EndsWith(file, ".csv")) {
    O2M_ASSIGN_OR_RETURN(const std::string text, ReadFileBytes(file));
    for (absl::string_view line : absl::StrSplit(text, '\n', absl::SkipWhitespace())) {
      int64_t label = 0;
      if (!absl::SimpleAtoi(line, &label))
        return absl::InvalidArgumentError(
            absl::StrCat(file, ": '", line, "' is not a label; one integer per line is needed"));
      labels.push_back(label);
    }
  } else {
    const FileAndKey source = SplitKey(file);
    O2M_ASSIGN_OR_RETURN(const std::vector<Array> arrays, ReadArrays(source.file));
    for (const Array &array : arrays) {
      if (array.dims.size() != 1 || !labels.empty() || (!source.key.empty() && array.name != source.key)) continue;
      labels.assign(array.u8.begin(), array.u8.end());
      for (float v : array.f32) labels.push_back(std::lround(v));
    }
  }
  for (int64_t label : labels)
    if (label < 0 || label >= classes)
      return absl::InvalidArgumentError(absl::StrCat(
          file, ": label ", label, " is no class of the model; labels from 0 to ", classes - 1, " would work"));
  if (static_cast<int64_t>(labels.size()) == total) return labels;
  return absl::InvalidArgumentError(absl::StrCat(file, ": ", labels.size(), " labels for ", total,
                                                 " inputs; give one integer per input, in the same order"));
}

}  // namespace onnx2mcu
