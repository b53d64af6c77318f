// Processor time in units of what the same machine takes for a piece of plain work, so that limits mean the same on
// slow and on shared machines.
#pragma once
#include <algorithm>
#include <cstdint>
#include <ctime>
#include <limits>
#include <random>
#include <vector>

namespace onnx2mcu {

// Of `rounds` runs the least, in milliseconds.
template <typename Run>
double LeastMilliseconds(const Run &run, int rounds) {
  double least = std::numeric_limits<double>::max();
  for (int round = 0; round < rounds; round++) {
    const std::clock_t start = std::clock();
    run();
    least = std::min(least, 1e3 * static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC);
  }
  return least;
}

// Sorting 100,000 numbers, some 5 ms in an optimised build at 2.3 GHz.
inline double MillisecondsOfSorting() {
  std::mt19937_64 random(1);
  std::vector<uint64_t> numbers(100000);
  for (uint64_t &number : numbers) number = random();
  std::vector<uint64_t> sorted;
  return LeastMilliseconds([&] { sorted = numbers, std::sort(sorted.begin(), sorted.end()); }, 5);
}

// How often the machine could have sorted 100,000 numbers meanwhile.
template <typename Run>
double TimesOfSorting(const Run &run, int rounds) {
  const double milliseconds = LeastMilliseconds(run, rounds);
  return milliseconds / MillisecondsOfSorting();
}

}  // namespace onnx2mcu
