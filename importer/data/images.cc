#include "importer/data/images.h"

#include <algorithm>
#include <filesystem>
#include <memory>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "ops/resample_taps.hpp"

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-function"
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"
#pragma GCC diagnostic ignored "-Wshadow"
#pragma GCC diagnostic ignored "-Wunused-but-set-variable"
#define STB_IMAGE_IMPLEMENTATION
#define STB_IMAGE_STATIC
#define STBI_ONLY_PNG
#define STBI_ONLY_JPEG
#include <stb/stb_image.h>
#pragma GCC diagnostic pop

namespace onnx2mcu {
namespace {

namespace fs = std::filesystem;

std::vector<fs::path> Sorted(const fs::path &folder, bool folders) {
  std::vector<fs::path> found;
  std::error_code error;
  for (const fs::directory_entry &entry : fs::directory_iterator(folder, error)) {
    const std::string suffix = absl::AsciiStrToLower(entry.path().extension().string());
    const bool image = suffix == ".png" || suffix == ".jpg" || suffix == ".jpeg";
    if (folders ? entry.is_directory() : entry.is_regular_file() && image) found.push_back(entry.path());
  }
  std::sort(found.begin(), found.end());
  return found;
}

// Planes of the middle of an image, as a camera of another size would have seen it. The filter is that of the camera
// op.
void AppendScaled(const uint8_t *pixels, int w, int h, const ImageSize &size, std::vector<uint8_t> &out) {
  const bool wide = int64_t{w} * size.height > int64_t{h} * size.width;
  const int cut_w = wide ? std::max<int>(1, static_cast<int>(int64_t{h} * size.width / size.height)) : w;
  const int cut_h = wide ? h : std::max<int>(1, static_cast<int>(int64_t{w} * size.height / size.width));
  const uint8_t *const start = pixels + (int64_t{(h - cut_h) / 2} * w + (w - cut_w) / 2) * size.channels;
  const o2m::Taps down = o2m::TapsOf({cut_h, size.height, 0, size.height});
  const o2m::Taps across = o2m::TapsOf({cut_w, size.width, 0, size.width});
  std::vector<int64_t> line(cut_w);
  for (int c = 0; c < size.channels; c++)
    for (int y = 0; y < size.height; y++) {
      for (int x = 0; x < cut_w; x++) {
        line[x] = 0;
        for (int t = 0; t < down.taps; t++)
          line[x] += int64_t{down.weights[y * down.taps + t]} *
                     start[(int64_t{down.first[y] + t} * w + x) * size.channels + c];
      }
      for (int x = 0; x < size.width; x++) {
        int64_t sum = int64_t{1} << (2 * o2m::kTapBits - 1);
        for (int t = 0; t < across.taps; t++) sum += across.weights[x * across.taps + t] * line[across.first[x] + t];
        out.push_back(static_cast<uint8_t>(sum >> (2 * o2m::kTapBits)));
      }
    }
}

absl::Status AddImage(const fs::path &path, const ImageSize &size, ImageFolder &out) {
  int w = 0, h = 0, in_file = 0;
  const std::unique_ptr<stbi_uc, void (*)(void *)> pixels(stbi_load(path.c_str(), &w, &h, &in_file, size.channels),
                                                          stbi_image_free);
  if (!pixels)
    return absl::InvalidArgumentError(absl::StrCat(path.string(), ": not a readable PNG or JPEG (",
                                                   stbi_failure_reason(), "); remove or replace it"));
  const bool same = w == size.width && h == size.height;
  if (!same && (!size.scaled || w > 32767 || h > 32767))
    return absl::InvalidArgumentError(absl::StrCat(path.string(), ": image of ", w, " x ", h,
                                                   " pixels, the model takes ", size.width, " x ", size.height,
                                                   "; resize the images first, or give --input-format"));
  out.count++;
  if (!same) return AppendScaled(pixels.get(), w, h, size, out.chw), absl::OkStatus();
  for (int c = 0; c < size.channels; c++)
    for (int i = 0; i < w * h; i++) out.chw.push_back(pixels.get()[i * size.channels + c]);
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<ImageFolder> ReadImages(const std::string &folder, const ImageSize &size, int64_t limit) {
  ImageFolder out;
  const std::vector<fs::path> classes = Sorted(folder, true);
  for (size_t label = 0; label < std::max<size_t>(classes.size(), 1); label++)
    for (const fs::path &path : Sorted(classes.empty() ? fs::path(folder) : classes[label], false)) {
      if (limit && out.count == limit) return out;
      O2M_RETURN_IF_ERROR(AddImage(path, size, out));
      if (!classes.empty()) out.labels.push_back(static_cast<int64_t>(label));
    }
  if (out.count == 0)
    return absl::InvalidArgumentError(
        absl::StrCat(folder, ": no PNG or JPEG image in this folder; sub-folders are classes"));
  return out;
}

}  // namespace onnx2mcu
