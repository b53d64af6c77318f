// planner/stream.h - the input in rows instead of whole: NAME_begin, NAME_push_rows, NAME_end.
//
// One loop reads the input, band after band. While rows are pushed, only the band of the loop's next steps exists: in
// the arena, for as long as that loop runs, rows of all channels, channels innermost. Everything before the loop runs
// at NAME_begin, everything behind it at NAME_end.
#pragma once
#include <string>
#include <vector>

#include "planner/contract.h"
#include "planner/execute.h"
#include "planner/plan.h"

namespace onnx2mcu {

struct Stream {
  std::string why = "not looked for";  // the input cannot be pushed in rows, because of this; empty: it can
  int32_t stage = kNone;               // the loop that reads the input
  int32_t rows = 0;                    // steps of it per iteration while rows are pushed: no more than the stage's own
  int32_t band = kNone;                // index into plan.buffers: the rows, then one int32, the count of rows pushed
  int64_t count_at = 0;                // bytes from the band's start to that count
  int64_t image_rows = 0, row_bytes = 0, band_rows = 0;
  // Steps [t, t + n) read rows [max(0, t*step - before), min(image_rows, (t + n - 1)*step - before + extent)).
  // before < 0: rows that no step reads come first; extent < step: and between.
  int64_t step = 0, before = 0, extent = 0;
  std::vector<int64_t> strides;  // elements, one per dim of the input: as if the band were the whole input

  bool possible() const { return why.empty(); }
};
int64_t FirstRow(const Stream &stream, int64_t step);  // of the input, that steps [step, ...) read
int64_t EndRow(const Stream &stream, int64_t last);    // past the last row that steps up to `last` read

// Finds the loop and a place for the band. The arena keeps its size, or there is no streaming; `raise`: it may grow.
// The loop's stage may come out with fewer rows, and buffers elsewhere. Constants need no data.
Stream AddStream(const Graph &graph, const o2m_target &target, bool raise, Plan *plan);

// The network as it runs while rows are pushed. Graph: the input is a tile in the arena, with the strides of the band;
// nodes that read it must be packed anew. Plan: the loop takes stream.rows steps at a time. Precondition: possible().
void MoveToBand(Graph *graph, const Stream &stream);
Plan StreamedPlan(const Graph &graph, const Plan &plan, const Stream &stream);

// Where the input lies in the arena (Tensor::in_arena): takes the loop that reads it in smaller steps if then more of
// it can be overwritten. The search counts every step's result as if it had no earlier rows, so it may not see this.
void OverwriteInput(const Graph &graph, const o2m_target &target, Plan *plan);

// A second opinion: every byte that a step reads is in the band when it runs, at its place. Shares no code with
// AddStream().
absl::Status ValidateStream(const Graph &graph, const o2m_target &target, const Plan &plan, const Stream &stream);

}  // namespace onnx2mcu
