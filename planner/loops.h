// planner/loops.h - where one loop ends and the next begins, and how many rows each of them takes at a time.
//
// The order is cut into runs; a run of nodes of equal steps that hand each other the rows of a step within that step
// (SameSlots) may be one loop, whose inner tensors shrink to tiles. Every such run, with every tile size, is a choice
// with two prices: the bytes alive during it and the instructions it takes. Dynamic programming over the order then
// finds the least peak, or the fewest instructions under a limit of live bytes.
#pragma once
#include <cstdint>
#include <vector>

#include "planner/contract.h"
#include "planner/plan.h"
#include "planner/spans.h"

namespace onnx2mcu {

// Nodes [begin, end) of the order as one stage.
struct StageChoice {
  int32_t begin = 0, end = 0, rows = 0;
  int64_t live = 0;          // bytes: an estimate of what the placement needs during the stage
  int64_t instructions = 0;  // with a price for each tensor that is whole only because of this cut
};

struct StageSpace {
  std::vector<NodeId> order;
  std::vector<std::vector<StageChoice>> ending;  // by end - 1
  std::vector<int32_t> steps;                    // by position
  int64_t least_live = 0;                        // the least peak over all ways to cut
  int64_t stage_price = 0;                       // instructions that a stage fewer is worth
};

// Tile sizes worth trying for a loop: powers of two and all. rows > 0: only that.
std::vector<int32_t> RowChoices(int32_t steps, int32_t rows);

// `order`: positions of the stages to come; `border`: what lives beyond it.
StageSpace StageSpaceOf(const Graph &graph, const o2m_target &target, Contracts &contracts, std::vector<NodeId> order,
                        const Border &border, int32_t rows);

struct StageCut {
  std::vector<const StageChoice *> stages;  // into the space
  int64_t live = 0, instructions = 0;       // the most of them; the sum, with the stages' price
};

// The cut with the fewest instructions whose stages keep at most max(limit, least_live) bytes alive; fewest stages,
// then least live bytes among equals.
StageCut CutStages(const StageSpace &space, int64_t limit);
std::vector<Stage> StagesOf(const StageSpace &space, const StageCut &cut);

}  // namespace onnx2mcu
