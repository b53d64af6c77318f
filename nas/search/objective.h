// nas/search/objective.h - what a search knows of networks: rows of genes and two predictors (once-for-all, ofa/nas).
#pragma once
#include <array>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "importer/ir/status.h"
#include "nas/cost.h"
#include "nas/space.h"

namespace onnx2mcu {

// Both predictors are pure: the same genes, the same answer.
struct Objective {
  std::vector<Gene> genes;
  std::function<std::vector<bool>(const Genes &)> live;           // by gene: whether it changes this network
  std::function<absl::StatusOr<double>(const Genes &)> accuracy;  // 0..1, the higher the better
  std::function<absl::StatusOr<Cost>(const Genes &)> cost;        // legality is this against Limits, nothing else
};

// What is searched.
struct SearchProblem {
  Objective objective;
  Limits limits;
  Genes held;  // by gene: the value it keeps, -1: free; empty: all are free
};

// A limit beside what a network needs of it; value and limit in bytes or instructions, limit 0: none.
struct Need {
  const char *name;  // "ram", "flash", "instructions"
  int64_t value = 0, limit = 0;
  bool broken() const { return limit != 0 && value > limit; }
};
std::array<Need, 3> Needs(const Cost &cost, const Limits &limits);

// What was drawn and how much of it each limit refused; one network may break several.
struct Refusals {
  int64_t drawn = 0, refused = 0;
  std::array<int64_t, 3> by_limit = {};  // in the order of Needs()
};
void Count(const Cost &cost, const Limits &limits, Refusals *refusals);

struct Evaluation {
  Genes genes;  // canonical
  double accuracy = 0;
  Cost cost;
  int32_t generation = 0;
};

// A search so far: all that the next generation depends on, besides the seed.
struct History {
  int32_t generations = 0;              // finished
  std::vector<Evaluation> evaluations;  // in the order they were proposed; no genes twice
  Refusals refusals;
  bool exhausted = false;  // the last generation found no legal network that was new
};

// The row that stands for every row of the same network: held genes as held, dead ones 0.
Genes CanonicalOf(const SearchProblem &problem, Genes genes);
// "dim 64, depth 3, blocks[0].heads 2": the live genes.
std::string Describe(const Objective &objective, const Genes &genes);
// Index of the most accurate evaluation, the earlier one of equals. Precondition: not empty.
size_t BestOf(const std::vector<Evaluation> &evaluations);

}  // namespace onnx2mcu
