// codegen/raise_search.h - how many tensors of a list must be s16 for an objective to be met.
#pragma once
#include <cstdint>
#include <functional>

#include "importer/ir/status.h"

namespace onnx2mcu {

// Of a list in the order in which its tensors are to be raised: the least `count` of the first ones that was seen to
// meet the limit, or, where none does, that with the least drop.
struct RaiseChoice {
  int64_t count = 0;
  double drop = 0, drop_s8 = 0;  // of `count`, of none
  bool met = false;
  absl::Status refused;  // of the smallest count that was refused; OK: none was
};

// drop_of(count): what is lost with the first `count` of `size` tensors raised. ResourceExhausted, the budget's, means
// that more are not to be had either; any other error ends the search. Counts are doubled, then halved in between, so
// that about 2 log2(size) are looked at.
absl::StatusOr<RaiseChoice> SearchRaise(int64_t size, double limit,
                                        const std::function<absl::StatusOr<double>(int64_t)> &drop_of);

}  // namespace onnx2mcu
