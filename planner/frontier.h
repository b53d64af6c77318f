// planner/frontier.h - the schedules of one segment that are worth having: bytes alive against instructions.
#pragma once
#include <string>
#include <vector>

#include "planner/rewrites.h"
#include "planner/segments.h"

namespace onnx2mcu {

// One way to run a segment, told so that it can be done again on any segment of the same signature.
struct Option {
  std::vector<Rewrite> chain;
  std::vector<Duplicates> merges;      // of each round of MergeDuplicates()
  std::vector<Stage> stages;           // of the graph after all that
  Graph graph;                         // the segment that was searched, after all that
  int64_t live = 0, instructions = 0;  // the peak of the stages' live bytes, an estimate; the sum of TimeOf()
};

// Options by live bytes upward, each with fewer instructions than those before it; never empty.
absl::StatusOr<std::vector<Option>> FrontierOf(const Segment &segment, const RewriteTools &tools, int32_t rows);

// The segment after the option's rewrites: its stages name the nodes of the result.
absl::StatusOr<Segment> Realize(Segment segment, const Option &option, const RewriteTools &tools);

}  // namespace onnx2mcu
