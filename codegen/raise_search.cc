#include "codegen/raise_search.h"

#include <algorithm>

namespace onnx2mcu {
namespace {

struct Search {
  double limit;
  const std::function<absl::StatusOr<double>(int64_t)> &drop_of;
  RaiseChoice best;

  // Whether `count` is within the budget; best is kept.
  absl::StatusOr<bool> Try(int64_t count) {
    const absl::StatusOr<double> drop = drop_of(count);
    if (absl::IsResourceExhausted(drop.status())) {
      best.refused = drop.status();
      return false;
    }
    O2M_RETURN_IF_ERROR(drop.status());
    const bool met = *drop <= limit;
    const bool better = met ? !best.met || count < best.count : !best.met && *drop < best.drop;
    if (count == 0) best.drop_s8 = *drop;
    if (count == 0 || better) best.count = count, best.drop = *drop, best.met = met;
    return true;
  }
};

}  // namespace

absl::StatusOr<RaiseChoice> SearchRaise(int64_t size, double limit,
                                        const std::function<absl::StatusOr<double>(int64_t)> &drop_of) {
  Search search{limit, drop_of, {}};
  O2M_ASSIGN_OR_RETURN(const bool first, search.Try(0));
  if (!first) return search.best.refused;
  int64_t low = 0, high = size + 1;  // `low` fits and misses the limit; `high` is refused, meets it, or is beyond
  for (int64_t count = 1; !search.best.met && low < size && high > size; count *= 2) {
    const int64_t next = std::min(count, size);
    O2M_ASSIGN_OR_RETURN(const bool fits, search.Try(next));
    if (fits && !search.best.met)
      low = next;
    else
      high = next;
  }
  while (high - low > 1 && high <= size) {
    const int64_t middle = low + (high - low) / 2;
    O2M_ASSIGN_OR_RETURN(const bool fits, search.Try(middle));
    const bool enough = search.best.met && search.best.count <= middle;
    if (fits && !enough)
      low = middle;
    else
      high = middle;
  }
  return search.best;
}

}  // namespace onnx2mcu
