#include "nas/search/progress.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>

namespace onnx2mcu {

SearchProgress::SearchProgress(int64_t evaluations, int32_t generations, bool quiet)
    : evaluations_(evaluations),
      generations_(generations),
      enabled_(!quiet && isatty(STDERR_FILENO) == 1),
      start_(std::chrono::steady_clock::now()) {}

SearchProgress::~SearchProgress() {
  if (enabled_) std::fprintf(stderr, "\r%*s\r", 78, "");
}

void SearchProgress::Evaluated() {
  here_++, done_++;
  Print();
}

void SearchProgress::Generation(const History &history) {
  const Refusals &refusals = history.refusals;
  done_ = static_cast<int64_t>(history.evaluations.size());
  generation_ = history.generations;
  if (done_ > 0) best_ = history.evaluations[BestOf(history.evaluations)].accuracy;
  if (refusals.drawn > 0) legal_ = 1 - static_cast<double>(refusals.refused) / static_cast<double>(refusals.drawn);
  Print();
}

void SearchProgress::Print() {
  if (!enabled_) return;
  const std::chrono::duration<double> passed = std::chrono::steady_clock::now() - start_;
  const double each = here_ > 0 ? passed.count() / static_cast<double>(here_) : 0;
  const auto left = static_cast<int64_t>(each * static_cast<double>(std::max<int64_t>(evaluations_ - done_, 0)));
  std::fprintf(stderr, "\rgeneration %d of %d  best %.2f %%  legal %.0f %%  remaining %lld:%02lld:%02lld   ",
               generation_, generations_, 100 * best_, 100 * legal_, static_cast<long long>(left / 3600),
               static_cast<long long>(left / 60 % 60), static_cast<long long>(left % 60));
}

}  // namespace onnx2mcu
