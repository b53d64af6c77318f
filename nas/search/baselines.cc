#include "absl/strings/str_cat.h"
#include "nas/search/strategy.h"

namespace onnx2mcu {
namespace {

// Climbs from a legal row to more weights, one gene at a time, while it stays legal.
absl::Status Climb(Genes *genes, Sampler &sampler) {
  const std::vector<Gene> &all = sampler.problem().objective.genes;
  O2M_ASSIGN_OR_RETURN(Cost best, sampler.Price(*genes));
  for (bool climbed = true; climbed;) {
    climbed = false;
    for (size_t i = 0; i < all.size(); i++) {
      for (size_t value = 0; value < all[i].values.size(); value++) {
        Genes next = *genes;
        next[i] = static_cast<int32_t>(value);
        next = CanonicalOf(sampler.problem(), next);
        O2M_ASSIGN_OR_RETURN(const Cost cost, sampler.Price(next));
        if (!Within(cost, sampler.problem().limits) || cost.weight_bytes <= best.weight_bytes) continue;
        *genes = next, best = cost, climbed = true;
      }
    }
  }
  return absl::OkStatus();
}

// All rows of the outer genes' values, the others at -1.
std::vector<Genes> AllHeld(const Objective &objective, const std::vector<size_t> &outer) {
  std::vector<Genes> rows = {Genes(objective.genes.size(), -1)};
  for (const size_t gene : outer) {
    std::vector<Genes> longer;
    for (const Genes &row : rows) {
      for (size_t value = 0; value < objective.genes[gene].values.size(); value++) {
        longer.push_back(row);
        longer.back()[gene] = static_cast<int32_t>(value);
      }
    }
    rows = std::move(longer);
  }
  return rows;
}

}  // namespace

Strategy RandomSearch(const StrategyOptions &options) {
  const auto propose = [=](const Parents &, Sampler &sampler) {
    return sampler.Add(options.population, [&](RandomStream &random) { return sampler.Uniform(random); });
  };
  return {[](const History &) { return Parents(); }, propose,
          [=](const History &history) { return history.generations >= options.generations; }};
}

Strategy MaximalNetwork(const StrategyOptions &options) {
  const auto propose = [=](const Parents &, Sampler &sampler) -> absl::Status {
    const History none;
    Prices prices;
    Sampler starts(sampler.problem(), sampler.seed(), sampler.tries(), none, &prices);
    O2M_RETURN_IF_ERROR(starts.Add(options.parents, [&](RandomStream &random) { return starts.Uniform(random); }));
    Genes maximal;
    int64_t most = -1;
    for (Genes genes : starts.candidates()) {
      O2M_RETURN_IF_ERROR(Climb(&genes, sampler));
      O2M_ASSIGN_OR_RETURN(const Cost cost, sampler.Price(genes));
      if (cost.weight_bytes > most) most = cost.weight_bytes, maximal = genes;
    }
    return most < 0 ? absl::OkStatus() : sampler.AddOne(maximal);
  };
  return {[](const History &) { return Parents(); }, propose,
          [](const History &history) { return history.generations >= 1; }};
}

absl::StatusOr<Strategy> StrategyNamed(const std::string &name, const StrategyOptions &options) {
  if (name == "evolution") return Evolution(options);
  if (name == "random") return RandomSearch(options);
  if (name == "nsga2") return Nsga2(options);
  if (name == "maximal") return MaximalNetwork(options);
  return absl::NotFoundError(
      absl::StrCat("--strategy=", name, ": no such strategy; there are evolution, random, nsga2 and maximal"));
}

Genes HoldRandom(const Objective &objective, const std::vector<size_t> &outer, uint64_t seed) {
  RandomStream random(seed);
  Genes held(objective.genes.size(), -1);
  for (const size_t gene : outer) held[gene] = random.Below(static_cast<int32_t>(objective.genes[gene].values.size()));
  return held;
}

absl::StatusOr<Genes> HoldMaximal(const Objective &objective, const std::vector<size_t> &outer) {
  Genes maximal;
  int64_t most = -1;
  for (const Genes &held : AllHeld(objective, outer)) {
    Genes largest(objective.genes.size());
    for (size_t i = 0; i < largest.size(); i++)
      largest[i] = held[i] >= 0 ? held[i] : static_cast<int32_t>(objective.genes[i].values.size()) - 1;
    O2M_ASSIGN_OR_RETURN(const Cost cost, objective.cost(largest));
    if (cost.instructions > most) most = cost.instructions, maximal = held;
  }
  return maximal;
}

}  // namespace onnx2mcu
