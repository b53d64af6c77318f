#include "nas/search/objective.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace onnx2mcu {

std::array<Need, 3> Needs(const Cost &cost, const Limits &limits) {
  return {Need{"ram", cost.ram_bytes(), limits.ram_bytes}, Need{"flash", cost.flash_bytes(), limits.flash_bytes},
          Need{"instructions", cost.instructions, limits.instructions}};
}

void Count(const Cost &cost, const Limits &limits, Refusals *refusals) {
  const std::array<Need, 3> needs = Needs(cost, limits);
  refusals->drawn++;
  refusals->refused += Within(cost, limits) ? 0 : 1;
  for (size_t i = 0; i < needs.size(); i++) refusals->by_limit[i] += needs[i].broken() ? 1 : 0;
}

Genes CanonicalOf(const SearchProblem &problem, Genes genes) {
  for (size_t i = 0; i < problem.held.size(); i++)
    if (problem.held[i] >= 0) genes[i] = problem.held[i];
  const std::vector<bool> live = problem.objective.live(genes);
  for (size_t i = 0; i < genes.size(); i++)
    if (!live[i]) genes[i] = 0;
  return genes;
}

std::string Describe(const Objective &objective, const Genes &genes) {
  const std::vector<bool> live = objective.live(genes);
  std::string text;
  for (size_t i = 0; i < genes.size(); i++) {
    const Gene &gene = objective.genes[i];
    if (live[i] && gene.values.size() > 1)
      absl::StrAppend(&text, text.empty() ? "" : ", ", gene.name, " ", gene.values[genes[i]]);
  }
  return text;
}

size_t BestOf(const std::vector<Evaluation> &evaluations) {
  const auto best = std::max_element(evaluations.begin(), evaluations.end(),
                                     [](const Evaluation &a, const Evaluation &b) { return a.accuracy < b.accuracy; });
  return static_cast<size_t>(best - evaluations.begin());
}

}  // namespace onnx2mcu
