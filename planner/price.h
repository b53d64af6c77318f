// planner/price.h - what schedules cost, without making them: for the search over schedules and over architectures.
//
// A network is a row of segment kinds. They come from a lowered graph (KindsOf), or from several: a kind that was met
// in one network may stand in another wherever the tensor that leads into it is the same. The first and the last few of
// a network are kinds of their own, since what is read of the last block decides what of it is computed.
#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "planner/plan_cache.h"

namespace onnx2mcu {

struct Price {
  int64_t arena_bytes = 0, lower_bound_bytes = 0;  // as of Plan
  bool arena_optimal = false;
  int64_t instructions = 0, flash_bytes_read = 0;  // estimates, per inference
  int64_t time = 0;                                // TimeOf() both: what schedules are compared by
  int64_t constant_bytes = 0;                      // weights and what else ops keep in flash, dense
};

// By segment: the index of its option (SegmentKind::options, by live bytes upward).
using Picks = std::vector<int32_t>;
struct PricedSchedule {
  Picks picks;
  Price price;
};

// The kinds of a lowered graph, searched. Errors as MakePlan(); FailedPrecondition: the cache serves another target.
absl::StatusOr<std::vector<SegmentId>> KindsOf(PlanCache &cache, const Graph &graph, Host &host,
                                               const o2m_target &target, const PlanOptions &options);

// One schedule in one region: the arena that ChooseSchedule() comes to. Preconditions: kinds from KindsOf(), picks in
// range.
Price PriceOf(PlanCache &cache, std::span<const SegmentId> kinds, const Picks &picks);

// Every schedule that no other one beats, by arena upward, time downward. Never empty.
std::vector<PricedSchedule> PriceSchedules(PlanCache &cache, std::span<const SegmentId> kinds,
                                           const PlanOptions &options);

// Position in what PriceSchedules() returned, or its size where the budget allows none.
size_t ChosenOf(const std::vector<PricedSchedule> &frontier, const PlanOptions &options);

}  // namespace onnx2mcu
