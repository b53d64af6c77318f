#include "nas/search/search.h"

#include "nas/search/reach.h"

namespace onnx2mcu {
namespace {

// Evaluates the candidates and closes the generation.
absl::Status Evaluate(const Spread &spread, Sampler &sampler, History *history) {
  const std::vector<Genes> &candidates = sampler.candidates();
  const auto accuracy = [&](size_t i) { return sampler.problem().objective.accuracy(candidates[i]); };
  O2M_ASSIGN_OR_RETURN(const std::vector<double> accuracies, spread(candidates.size(), accuracy));
  for (size_t i = 0; i < candidates.size(); i++) {
    O2M_ASSIGN_OR_RETURN(const Cost cost, sampler.Price(candidates[i]));
    history->evaluations.push_back({candidates[i], accuracies[i], cost, history->generations});
  }
  history->refusals = sampler.refusals();
  history->exhausted = candidates.empty();
  history->generations++;
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::vector<double>> OneAfterTheOther(size_t count, const Task &task) {
  std::vector<double> results;
  for (size_t i = 0; i < count; i++) {
    O2M_ASSIGN_OR_RETURN(const double result, task(i));
    results.push_back(result);
  }
  return results;
}

absl::StatusOr<History> Search(const SearchProblem &problem, const Strategy &strategy, const SearchOptions &options) {
  O2M_ASSIGN_OR_RETURN(History history, StartOrResume(options.checkpoint, options.identity, options.resume));
  options.observe(history);
  Prices prices;
  while (!history.exhausted && !strategy.done(history)) {
    Sampler sampler(problem, options.seed, options.tries, history, &prices);
    O2M_RETURN_IF_ERROR(strategy.propose(strategy.select(history), sampler));
    if (sampler.candidates().empty() && history.evaluations.empty()) {
      O2M_ASSIGN_OR_RETURN(const Genes legal, ReachLegal(problem, &prices));
      O2M_RETURN_IF_ERROR(sampler.AddOne(legal));
    }
    O2M_RETURN_IF_ERROR(Evaluate(options.spread, sampler, &history));
    if (options.writes) O2M_RETURN_IF_ERROR(WriteCheckpoint(options.checkpoint, options.identity, history));
    options.observe(history);
  }
  return history;
}

}  // namespace onnx2mcu
