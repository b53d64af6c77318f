#include <algorithm>

#include "nas/search/pareto.h"
#include "nas/search/strategy.h"

namespace onnx2mcu {
namespace {

// By front, and within one by crowding, the loneliest first.
Parents Population(const History &history, size_t count) {
  std::vector<Point> points;
  for (const Evaluation &evaluation : history.evaluations) points.push_back(PointOf(evaluation));
  Parents parents;
  for (const std::vector<size_t> &front : Fronts(points)) {
    const std::vector<double> crowding = Crowding(points, front);
    std::vector<size_t> order(front.size());
    for (size_t i = 0; i < order.size(); i++) order[i] = i;
    std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return crowding[a] > crowding[b]; });
    for (size_t i = 0; i < order.size() && parents.size() < count; i++)
      parents.push_back(&history.evaluations[front[order[i]]]);
  }
  return parents;
}

// Binary tournament: parents are best first, so the smaller of two indices wins.
const Genes &Tournament(const Parents &parents, RandomStream &random) {
  const auto count = static_cast<int32_t>(parents.size());
  const int32_t one = random.Below(count), other = random.Below(count);
  return parents[std::min(one, other)]->genes;
}

}  // namespace

Strategy Nsga2(const StrategyOptions &options) {
  const auto select = [=](const History &history) { return Population(history, options.population); };
  const auto propose = [=](const Parents &parents, Sampler &sampler) {
    const auto child = [&](RandomStream &random) {
      Genes genes = Tournament(parents, random);
      if (random.Chance(options.crossover)) genes = sampler.Cross(genes, Tournament(parents, random), random);
      return sampler.Mutate(genes, options.rates, random);
    };
    if (!parents.empty()) O2M_RETURN_IF_ERROR(sampler.Add(options.population, child));
    const size_t missing = options.population - sampler.candidates().size();
    return sampler.Add(missing, [&](RandomStream &random) { return sampler.Uniform(random); });
  };
  return {select, propose, [=](const History &history) { return history.generations >= options.generations; }};
}

}  // namespace onnx2mcu
