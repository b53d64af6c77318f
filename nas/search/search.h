// nas/search/search.h - the search: select, propose, evaluate, remember, until done.
#pragma once
#include <functional>
#include <string>
#include <vector>

#include "nas/search/checkpoint.h"
#include "nas/search/strategy.h"

namespace onnx2mcu {

// The results of tasks 0..count-1, in that order, whoever computes them (nas/search/ranks.h); the error of the first
// task that has one.
using Task = std::function<absl::StatusOr<double>(size_t)>;
using Spread = std::function<absl::StatusOr<std::vector<double>>(size_t count, const Task &)>;
absl::StatusOr<std::vector<double>> OneAfterTheOther(size_t count, const Task &task);

struct SearchOptions {
  uint64_t seed = 0;
  int64_t tries = 2000;    // draws in a row that may be refused before a generation stays smaller
  std::string checkpoint;  // file, written after every generation; "": none
  std::string identity;    // what the checkpoint is of; another one's is refused
  bool resume = false;     // go on from the checkpoint
  bool writes = true;      // the checkpoint; false on all ranks but one
  Spread spread = OneAfterTheOther;
  std::function<void(const History &)> observe = [](const History &) {};  // at the start and after every generation
};

// ResourceExhausted: nothing in the space is legal (ReachLegal). InvalidArgument: the checkpoint cannot be read, is
// of another search, or cannot be written; the one on disk is then whole, and older by some generations.
absl::StatusOr<History> Search(const SearchProblem &problem, const Strategy &strategy, const SearchOptions &options);

}  // namespace onnx2mcu
