// nas/search/strategy.h - how a search goes on, as three functions of what was evaluated so far. Yours is one more
// function that returns a Strategy; it needs no state of its own, so that every search can be resumed.
#pragma once
#include <functional>
#include <string>
#include <vector>

#include "nas/search/sampler.h"

namespace onnx2mcu {

using Parents = std::vector<const Evaluation *>;  // best first

struct Strategy {
  // Who of all evaluated have children.
  std::function<Parents(const History &)> select;
  // Adds the candidates of the next generation to the sampler, which takes legal new ones only.
  std::function<absl::Status(const Parents &, Sampler &)> propose;
  std::function<bool(const History &)> done;
};

struct StrategyOptions {
  int32_t generations = 20;
  size_t population = 50;  // candidates of a generation
  size_t parents = 10;     // evolution
  size_t mutations = 25;   // evolution; what population remains is drawn uniformly
  size_t crossovers = 25;  // evolution
  MutationRates rates;     // evolution, NSGA-II
  double crossover = 0.9;  // NSGA-II: chance that a child has two parents
};

// AutoFormer's one-shot search (MCUFormer, appendix B.4): the most accurate of all evaluated are parents; mutations and
// crossovers of them make a generation.
Strategy Evolution(const StrategyOptions &options);
Strategy RandomSearch(const StrategyOptions &options);
// Deb, Pratap, Agarwal, Meyarivan: A fast and elitist multiobjective genetic algorithm: NSGA-II (IEEE TEC 2002), over
// accuracy, RAM, flash and instructions. The population is chosen from all evaluated, not from the last two
// generations.
Strategy Nsga2(const StrategyOptions &options);
// The largest legal network, a single candidate: the most weights that climbs from `parents` legal draws end at, one
// gene at a time.
Strategy MaximalNetwork(const StrategyOptions &options);

// "evolution", "random", "nsga2", "maximal". NotFound lists them.
absl::StatusOr<Strategy> StrategyNamed(const std::string &name, const StrategyOptions &options);

// The other ways to choose a space of MCUFormer's table 1, as what a search holds: `outer` are the genes that tell
// spaces apart (patch size, low-rank ratio). Composition, its third, holds nothing.
Genes HoldRandom(const Objective &objective, const std::vector<size_t> &outer, uint64_t seed);
// The outer values whose largest network takes the most instructions.
absl::StatusOr<Genes> HoldMaximal(const Objective &objective, const std::vector<size_t> &outer);

}  // namespace onnx2mcu
