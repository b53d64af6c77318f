#include "codegen/progress.h"

#include <unistd.h>

#include <cstdio>

namespace onnx2mcu {

Progress::Progress(std::string what, int64_t total, bool quiet)
    : what_(std::move(what)),
      total_(total),
      enabled_(!quiet && isatty(STDERR_FILENO) == 1),
      start_(std::chrono::steady_clock::now()) {}

Progress::~Progress() {
  if (percent_ >= 0) std::fprintf(stderr, "\r%*s\r", 78, "");
}

void Progress::Step() {
  const int64_t done = ++done_;
  if (!enabled_ || std::chrono::steady_clock::now() - start_ < std::chrono::seconds(2)) return;
  const int percent = static_cast<int>(100 * done / total_);
  const std::lock_guard<std::mutex> lock(print_);
  if (percent <= percent_) return;
  percent_ = percent;
  std::string bar(30, '.');
  bar.replace(0, static_cast<size_t>(percent) * 30 / 100, static_cast<size_t>(percent) * 30 / 100, '#');
  std::fprintf(stderr, "\r%-28s [%s] %3d %%", what_.substr(0, 28).c_str(), bar.c_str(), percent);
}

}  // namespace onnx2mcu
