#include "nas/search/sampler.h"

#include <utility>

namespace onnx2mcu {

Sampler::Sampler(const SearchProblem &problem, uint64_t seed, int64_t tries, const History &history, Prices *prices)
    : problem_(problem),
      seed_(seed),
      tries_(tries),
      generation_(static_cast<uint64_t>(history.generations)),
      prices_(prices),
      refusals_(history.refusals) {
  for (const Evaluation &evaluation : history.evaluations) seen_.insert(evaluation.genes);
}

absl::Status Sampler::Add(size_t count, const Draw &draw) {
  const size_t wanted = candidates_.size() + count;
  int64_t misses = 0;
  while (candidates_.size() < wanted && misses < tries_) {
    const size_t before = candidates_.size();
    RandomStream random(seed_, generation_, draws_++);
    O2M_RETURN_IF_ERROR(AddOne(draw(random)));
    misses = candidates_.size() > before ? 0 : misses + 1;
  }
  return absl::OkStatus();
}

absl::Status Sampler::AddOne(const Genes &genes) {
  Genes canonical = CanonicalOf(problem_, genes);
  if (seen_.count(canonical) != 0) return absl::OkStatus();
  O2M_ASSIGN_OR_RETURN(const Cost cost, Price(canonical));
  Count(cost, problem_.limits, &refusals_);
  if (!Within(cost, problem_.limits)) return absl::OkStatus();
  seen_.insert(canonical);
  candidates_.push_back(std::move(canonical));
  return absl::OkStatus();
}

absl::StatusOr<Cost> Sampler::Price(const Genes &canonical) {
  const auto known = prices_->find(canonical);
  if (known != prices_->end()) return known->second;
  O2M_ASSIGN_OR_RETURN(const Cost cost, problem_.objective.cost(canonical));
  return prices_->emplace(canonical, cost).first->second;
}

int32_t Sampler::DrawGene(size_t gene, RandomStream &random) const {
  return random.Below(static_cast<int32_t>(problem_.objective.genes[gene].values.size()));
}

Genes Sampler::Uniform(RandomStream &random) const {
  Genes genes(problem_.objective.genes.size());
  for (size_t i = 0; i < genes.size(); i++) genes[i] = DrawGene(i, random);
  return genes;
}

Genes Sampler::Mutate(const Genes &parent, const MutationRates &rates, RandomStream &random) const {
  const std::vector<bool> live = problem_.objective.live(parent);
  Genes child = parent;
  for (size_t i = 0; i < child.size(); i++) {
    const bool of_block = problem_.objective.genes[i].name.rfind("blocks[", 0) == 0;
    if (!live[i] || random.Chance(of_block ? rates.block : rates.network)) child[i] = DrawGene(i, random);
  }
  return child;
}

Genes Sampler::Cross(const Genes &mother, const Genes &father, RandomStream &random) const {
  const std::vector<bool> of_mother = problem_.objective.live(mother), of_father = problem_.objective.live(father);
  Genes child(mother.size());
  for (size_t i = 0; i < child.size(); i++) {
    const bool either = random.Chance(0.5);
    child[i] = (of_mother[i] == of_father[i] ? either : of_mother[i]) ? mother[i] : father[i];
  }
  return child;
}

absl::StatusOr<Refusals> RefusedShare(const SearchProblem &problem, int64_t samples, uint64_t seed, Prices *prices) {
  const History none;
  Sampler sampler(problem, seed, 0, none, prices);
  Refusals refusals;
  for (int64_t i = 0; i < samples; i++) {
    RandomStream random(seed, UINT64_MAX, static_cast<uint64_t>(i));
    O2M_ASSIGN_OR_RETURN(const Cost cost, sampler.Price(CanonicalOf(problem, sampler.Uniform(random))));
    Count(cost, problem.limits, &refusals);
  }
  return refusals;
}

}  // namespace onnx2mcu
