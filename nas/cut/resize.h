// nas/cut/resize.h - other image sizes and patches: linear resizing of images, kernels and position embeddings.
#pragma once
#include "nas/forward.h"
#include "nas/vit.h"

namespace onnx2mcu {

// [to, from]: linear interpolation between the middles of pixels, edges repeated; shrinking averages over the wider
// support (as antialiased bilinear does). Rows sum to 1.
Matrix ResizeAxis(int64_t from, int64_t to);

// [count, channels * image^2] -> [count, channels * to^2].
Images ResizeImages(const Images &images, int64_t channels, int64_t from, int64_t to);

// [tokens of `to`, tokens of `from`]: each patch of the one as a mean of those of the other around it; the class token
// is its own.
Matrix ResizeTokens(const VitConfig &from, const VitConfig &to);

// The same network on patches, or images, of another size: kernels by the pseudo-inverse of resizing a patch (FlexiViT,
// Beyer et al. 2023, section 3.4), positions interpolated.
Vit ResizePatches(const Vit &vit, int64_t image, int64_t patch);

}  // namespace onnx2mcu
