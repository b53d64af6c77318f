// nas/cut/search.h - the best cut of a trained Vit within limits.
#pragma once
#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "nas/cost.h"
#include "nas/cut/propose.h"
#include "nas/peers.h"
#include "nas/search/search.h"

namespace onnx2mcu {

// As the parent takes them; no image is in both.
struct CutImages {
  Images calibration;           // unlabelled: one half is fitted to, the other orders what is proposed
  Images held_out;              // compare the finalists
  std::vector<int64_t> labels;  // of those held out; may be empty
};

struct CutOptions {
  Limits limits;
  size_t finalists = 8;
  // Trains one finalist further, number 0 ..; may be empty.
  std::function<absl::StatusOr<Vit>(const Vit &cut, size_t finalist)> finetune;
  Spread spread = OneAfterTheOther;  // of the finalists' training, over
  Peers peers;
};

// What a network says of the images held out, 0..1.
struct HeldOut {
  double agreement = 0;            // with the parent
  std::optional<double> accuracy;  // where there are labels
  double fitness() const { return accuracy.value_or(agreement); }
};

struct Cut {
  Vit vit;
  Cost cost;
  double agreement = 0;             // before training, on the calibration's second half
  std::optional<HeldOut> held_out;  // of a finalist, trained
};

// What ProposeCuts() gives, in its order; the first `finalists` are trained equally long and compared. Deterministic
// where `finetune` is. ResourceExhausted: nothing fits, and the least of each limit that was found.
absl::StatusOr<std::vector<Cut>> SearchCuts(const Vit &parent, const CutImages &images, Pricer &pricer,
                                            const CutOptions &options);

// What `vit` says of the images held out, beside what the parent does.
HeldOut Compare(const Vit &vit, const Matrix &parent_logits, const CutImages &images);

}  // namespace onnx2mcu
