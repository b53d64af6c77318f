// codegen/progress.h - one line on a terminal for what takes longer than two seconds; silent everywhere else.
#pragma once
#include <atomic>
#include <chrono>
#include <cstdint>
#include <mutex>
#include <string>

namespace onnx2mcu {

class Progress {
 public:
  // quiet: never prints. Else it prints to stderr where that is a terminal.
  Progress(std::string what, int64_t total, bool quiet);
  ~Progress();  // wipes the line
  Progress(const Progress &) = delete;
  Progress &operator=(const Progress &) = delete;
  void Step();  // one of `total` is done; safe from several threads

 private:
  const std::string what_;
  const int64_t total_;
  const bool enabled_;
  const std::chrono::steady_clock::time_point start_;
  std::atomic<int64_t> done_ = 0;
  std::mutex print_;
  int percent_ = -1;  // last printed
};

}  // namespace onnx2mcu
