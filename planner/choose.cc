// The search: what each kind of segment may cost, then, for limits of live bytes, the cheapest option of each segment
// that stays below, priced by the real placement (price.h). Graphs and plans are made of what no other schedule beats.
#include <algorithm>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "planner/make_plan.h"
#include "planner/order.h"
#include "planner/over_budget.h"
#include "planner/price.h"

namespace onnx2mcu {
namespace {

struct ScheduleSearch {
  RewriteTools tools;
  PlanCache &cache;
  const PlanOptions &options;
  Graph full, light;  // in order, without the rows that nobody reads; with data and without
  std::vector<SegmentId> kinds;
  std::vector<PricedSchedule> frontier;
};

const SegmentKind &KindAt(const ScheduleSearch &search, size_t segment) {
  return search.cache.kinds[search.kinds[segment]];
}

absl::Status OtherWithData(const Graph &graph) {
  return absl::InternalError(absl::StrCat(graph.file, ": a rewrite does other things where constants have data"));
}

// The layout, done to a graph with its data, which is not copied but where it changes.
absl::StatusOr<Graph> Arranged(const ScheduleSearch &search, Graph graph, const Layout &layout) {
  KeepNodes(graph, layout.order);
  O2M_ASSIGN_OR_RETURN(const Contracts contracts, ContractsOf(graph, search.tools.target, &search.cache.answers));
  const Spans spans = SpansOfAll(graph, contracts, {});
  std::vector<Segment> changed;
  for (const Layout::Run &run : layout.runs) {
    if (!run.unit->changed) continue;
    Segment &segment = changed.emplace_back(Extract(graph, spans, run.begin, run.end, true));
    const RewriteTools tools{search.tools.host, search.tools.target, search.tools.copy, &segment.border};
    O2M_ASSIGN_OR_RETURN(segment.graph, DropUnreadRows(segment.graph, tools));
  }
  std::vector<Node> nodes = std::exchange(graph.nodes, {});
  size_t next = 0;
  for (const Layout::Run &run : layout.runs) {
    if (run.unit->changed) AppendSegment(graph, changed[next++]);
    for (int32_t k = run.begin; k < run.end && !run.unit->changed; k++) graph.nodes.push_back(std::move(nodes[k]));
  }
  return graph;
}

// The segments of an arranged graph. It must consist of the kinds that were priced.
absl::StatusOr<std::vector<Segment>> SegmentsOf(const ScheduleSearch &search, const Graph &graph) {
  O2M_ASSIGN_OR_RETURN(const Contracts contracts, ContractsOf(graph, search.tools.target, &search.cache.answers));
  const Spans spans = SpansOfAll(graph, contracts, {});
  std::vector<Segment> segments;
  int32_t begin = 0;
  for (size_t i = 0; i < search.kinds.size(); i++) {
    const int32_t end = begin + static_cast<int32_t>(KindAt(search, i).example.graph.nodes.size());
    if (end > static_cast<int32_t>(graph.nodes.size())) return OtherWithData(graph);
    if (KindOf(search.cache, graph, contracts, spans, begin, end) != search.kinds[i]) return OtherWithData(graph);
    segments.push_back(Extract(graph, spans, begin, end, true));
    begin = end;
  }
  return segments;
}

std::string RowsOf(const Plan &plan) {
  int32_t least = INT32_MAX, most = 0;
  for (const Stage &stage : plan.stages) {
    if (stage.steps <= 1) continue;
    least = std::min(least, stage.rows), most = std::max(most, stage.rows);
  }
  if (most == 0) return "no loops";
  return least == most ? absl::StrCat("rows=", least) : absl::StrCat("rows=", least, "..", most);
}

// Every rewrite that some segment was given, once.
void SetName(const ScheduleSearch &search, const Picks &picks, Alternative &alternative) {
  std::vector<std::string> names;
  for (size_t i = 0; i < picks.size(); i++) {
    for (const Rewrite &rewrite : KindAt(search, i).options[picks[i]].chain) {
      alternative.exact = alternative.exact && rewrite.exact;
      if (std::find(names.begin(), names.end(), rewrite.name) == names.end()) names.push_back(rewrite.name);
    }
  }
  alternative.name =
      absl::StrCat(names.empty() ? "as written" : absl::StrJoin(names, ", "), " ", RowsOf(alternative.plan));
}

// The graph and the plan of a schedule, of an arranged graph and its segments, with data or without.
absl::StatusOr<Alternative> Make(const ScheduleSearch &search, const PricedSchedule &schedule, Graph graph,
                                 std::vector<Segment> segments) {
  Alternative alternative;
  alternative.graph = std::move(graph);
  alternative.graph.nodes.clear();
  std::vector<const Piece *> pieces;
  std::vector<std::vector<TensorId>> ids;
  for (size_t i = 0; i < segments.size(); i++) {
    const SegmentKind &kind = KindAt(search, i);
    const Option &option = kind.options[schedule.picks[i]];
    O2M_ASSIGN_OR_RETURN(const Segment realized, Realize(std::exchange(segments[i], {}), option, search.tools));
    const bool same = realized.graph.nodes.size() == option.graph.nodes.size() &&
                      realized.graph.tensors.size() == option.graph.tensors.size();
    if (!same) return OtherWithData(alternative.graph);
    pieces.push_back(&kind.pieces[schedule.picks[i]]);
    ids.push_back(AppendSegment(alternative.graph, realized));
  }
  alternative.plan = Join(pieces, ids, alternative.graph.tensors.size());
  alternative.plan.boundaries = search.options.boundaries;
  PlaceBuffers(alternative.plan, &search.cache.placements);
  alternative.instructions = schedule.price.instructions;
  SetName(search, schedule.picks, alternative);
  if (alternative.plan.arena_bytes == schedule.price.arena_bytes) return alternative;
  return absl::InternalError(absl::StrCat(alternative.graph.file, ": the arena of ", alternative.plan.arena_bytes,
                                          " B is not the one that was priced, ", schedule.price.arena_bytes, " B"));
}

}  // namespace

absl::StatusOr<std::vector<Alternative>> ChooseSchedule(const Graph &graph, Host &host, const o2m_target &target,
                                                        const PlanOptions &options, PlanCache *cache) {
  PlanCache own;
  ScheduleSearch search{{host, target, options.copy}, cache ? *cache : own, options, {}, {}, {}, {}};
  O2M_ASSIGN_OR_RETURN(search.kinds, KindsOf(search.cache, graph, host, target, options));
  search.frontier = PriceSchedules(search.cache, search.kinds, options);
  O2M_ASSIGN_OR_RETURN(const Layout layout, LayOut(search.cache, graph, search.tools));
  O2M_ASSIGN_OR_RETURN(search.full, Arranged(search, graph, layout));
  search.light = WithoutData(search.full);
  O2M_ASSIGN_OR_RETURN(const std::vector<Segment> light, SegmentsOf(search, search.light));
  const size_t chosen = ChosenOf(search.frontier, options);
  if (chosen == search.frontier.size()) {
    O2M_ASSIGN_OR_RETURN(const Alternative least, Make(search, search.frontier[0], search.light, light));
    return OverBudget(least, options);
  }
  O2M_ASSIGN_OR_RETURN(std::vector<Segment> full, SegmentsOf(search, search.full));
  std::vector<Alternative> alternatives(1);
  O2M_ASSIGN_OR_RETURN(alternatives[0], Make(search, search.frontier[chosen], std::move(search.full), std::move(full)));
  for (size_t i = 0; i < search.frontier.size(); i++) {
    if (i == chosen) continue;
    O2M_ASSIGN_OR_RETURN(Alternative other, Make(search, search.frontier[i], search.light, light));
    alternatives.push_back(std::move(other));
  }
  return alternatives;
}

}  // namespace onnx2mcu
