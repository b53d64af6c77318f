// planner/plan.h - what the planner decides: in which order and loops the ops run, and where every byte lies.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "importer/ir/graph.h"
#include "importer/ir/op_node.h"
#include "importer/ir/status.h"

namespace onnx2mcu {

// One step of the program. steps > 0: `for (t = 0; t < steps; t += rows)`, each node called for steps [t, t + rows),
// the last call maybe for fewer. steps == 0: one whole node, one call.
struct Stage {
  std::vector<NodeId> nodes;  // in execution order
  int32_t steps = 0, rows = 0;
};

enum class BufferKind : uint8_t { kTensor, kScratch, kState, kPrefetch };

// A block of the arena. Time is the position of a node in the schedule (all stages' nodes in order), inclusive. What a
// loop of several iterations touches lives from its first node to its last, unless it is a tile: a tensor that lives
// inside that loop and holds the steps of the current iteration only, first step at offset.
struct Buffer {
  BufferKind kind = BufferKind::kTensor;
  int32_t id = kNone;  // kTensor: the base TensorId; else the NodeId
  int64_t bytes = 0, offset = 0;
  int32_t first = 0, last = 0;  // time
  int32_t first_stage = 0, last_stage = 0;
  bool tile = false;
};

// One region of RAM as far as the plan uses it: what the caller of NAME_run provides as one arena. Offsets of all
// regions lie on one line; those of an arena begin at `begin`.
struct Arena {
  int32_t region = 0;            // its index among those that the plan was made for
  int64_t begin = 0, bytes = 0;  // but for the last arena a multiple of 16
};

// y may be written over x: offset(x) - offset(y) >= distance, or they do not overlap (token overwriting).
struct Overwrite {
  int32_t x = 0, y = 0;  // buffer indices
  int64_t distance = 0;  // bytes
};

// A constant that is copied into a buffer of the arena while the stage before the one that reads it runs. `stage` reads
// it; the copy starts when `stage` - 1 does.
struct Prefetch {
  NodeId node = kNone;
  int32_t slot = 0, stage = 0, buffer = 0;
};

struct Plan {
  std::vector<Stage> stages;
  std::vector<Buffer> buffers;
  std::vector<Overwrite> overwrites;
  std::vector<int32_t> buffer_of;             // by TensorId (of a base); kNone: constant, graph input, graph output
  std::vector<int32_t> scratch_of, state_of;  // by NodeId; kNone: none
  std::vector<Prefetch> prefetches;           // in order of stages
  std::vector<int64_t> boundaries;            // where on the line of offsets the regions of RAM after the first begin,
                                              // multiples of 16; no buffer lies across one
  int64_t arena_bytes = 0;                    // past the last offset; of all arenas together: ArenaRam()
  int64_t lower_bound_bytes = 0;              // max over time of live bytes, from the lifetimes alone
  bool arena_optimal = false;  // no placement of these buffers needs less: the bound is met, or a search has ended
};

struct PlanOptions {
  int32_t rows = 0;                   // steps per iteration of every loop; 0: the planner chooses, loop by loop
  std::string optimize = "balanced";  // balanced | speed | ram | flash; of ChooseSchedule()
  int64_t arena_budget = 0;  // bytes; 0: none; of ChooseSchedule(). With boundaries: where the last region ends
  std::vector<int64_t> boundaries = {};        // of several regions of RAM: Plan::boundaries
  std::vector<std::string> region_names = {};  // of them all, for messages
  const o2m_op *copy = nullptr;  // of ChooseSchedule(): an op that moves rows; null: no schedule that needs one
  int64_t live_limit = 0;        // of MakePlan(): fewest instructions whose stages keep no more bytes alive than
                                 // this, or than the least possible where that is more
};

// One entry of the search: a rewritten graph and its plan. `exact`: the same bytes out as the graph without rewrites.
struct Alternative {
  std::string name;  // "recompute rows=1..16"
  bool exact = true;
  Graph graph;  // complete for the chosen one; without constants' data and float nodes for the others
  Plan plan;
  int64_t instructions = 0;  // estimate
};

// Orders the nodes, forms token loops, computes lifetimes, places. Pure. InvalidArgument names an op whose memory
// contract makes no sense. Nodes that no output needs are in no stage.
absl::StatusOr<Plan> MakePlan(const Graph &graph, const o2m_target &target, const PlanOptions &options);

// Prices every rewrite and tile and returns the non-dominated ones (arena, instructions), the chosen one first.
// ResourceExhausted names the stage that needs most and what would help. `cache` (plan_cache.h) saves time only; for
// prices without graphs see price.h.
struct PlanCache;
absl::StatusOr<std::vector<Alternative>> ChooseSchedule(const Graph &graph, Host &host, const o2m_target &target,
                                                        const PlanOptions &options, PlanCache *cache = nullptr);

// The O(n^2) check of a finished plan; shares no code with the placer.
absl::Status ValidatePlan(const Graph &graph, const o2m_target &target, const Plan &plan);

// max over time of live bytes, from lifetimes and overwriting distances alone: no placement can need less.
int64_t LowerBound(const std::vector<Buffer> &buffers, const std::vector<Overwrite> &overwrites);

// Null where the constant is read in place.
const Prefetch *PrefetchOf(const Plan &plan, NodeId node, int32_t slot);

// The regions that hold a buffer; at least one. Without boundaries all is one.
std::vector<Arena> ArenasOf(const Plan &plan);
// Bytes of all arenas.
int64_t ArenaRam(const Plan &plan);
// Where an offset of the plan lies: the index into ArenasOf(), and the offset there.
struct ArenaPlace {
  int32_t arena = 0;
  int64_t offset = 0;
};
ArenaPlace PlaceOf(const Plan &plan, int64_t offset);

// Most bytes alive at once during a stage.
int64_t LiveBytes(const Plan &plan, int32_t stage);

std::string PlanCsv(const Graph &graph, const Plan &plan);    // minimalloc's format: id,lower,upper,size,offset
std::string MemoryMap(const Graph &graph, const Plan &plan);  // ASCII, one row per buffer
int64_t EstimateInstructions(const Graph &graph, const Plan &plan, const o2m_target &target);

}  // namespace onnx2mcu
