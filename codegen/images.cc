#include "codegen/images.h"

#include <algorithm>
#include <filesystem>
#include <memory>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"

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

absl::Status AddImage(const fs::path &path, int channels, int height, int width, ImageFolder &out) {
  int w = 0, h = 0, in_file = 0;
  const std::unique_ptr<stbi_uc, void (*)(void *)> pixels(stbi_load(path.c_str(), &w, &h, &in_file, channels),
                                                          stbi_image_free);
  if (!pixels)
    return absl::InvalidArgumentError(absl::StrCat(path.string(), ": not a readable PNG or JPEG (",
                                                   stbi_failure_reason(), "); remove or replace it"));
  if (w != width || h != height)
    return absl::InvalidArgumentError(absl::StrCat(path.string(), ": image of ", w, " x ", h,
                                                   " pixels, the model takes ", width, " x ", height,
                                                   "; resize the images first"));
  for (int c = 0; c < channels; c++)
    for (int i = 0; i < w * h; i++) out.chw.push_back(pixels.get()[i * channels + c]);
  out.count++;
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<ImageFolder> ReadImages(const std::string &folder, int channels, int height, int width, int64_t limit) {
  ImageFolder out;
  const std::vector<fs::path> classes = Sorted(folder, true);
  for (size_t label = 0; label < std::max<size_t>(classes.size(), 1); label++)
    for (const fs::path &path : Sorted(classes.empty() ? fs::path(folder) : classes[label], false)) {
      if (limit && out.count == limit) return out;
      O2M_RETURN_IF_ERROR(AddImage(path, channels, height, width, out));
      if (!classes.empty()) out.labels.push_back(static_cast<int64_t>(label));
    }
  if (out.count == 0)
    return absl::InvalidArgumentError(
        absl::StrCat(folder, ": no PNG or JPEG image in this folder; sub-folders are classes"));
  return out;
}

}  // namespace onnx2mcu
