// nas/cut/propose.h - which sizes to cut a trained Vit to, under limits, without labels.
#pragma once
#include <cstdint>
#include <functional>
#include <vector>

#include "importer/ir/status.h"
#include "nas/cut/cut.h"

namespace onnx2mcu {

// Whether a network keeps within the limits, as nas/cost.h prices it or the compiler itself reports.
using Fits = std::function<absl::StatusOr<bool>(const VitConfig &config)>;

struct Proposal {
  Vit vit;
  double agreement = 0;  // with the parent, on images that it was not fitted to
};

// A sweep over what costs memory evenly: the embedding in steps of 4 down to half, half, three quarters or all of the
// head's width, all blocks or one less; of each the widest MLP that fits, in steps of 8. Heads stay: of equal size,
// fewer are worse. Every second image is fitted to, the others score. The best `count` of them, best first; fewer where
// fewer fit. Deterministic. InvalidArgument: nothing fits, not the smallest of them.
absl::StatusOr<std::vector<Proposal>> ProposeCuts(const Vit &parent, const Images &images, const Fits &fits,
                                                  size_t count, const RefitOptions &options = {});

}  // namespace onnx2mcu
