// nas/search/finalists.h - the best of a search, each trained by itself and equally long before they are compared:
// inherited weights rank networks only roughly.
#pragma once
#include <cstddef>
#include <functional>
#include <vector>

#include "nas/search/objective.h"
#include "nas/search/predictor.h"
#include "nas/search/search.h"

namespace onnx2mcu {

struct Finalist {
  size_t evaluation = 0;  // index in the history
  Tuned tuned;
};

// The `count` most accurate evaluations, most accurate first, the earlier one of equals.
std::vector<size_t> MostAccurate(const std::vector<Evaluation> &evaluations, size_t count);

// Trains them in that order. The error of the first that has one. evaluation: the index, which a search that goes on
// keeps. Those that `spread` has another process do have an accuracy, but no network.
using TuneOne = std::function<absl::StatusOr<Tuned>(const Genes &genes, size_t evaluation)>;
absl::StatusOr<std::vector<Finalist>> TuneMostAccurate(const std::vector<Evaluation> &evaluations, size_t count,
                                                       const TuneOne &tune, const Spread &spread = OneAfterTheOther);

// Index of the best after training, the one of more inherited accuracy among equals. Precondition: not empty.
size_t BestOf(const std::vector<Finalist> &finalists);

}  // namespace onnx2mcu
