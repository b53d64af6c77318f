// planner/plan_cache.h - what planning has found out, for the networks that come after: a search over architectures
// plans thousands that are made of the same few kinds of blocks.
//
// Four things are kept, each by its content, none by name, weights or place:
//   answers     what an op says of a node, by all that it can see of it                            (answers.h)
//   kinds       segments that look the same to the planner, by what was said of their nodes; of each kind its frontier
//               of options, and of each option the piece of a plan that it comes to               (frontier.h, piece.h)
//   units       runs of segments whose unread rows are dropped together, and the kinds that are left then
//   placements  the offsets of parts of a placement that stand between two moments with one block alive (place_parts.h)
// A network is then a row of kinds, a schedule an option for each, and its price the largest part and the sum of the
// instructions. ChooseSchedule() goes the same way with an empty cache, so a price is what compilation comes to.
#pragma once
#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <unordered_map>
#include <vector>

#include "planner/answers.h"
#include "planner/frontier.h"
#include "planner/piece.h"
#include "planner/plan.h"

namespace onnx2mcu {

using SegmentId = int32_t;  // a kind of segment, of one cache

struct SegmentKind {
  Segment example;              // the first that was met, without data
  std::vector<Option> options;  // empty until they are asked for
  std::vector<Piece> pieces;    // by option
};

// What DropUnreadRows() makes of a run of segments.
struct Unit {
  std::vector<SegmentId> kinds;
  bool changed = false;
  bool open = false;    // reads not all rows of what lives into it: what stands before may have some to drop
  bool joined = false;  // its first segment had, because of those behind it
};

// Owned by the caller; it grows. For one target, copy op, PlanOptions::rows and host; ops must stay loaded.
struct PlanCache {
  std::string setting;  // of the first use
  Answers answers;
  std::unordered_map<std::string, SegmentId> ids;
  std::deque<SegmentKind> kinds;
  std::map<std::vector<SegmentId>, Unit> units;
  Placements placements;
};

// FailedPrecondition where the cache was used for something else.
absl::Status CheckSetting(PlanCache &cache, const RewriteTools &tools, int32_t rows);

SegmentId KindOf(PlanCache &cache, const Graph &graph, const Contracts &contracts, const Spans &spans, int32_t begin,
                 int32_t end);
// Options and pieces, searched where they are not known.
absl::StatusOr<const SegmentKind *> Searched(PlanCache &cache, SegmentId id, const RewriteTools &tools, int32_t rows);

// A graph as the search sees it: nodes in order, cut into units whose unread rows are dropped, and those into segments.
struct Layout {
  struct Run {
    int32_t begin = 0, end = 0;  // positions in the order
    const Unit *unit = nullptr;
  };
  std::vector<NodeId> order;
  std::vector<Run> runs;
  std::vector<SegmentId> kinds;  // of all units in a row
};
absl::StatusOr<Layout> LayOut(PlanCache &cache, const Graph &graph, const RewriteTools &tools);

}  // namespace onnx2mcu
