// nas/cut/slice.h - the leading part of every weight, and configs that are parts of others.
#pragma once
#include <string>

#include "importer/ir/status.h"
#include "nas/vit.h"

namespace onnx2mcu {

// InvalidArgument: what of `target` is larger than in `parent`, or no network at all; what would work.
absl::Status CheckTarget(const VitConfig &parent, const VitConfig &target);

// W[:out, :in] of every weight, each part of qkv and each head by itself; the first blocks. Ranks are those of `vit`
// made dense. Preconditions: CheckTarget(); equal image and patch; dense layers.
Vit Slice(const Vit &vit, const VitConfig &target);

}  // namespace onnx2mcu
