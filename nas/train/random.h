// nas/train/random.h - random numbers as a function of what they are for: no state to save, none to share.
#pragma once
#include <cstdint>
#include <random>

#include "nas/search/random.h"

namespace onnx2mcu {

enum class Purpose : uint64_t { kWeights, kOrder, kSubnet, kAugment, kMixing, kHoldOut };

// A generator of its own for the index-th thing of a purpose (seeded as nas/search/random.h mixes).
inline std::mt19937_64 RandomOf(uint64_t seed, Purpose purpose, int64_t index) {
  uint64_t x = seed;
  for (const uint64_t part : {static_cast<uint64_t>(purpose), static_cast<uint64_t>(index)})
    x = MixBits(x + part + kGoldenGamma);
  return std::mt19937_64(x);
}

// In [0, 1), and one of 0 .. count-1: the standard's distributions differ between libraries.
inline double Uniform(std::mt19937_64 &random) { return static_cast<double>(random() >> 11) * 0x1p-53; }
inline int64_t Below(std::mt19937_64 &random, int64_t count) {
  return static_cast<int64_t>(random() % static_cast<uint64_t>(count));
}

}  // namespace onnx2mcu
