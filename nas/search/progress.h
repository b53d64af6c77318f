// nas/search/progress.h - how far a search is, as one line on a terminal; silent everywhere else.
#pragma once
#include <chrono>
#include <cstdint>

#include "nas/search/objective.h"

namespace onnx2mcu {

class SearchProgress {
 public:
  // evaluations: that the search will make, if nothing ends it before; generations likewise.
  SearchProgress(int64_t evaluations, int32_t generations, bool quiet);
  ~SearchProgress();  // wipes the line
  SearchProgress(const SearchProgress &) = delete;
  SearchProgress &operator=(const SearchProgress &) = delete;
  void Evaluated();                         // one network more
  void Generation(const History &history);  // is done, or was read from a checkpoint

 private:
  void Print();
  const int64_t evaluations_;
  const int32_t generations_;
  const bool enabled_;
  const std::chrono::steady_clock::time_point start_;
  int64_t here_ = 0, done_ = 0;  // by this run, of the search
  int32_t generation_ = 0;
  double best_ = 0, legal_ = 1;
};

}  // namespace onnx2mcu
