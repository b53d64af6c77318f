// nas/search/reach.h - how far a space reaches towards its limits: for what a search says when it finds nothing legal.
#pragma once
#include <functional>
#include <string>

#include "nas/search/sampler.h"

namespace onnx2mcu {

using Score = std::function<double(const Cost &)>;  // lower is better

// Coordinate descent: one gene after the other to the value of the lowest score, until none lowers it; from the first
// and the last values of all genes and from two random rows. The least found, not proven the least.
absl::StatusOr<Genes> Least(const SearchProblem &problem, const Score &score, Prices *prices);

// A legal network. ResourceExhausted where descent finds none: which limits cannot be met, each with the least value
// found and the network that needs it, and what of it is largest.
absl::StatusOr<Genes> ReachLegal(const SearchProblem &problem, Prices *prices);

// What keeps a network from growing: its neighbours, a live gene one step up or down, that the limits refuse.
struct Binding {
  int64_t neighbours = 0;
  std::array<int64_t, 3> refused = {};  // in the order of Needs()
  std::string limit;                    // that refuses most of them; "none"
};
absl::StatusOr<Binding> BindingOf(const SearchProblem &problem, const Genes &genes, Prices *prices);

}  // namespace onnx2mcu
