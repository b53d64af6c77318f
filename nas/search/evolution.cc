#include <algorithm>

#include "nas/search/strategy.h"

namespace onnx2mcu {
namespace {

Parents MostAccurate(const History &history, size_t count) {
  Parents parents;
  for (const Evaluation &evaluation : history.evaluations) parents.push_back(&evaluation);
  std::stable_sort(parents.begin(), parents.end(),
                   [](const Evaluation *a, const Evaluation *b) { return a->accuracy > b->accuracy; });
  parents.resize(std::min(parents.size(), count));
  return parents;
}

const Genes &AnyOf(const Parents &parents, RandomStream &random) {
  return parents[random.Below(static_cast<int32_t>(parents.size()))]->genes;
}

}  // namespace

Strategy Evolution(const StrategyOptions &options) {
  const auto select = [=](const History &history) { return MostAccurate(history, options.parents); };
  const auto propose = [=](const Parents &parents, Sampler &sampler) {
    const auto mutate = [&](RandomStream &random) {
      return sampler.Mutate(AnyOf(parents, random), options.rates, random);
    };
    const auto cross = [&](RandomStream &random) {
      const Genes &mother = AnyOf(parents, random), &father = AnyOf(parents, random);
      return sampler.Cross(mother, father, random);
    };
    if (!parents.empty()) {
      O2M_RETURN_IF_ERROR(sampler.Add(options.mutations, mutate));
      O2M_RETURN_IF_ERROR(sampler.Add(options.crossovers, cross));
    }
    const size_t missing = options.population - std::min(options.population, sampler.candidates().size());
    return sampler.Add(missing, [&](RandomStream &random) { return sampler.Uniform(random); });
  };
  return {select, propose, [=](const History &history) { return history.generations >= options.generations; }};
}

}  // namespace onnx2mcu
