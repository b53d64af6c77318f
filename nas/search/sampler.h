// nas/search/sampler.h - the candidates of one generation: legal, canonical, and never one that was evaluated before.
#pragma once
#include <functional>
#include <map>
#include <set>

#include "nas/search/objective.h"
#include "nas/search/random.h"

namespace onnx2mcu {

// Prices already asked for; pure, so it is no part of a checkpoint.
using Prices = std::map<Genes, Cost>;

// AutoFormer's mutation (MCUFormer, B.4): chances that a gene is drawn anew.
struct MutationRates {
  double network = 0.2;  // P_d: a gene of the whole network, as depth and embedding
  double block = 0.4;    // P_m: a gene of one block, "blocks[..."
};

class Sampler {
 public:
  using Draw = std::function<Genes(RandomStream &)>;
  // tries: draws in a row that may give nothing legal and new before Add() gives up. Draw n of a generation has the
  // random stream (seed, generation, n). All that is passed must outlive the sampler.
  Sampler(const SearchProblem &problem, uint64_t seed, int64_t tries, const History &history, Prices *prices);

  // Appends up to `count` candidates; fewer where no more turned up within the tries.
  absl::Status Add(size_t count, const Draw &draw);
  // Appends one if it is legal and new.
  absl::Status AddOne(const Genes &genes);
  const std::vector<Genes> &candidates() const { return candidates_; }
  const Refusals &refusals() const { return refusals_; }  // the history's and this generation's
  absl::StatusOr<Cost> Price(const Genes &canonical);
  const SearchProblem &problem() const { return problem_; }
  uint64_t seed() const { return seed_; }
  int64_t tries() const { return tries_; }
  int32_t generation() const { return static_cast<int32_t>(generation_); }

  Genes Uniform(RandomStream &random) const;
  // A gene that was dead in the parent is drawn anew, so that a deeper child is not of smallest blocks.
  Genes Mutate(const Genes &parent, const MutationRates &rates, RandomStream &random) const;
  // Each gene from either parent; from the one where it is live, if one only.
  Genes Cross(const Genes &mother, const Genes &father, RandomStream &random) const;

 private:
  int32_t DrawGene(size_t gene, RandomStream &random) const;

  const SearchProblem &problem_;
  const uint64_t seed_;
  const int64_t tries_;
  const uint64_t generation_;
  uint64_t draws_ = 0;
  Prices *const prices_;
  std::set<Genes> seen_;
  std::vector<Genes> candidates_;
  Refusals refusals_;
};

// Of `samples` uniform draws of the space: which the limits refuse (R of MCUFormer, eq. 2, from the real planner).
absl::StatusOr<Refusals> RefusedShare(const SearchProblem &problem, int64_t samples, uint64_t seed, Prices *prices);

}  // namespace onnx2mcu
