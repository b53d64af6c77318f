#include "nas/search/finalists.h"

#include <algorithm>
#include <numeric>

namespace onnx2mcu {

std::vector<size_t> MostAccurate(const std::vector<Evaluation> &evaluations, size_t count) {
  std::vector<size_t> order(evaluations.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return evaluations[a].accuracy > evaluations[b].accuracy; });
  order.resize(std::min(count, order.size()));
  return order;
}

absl::StatusOr<std::vector<Finalist>> TuneMostAccurate(const std::vector<Evaluation> &evaluations, size_t count,
                                                       const TuneOne &tune, const Spread &spread) {
  std::vector<Finalist> finalists;
  for (const size_t index : MostAccurate(evaluations, count)) finalists.push_back({index, {}});
  const auto tune_one = [&](size_t i) -> absl::StatusOr<double> {
    Finalist &finalist = finalists[i];
    O2M_ASSIGN_OR_RETURN(finalist.tuned, tune(evaluations[finalist.evaluation].genes, finalist.evaluation));
    return finalist.tuned.accuracy;
  };
  O2M_ASSIGN_OR_RETURN(const std::vector<double> accuracies, spread(finalists.size(), tune_one));
  for (size_t i = 0; i < finalists.size(); i++) finalists[i].tuned.accuracy = accuracies[i];
  return finalists;
}

size_t BestOf(const std::vector<Finalist> &finalists) {
  const auto best = std::max_element(finalists.begin(), finalists.end(), [](const Finalist &a, const Finalist &b) {
    return a.tuned.accuracy < b.tuned.accuracy;
  });
  return static_cast<size_t>(best - finalists.begin());
}

}  // namespace onnx2mcu
