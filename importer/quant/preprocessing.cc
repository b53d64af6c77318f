// Options and metadata as numbers, and the float nodes between the caller's pixels and the model's input.
#include "importer/quant/preprocessing.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "importer/ir/text.h"

namespace onnx2mcu {
namespace {

absl::StatusOr<std::vector<float>> ParseFloats(const std::string &text, const std::string &what) {
  std::vector<float> values;
  if (text.empty()) return values;
  for (absl::string_view part : absl::StrSplit(text, ',')) {
    float value = 0;
    if (!absl::SimpleAtof(part, &value) || !std::isfinite(value))
      return absl::InvalidArgumentError(
          absl::StrCat(what, ": '", part, "' is not a number; give one per channel, as in --mean=0.485,0.456,0.406"));
    values.push_back(value);
  }
  return values;
}

// The option, else what the file says.
std::string Given(const Graph &graph, const std::string &option, const std::string &key) {
  const auto it = graph.metadata.find("onnx2mcu." + key);
  return !option.empty() || it == graph.metadata.end() ? option : it->second;
}

absl::Status ParseNormalisation(const Graph &graph, const PixelOptions &options, Preprocessing &p) {
  O2M_ASSIGN_OR_RETURN(p.mean, ParseFloats(Given(graph, options.mean, "mean"), "--mean"));
  O2M_ASSIGN_OR_RETURN(p.std, ParseFloats(Given(graph, options.std, "std"), "--std"));
  if (p.mean.empty() && !p.std.empty()) p.mean.assign(p.std.size(), 0.0f);
  if (p.std.empty() && !p.mean.empty()) p.std.assign(p.mean.size(), 1.0f);
  if (p.mean.size() != p.std.size())
    return absl::InvalidArgumentError(absl::StrCat("--mean has ", p.mean.size(), " values and --std ", p.std.size(),
                                                   "; give one of each per channel"));
  for (float s : p.std)
    if (s <= 0) return absl::InvalidArgumentError("--std: a value is not positive; it divides the pixels");
  return absl::OkStatus();
}

absl::Status ParseFormat(const std::string &text, PixelFormat &format) {
  if (text.empty()) return absl::OkStatus();
  std::vector<std::string> names;
  for (const PixelFormat &known : PixelFormats()) {
    if (known.name == text) return format = known, absl::OkStatus();
    names.push_back(known.name);
  }
  return absl::InvalidArgumentError(absl::StrCat("--input-format: '", text,
                                                 "' is no format of pixels; the nearest is '", Nearest(text, names),
                                                 "'; there are ", absl::StrJoin(names, ", ")));
}

// WxH, WxH+X+Y, or where allowed one number.
absl::Status ParseWindow(const std::string &text, const std::string &option, bool place, bool one, Window &window) {
  if (text.empty()) return absl::OkStatus();
  const std::vector<std::string> parts = absl::StrSplit(text, absl::ByAnyChar("x+"));
  std::vector<int64_t> numbers;
  for (const std::string &part : parts) {
    int64_t value = 0;
    if (absl::SimpleAtoi(part, &value) && value >= (numbers.size() < 2 ? 1 : 0) && value <= 32767)
      numbers.push_back(value);
  }
  const bool right = (numbers.size() == 1 && one) || numbers.size() == 2 || (numbers.size() == 4 && place);
  if (!right || numbers.size() != parts.size())
    return absl::InvalidArgumentError(absl::StrCat(option, ": '", text, "' is no size; write it as 320x240",
                                                   place ? " or 240x240+40+0"
                                                   : one ? " or, for the shorter side, 256"
                                                         : ""));
  window.width = numbers[0], window.height = numbers.size() > 1 ? numbers[1] : 0;
  if (numbers.size() == 4) window.x = numbers[2], window.y = numbers[3];
  return absl::OkStatus();
}

}  // namespace

// In the order of the formats that the node Camera knows.
const std::vector<PixelFormat> &PixelFormats() {
  static const std::vector<PixelFormat> formats = {
      {"gray", 1, 1, false, "grey"},
      {"rgb", 3, 3, false, "red, green, blue"},
      {"bgr", 3, 3, false, "blue, green, red"},
      {"rgb565", 2, 3, true, "RGB565, low byte first"},
      {"rgb565be", 2, 3, true, "RGB565, high byte first"},
  };
  return formats;
}

std::vector<uint8_t> EncodePicture(const PixelFormat &format, const uint8_t *planes, int64_t area) {
  std::vector<uint8_t> bytes(planes, planes + format.colours * area);
  if (format.name == "bgr") std::swap_ranges(bytes.begin(), bytes.begin() + area, bytes.begin() + 2 * area);
  if (!format.packed) return bytes;
  bytes.resize(2 * area);
  const bool high_first = format.name == "rgb565be";
  for (int64_t i = 0; i < area; i++) {
    const int word = planes[i] >> 3 << 11 | planes[area + i] >> 2 << 5 | planes[2 * area + i] >> 3;
    bytes[i] = static_cast<uint8_t>(high_first ? word >> 8 : word & 255);
    bytes[area + i] = static_cast<uint8_t>(high_first ? word & 255 : word >> 8);
  }
  return bytes;
}

absl::StatusOr<Preprocessing> PreprocessingOf(const Graph &graph, const PixelOptions &options) {
  Preprocessing p;
  O2M_RETURN_IF_ERROR(ParseNormalisation(graph, options, p));
  O2M_RETURN_IF_ERROR(ParseFormat(options.input_format, p.format));
  O2M_RETURN_IF_ERROR(ParseWindow(options.input_size, "--input-size", false, false, p.size));
  O2M_RETURN_IF_ERROR(ParseWindow(options.crop, "--crop", true, false, p.crop));
  const bool scaled = !options.resize.empty() || p.formatted();  // what the model's file says is of images in a format
  O2M_RETURN_IF_ERROR(
      ParseWindow(scaled ? Given(graph, options.resize, "resize") : "", "--resize", false, true, p.resize));
  if (!p.formatted() && (p.size.width > 0 || p.crop.width > 0 || p.resize.width > 0))
    return absl::InvalidArgumentError(
        "--input-size, --crop and --resize need to know how a pixel lies in memory; give --input-format");
  const std::string channels = Given(graph, options.channels, "channels");
  if (!channels.empty() && channels != "rgb" && channels != "bgr")
    return absl::InvalidArgumentError(
        absl::StrCat("--channels: '", channels, "' is no order of a model's channels; rgb and bgr would work"));
  p.bgr = channels == "bgr";
  if (p.known() || !p.formatted()) return p;
  return absl::InvalidArgumentError(
      absl::StrCat("--input-format=", p.format.name,
                   ": how the model wants pixels normalised is not known; give --mean and --std in units of pixel/255 "
                   "(--mean=0 --std=1 for plain 0..1)"));
}

namespace {

// Nodes from the caller's pixels to the model's input, put together backwards: each step's result is what the one
// before it makes.
struct Chain {
  Graph &graph;
  std::string name;              // of the model's input
  TensorId first;                // what the nodes so far read
  std::vector<FloatNode> nodes;  // the last one first
};

// A node before the chain: it makes what the chain read so far, of a tensor of `dims` and constants.
FloatNode &Prepend(Chain &chain, const std::string &type, const std::string &suffix, std::vector<int64_t> dims,
                   const std::vector<TensorId> &constants) {
  FloatNode node;
  node.name = chain.name + "_" + suffix, node.op_type = type, node.opset = chain.graph.opset;
  Tensor before = chain.graph.tensors[chain.first];
  before.dims = std::move(dims), before.name = chain.name + "_before_" + suffix;
  node.outputs = {chain.first};
  chain.first = AddTensor(chain.graph, before);
  node.inputs = {chain.first};
  node.inputs.insert(node.inputs.end(), constants.begin(), constants.end());
  chain.nodes.push_back(std::move(node));
  return chain.nodes.back();
}

// y = x / (255 std) - mean / std, channel by channel.
void Normalise(Chain &chain, const std::vector<float> &mean, const std::vector<float> &std) {
  const auto n = static_cast<int64_t>(std.size());
  std::vector<float> factor, offset;
  for (size_t c = 0; c < std.size(); c++) {
    factor.push_back(1 / (255 * std[c]));
    offset.push_back(-mean[c] / std[c]);
  }
  const std::vector<int64_t> shape = n == 1 ? std::vector<int64_t>{} : std::vector<int64_t>{n, 1, 1};
  const std::vector<int64_t> dims = chain.graph.tensors[chain.first].dims;
  Prepend(chain, "Add", "shift", dims, {AddFloats(chain.graph, chain.name + "_offset", shape, offset)});
  Prepend(chain, "Mul", "scale", dims, {AddFloats(chain.graph, chain.name + "_factor", shape, factor)});
}

// By channel of the model: the plane that it is, of one or of three planes in the same or in reverse order.
std::vector<int64_t> SourcesOf(int64_t channels, int64_t planes, bool reversed) {
  std::vector<int64_t> sources(channels, 0);
  for (int64_t c = 0; c < channels && planes == 3; c++) sources[c] = reversed ? 2 - c : c;
  return sources;
}

// Each channel is one of `colours`: a convolution of 1x1, which Canonicalize() takes into the one behind it.
void Mix(Chain &chain, const std::vector<int64_t> &sources, int64_t colours) {
  const auto channels = static_cast<int64_t>(sources.size());
  std::vector<float> weights(channels * colours);
  for (int64_t c = 0; c < channels; c++) weights[c * colours + sources[c]] = 1;
  std::vector<int64_t> dims = chain.graph.tensors[chain.first].dims;
  dims[1] = colours;
  Prepend(chain, "Conv", "mix", dims,
          {AddFloats(chain.graph, chain.name + "_colours", {channels, colours, 1, 1}, weights)});
}

// The same for both, in the order of the caller's colours; empty where channels of one colour differ.
std::vector<float> ByColour(const std::vector<float> &values, const std::vector<int64_t> &sources, int64_t colours) {
  if (values.size() == 1) return values;
  std::vector<float> by(colours);
  for (size_t c = 0; c < sources.size(); c++) by[sources[c]] = values[c];
  for (size_t c = 0; c < sources.size(); c++)
    if (by[sources[c]] != values[c]) return {};
  return by;
}

// Where it can, the normalisation comes first: channels that are only mixed go into a padded convolution, too.
void NormaliseAndMix(Chain &chain, const Preprocessing &p, int64_t colours, bool reversed) {
  const std::vector<int64_t> sources = SourcesOf(chain.graph.tensors[chain.first].dims[1], colours, reversed);
  const std::vector<float> mean = ByColour(p.mean, sources, colours), std = ByColour(p.std, sources, colours);
  const bool early = !mean.empty() && !std.empty();
  if (!early) Normalise(chain, p.mean, p.std);
  if (sources != std::vector<int64_t>{0, 1, 2} && sources != std::vector<int64_t>{0}) Mix(chain, sources, colours);
  if (early) Normalise(chain, mean, std);
}

absl::Status CheckImage(const Graph &graph, const Preprocessing &p) {
  const Tensor &input = graph.tensors[graph.inputs[0]];
  const std::vector<int64_t> &dims = input.dims;
  const auto n = static_cast<int64_t>(p.std.size());
  const std::string where = absl::StrCat(graph.file, ": input '", input.name, "' ");
  if (dims.size() < 3 || (n != 1 && dims[dims.size() - 3] != n))
    return absl::InvalidArgumentError(
        absl::StrCat(where, "has no ", n, " channels for --mean/--std; they need an image input [1, C, H, W]"));
  if (!p.formatted()) return absl::OkStatus();
  if (dims.size() != 4 || dims[0] != 1 || (dims[1] != 3 && dims[1] != 1))
    return absl::InvalidArgumentError(absl::StrCat(where, "[", absl::StrJoin(dims, ","),
                                                   "] is no image for --input-format=", p.format.name,
                                                   "; [1,3,H,W] and [1,1,H,W] would work"));
  return absl::OkStatus();
}

// Height and width.
using HeightWidth = std::array<int64_t, 2>;

// From the caller's image to the model's: what is taken, what that is scaled to, where in it the model's image lies.
struct Geometry {
  HeightWidth image, model;
  HeightWidth crop, crop_at;
  HeightWidth full, full_at;
  bool crops() const { return crop != image; }
  bool scales() const { return full != crop || full != model; }
};

HeightWidth SizeOf(const Window &window, const HeightWidth &otherwise) {
  return window.width > 0 ? HeightWidth{window.height, window.width} : otherwise;
}
HeightWidth Middle(const HeightWidth &outer, const HeightWidth &inner) {
  return {(outer[0] - inner[0]) / 2, (outer[1] - inner[1]) / 2};
}

// N for the shorter side: the other one in proportion, rounded down, as torchvision has it.
HeightWidth FullSize(const Window &resize, const HeightWidth &crop, const HeightWidth &model) {
  if (resize.width == 0 || resize.height > 0) return SizeOf(resize, model);
  const int64_t shorter = std::min(crop[0], crop[1]);
  return {resize.width * crop[0] / shorter, resize.width * crop[1] / shorter};
}

absl::StatusOr<Geometry> GeometryOf(const Preprocessing &p, const HeightWidth &model) {
  Geometry g;
  g.model = model, g.image = SizeOf(p.size, model), g.crop = SizeOf(p.crop, g.image);
  g.crop_at = p.crop.x < 0 ? Middle(g.image, g.crop) : HeightWidth{p.crop.y, p.crop.x};
  g.full = FullSize(p.resize, g.crop, model), g.full_at = Middle(g.full, model);
  const auto text = [](const HeightWidth &size) { return absl::StrCat(size[1], "x", size[0]); };
  for (int i = 0; i < 2; i++) {
    if (g.crop_at[i] < 0 || g.crop_at[i] + g.crop[i] > g.image[i])
      return absl::InvalidArgumentError(absl::StrCat("--crop: ", text(g.crop), " does not lie within the image of ",
                                                     text(g.image), "; give a smaller one, or --input-size"));
    if (g.full[i] < model[i])
      return absl::InvalidArgumentError(absl::StrCat("--resize: ", text(g.full), " is smaller than the model's image, ",
                                                     text(model), "; that or more would work"));
  }
  return g;
}

TensorId AddInts(Graph &graph, const std::string &name, const std::vector<int64_t> &values) {
  Tensor tensor;
  tensor.name = name, tensor.dtype = DType::kS64, tensor.dims = {static_cast<int64_t>(values.size())};
  tensor.is_constant = true, tensor.data.resize(values.size() * sizeof(int64_t));
  std::memcpy(tensor.data.data(), values.data(), tensor.data.size());
  return AddTensor(graph, tensor);
}

// What no layer can take over: packed bits, grey of colours (which is rounded), another size.
void AddCamera(Chain &chain, const Preprocessing &p, const Geometry &g, int64_t planes) {
  FloatNode &node = Prepend(chain, "Camera", "camera", {1, p.format.bytes, g.crop[0], g.crop[1]}, {});
  const auto same = [&](const PixelFormat &format) { return format.name == p.format.name; };
  node.domain = "onnx2mcu", node.opset = 1;
  node.attrs["format"] = std::find_if(PixelFormats().begin(), PixelFormats().end(), same) - PixelFormats().begin();
  node.attrs["planes"] = planes;
  node.attrs["reversed"] = int64_t{planes == 3 && p.bgr};
  node.attrs["size"] = std::vector<int64_t>{g.model[0], g.model[1]};
  node.attrs["window"] =
      g.scales() ? std::vector<int64_t>{g.full[0], g.full[1], g.full_at[0], g.full_at[1]} : std::vector<int64_t>(4, 0);
}

void AddCrop(Chain &chain, const Geometry &g) {
  std::vector<int64_t> dims = chain.graph.tensors[chain.first].dims;
  dims[2] = g.image[0], dims[3] = g.image[1];
  const auto ints = [&](const std::string &name, const std::vector<int64_t> &values) {
    return AddInts(chain.graph, chain.name + "_crop_" + name, values);
  };
  Prepend(chain, "Slice", "crop", dims,
          {ints("starts", {g.crop_at[0], g.crop_at[1]}),
           ints("ends", {g.crop_at[0] + g.crop[0], g.crop_at[1] + g.crop[1]}), ints("axes", {2, 3})});
}

// Backwards: normalisation and order of colours, then unpacking and scaling, then the crop.
absl::Status AddFormat(Chain &chain, const Preprocessing &p) {
  const std::vector<int64_t> dims = chain.graph.tensors[chain.first].dims;
  O2M_ASSIGN_OR_RETURN(const Geometry g, GeometryOf(p, {dims[2], dims[3]}));
  const int64_t planes = std::min(dims[1], p.format.colours);
  const bool camera = p.format.packed || planes != p.format.colours || g.scales();
  NormaliseAndMix(chain, p, planes, !camera && p.bgr != (p.format.name == "bgr"));
  if (camera) AddCamera(chain, p, g, planes);
  if (g.crops()) AddCrop(chain, g);
  return absl::OkStatus();
}

}  // namespace

absl::Status ApplyPreprocessing(Graph &graph, const Preprocessing &p) {
  if (!p.known()) return absl::OkStatus();
  O2M_RETURN_IF_ERROR(CheckImage(graph, p));
  const TensorId old = graph.inputs[0];
  Chain chain{graph, graph.tensors[old].name, old, {}};
  graph.tensors[old].name = chain.name + "_normalized";
  if (p.formatted()) {
    O2M_RETURN_IF_ERROR(AddFormat(chain, p));
  } else {
    Normalise(chain, p.mean, p.std);
  }
  graph.tensors[chain.first].name = chain.name;
  graph.float_nodes.insert(graph.float_nodes.begin(), chain.nodes.rbegin(), chain.nodes.rend());
  graph.inputs[0] = chain.first;
  return absl::OkStatus();
}

}  // namespace onnx2mcu
