// importer/quant/preprocessing.h - from what a camera gives to what the model takes: formats, channel order,
// normalisation. All of it is in the graph, so that calibration, validation and the generated program do the same.
#pragma once
#include <string>
#include <vector>

#include "importer/ir/graph.h"
#include "importer/ir/status.h"

namespace onnx2mcu {

// As on the command line; empty: the model's metadata ("onnx2mcu.mean", ...), else the default.
struct PixelOptions {
  std::string mean, std;     // in units of pixel/255, one or one per channel, comma separated
  std::string channels;      // of the model: rgb (default) or bgr
  std::string input_format;  // of the caller's image: see PixelFormats(); empty: planes, as the model has them
  std::string input_size;    // of the caller's image, WxH; empty: the model's
  std::string crop;          // what is taken of it: WxH or WxH+X+Y; without a place the middle; empty: all
  std::string resize;  // what that is scaled to, WxH or the shorter side, before the middle of the model's size is
                       // taken; empty: the model's size
};

// How an image lies in the caller's memory: pixel by pixel, `bytes` each.
struct PixelFormat {
  std::string name;
  int64_t bytes = 0, colours = 0;  // colours: 3, or 1 for grey
  bool packed = false;             // a byte is no colour
  const char *text = "";           // for messages and comments
};
const std::vector<PixelFormat> &PixelFormats();
// A picture, planes of red, green and blue or one of grey with `area` values each, as bytes of the format: byte by byte
// of the pixels, each a plane again.
std::vector<uint8_t> EncodePicture(const PixelFormat &format, const uint8_t *planes, int64_t area);

// A window of an image; no width: all of it, no place (-1): its middle.
struct Window {
  int64_t width = 0, height = 0, x = -1, y = -1;
};

// mean and std in units of pixel/255, one entry or one per channel of the model; empty: the input is not pixels.
struct Preprocessing {
  std::vector<float> mean, std;
  bool bgr = false;    // the model's channels
  PixelFormat format;  // no bytes: planes, as the model has them
  Window size, crop;   // of the caller's image, and in it
  Window resize;       // no height: the shorter side is `width`
  bool known() const { return !std.empty(); }
  bool formatted() const { return format.bytes > 0; }
};
absl::StatusOr<Preprocessing> PreprocessingOf(const Graph &graph, const PixelOptions &options);
// Makes the caller's bytes the graph's input: u8 pixels [.., C, H, W] as the model has them, or [1, bytes, H, W] of the
// format. What makes the model's input of them are float nodes; Canonicalize() folds the linear ones into the first
// layer. Call before Canonicalize().
absl::Status ApplyPreprocessing(Graph &graph, const Preprocessing &preprocessing);

}  // namespace onnx2mcu
