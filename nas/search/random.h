// nas/search/random.h - random numbers by counter: stream (seed, generation, index) is the same on every machine and
// for any number of ranks, and a search that resumes needs no state but the counters.
//
// SplitMix64 (Steele, Lea, Flood: Fast Splittable Pseudorandom Number Generators, OOPSLA 2014). The distributions of
// the standard library are not used: they differ between libraries.
#pragma once
#include <cstdint>

namespace onnx2mcu {

constexpr uint64_t kGoldenGamma = 0x9e3779b97f4a7c15;

// SplitMix64's finaliser: every bit of the result depends on every bit of z.
inline uint64_t MixBits(uint64_t z) {
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return z ^ (z >> 31);
}

class RandomStream {
 public:
  explicit RandomStream(uint64_t seed, uint64_t generation = 0, uint64_t index = 0)
      : state_(MixBits(MixBits(MixBits(seed + kGoldenGamma) ^ generation) + kGoldenGamma * (index + 1))) {}

  uint64_t Next() { return MixBits(state_ += kGoldenGamma); }
  double Uniform() { return static_cast<double>(Next() >> 11) * 0x1p-53; }  // [0, 1)
  bool Chance(double probability) { return Uniform() < probability; }
  // Unbiased. Precondition: count > 0.
  int32_t Below(int32_t count) {
    const auto n = static_cast<uint64_t>(count);
    const uint64_t unfair = -n % n;  // 2^64 mod n: the draws below it would favour small results
    uint64_t draw = Next();
    while (draw < unfair) draw = Next();
    return static_cast<int32_t>(draw % n);
  }

 private:
  uint64_t state_;
};

}  // namespace onnx2mcu
