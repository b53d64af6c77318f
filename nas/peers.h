// nas/peers.h - processes that compute the same thing together, each a part of it.
#pragma once
#include <cstddef>
#include <functional>

#include "nas/vit.h"

namespace onnx2mcu {

// Part i is done by rank i % ranks. By default a process is alone.
struct Peers {
  int rank = 0, ranks = 1;
  // Gives the owner's bytes to all. Called by all ranks, in the same order with the same sizes; never where a process
  // is alone. A rank that is lost ends the others (nas/search/ranks.h), so there is no error.
  std::function<void(int owner, void *bytes, size_t count)> broadcast = [](int, void *, size_t) {};
  int OwnerOf(size_t part) const { return static_cast<int>(part % static_cast<size_t>(ranks)); }
  bool Owns(size_t part) const { return OwnerOf(part) == rank; }
};

// The owner's weights to all. Precondition: everyone's have the owner's shapes.
void ShareWeights(const Peers &peers, int owner, Vit &vit);

}  // namespace onnx2mcu
