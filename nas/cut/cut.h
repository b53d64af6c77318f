// nas/cut/cut.h - a smaller Vit from a trained one, without labels and without training.
//
// What no weight is nested in is brought into an order in which W[:k] keeps what matters (nas/cut/exact.h), cut, and
// what is left is fitted, layer by layer, to what the parent computes (nas/cut/refit.h).
#pragma once
#include "importer/ir/status.h"
#include "nas/cut/refit.h"
#include "nas/forward.h"
#include "nas/vit.h"

namespace onnx2mcu {

// A Vit of exactly `target`. images: a few hundred to a few thousand unlabelled ones, as the parent takes them; a
// network of a smaller config.image takes ResizeImages() of them. Dropped blocks are those that change the embedding
// least. InvalidArgument: a target that is larger than the parent in something (which, and what would work), or no
// images.
absl::StatusOr<Vit> CutTo(const Vit &parent, const VitConfig &target, const Images &images,
                          const RefitOptions &options = {});

// The same of plain slices W[:k], the first blocks and truncated SVD, to compare with.
absl::StatusOr<Vit> NaiveCut(const Vit &parent, const VitConfig &target);

// By block: 1 - the mean cosine of the embedding before and after it: how much it changes (ShortGPT, Men et al. 2024).
std::vector<double> BlockInfluence(const Vit &vit, const Images &images);

}  // namespace onnx2mcu
