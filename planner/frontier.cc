#include "planner/frontier.h"

#include <algorithm>
#include <numeric>
#include <tuple>
#include <utility>

#include "planner/loops.h"

namespace onnx2mcu {
namespace {

constexpr int kMergeRounds = 4;
// Two options whose live bytes differ by less than this part are one: the placement rounds more than that.
constexpr int64_t kFinest = 200;
// Likewise for instructions, which are estimated.
constexpr int64_t kFinestInstructions = 2000;

struct SegmentSearch {
  const Segment &segment;
  const RewriteTools &tools;
  int32_t rows = 0;
  std::vector<Option> options;
};

std::vector<NodeId> AsWritten(const Graph &graph) {
  std::vector<NodeId> order(graph.nodes.size());
  std::iota(order.begin(), order.end(), 0);
  return order;
}

absl::StatusOr<StageSpace> SpaceOf(const SegmentSearch &search, const Graph &graph) {
  O2M_ASSIGN_OR_RETURN(Contracts contracts, ContractsOf(graph, search.tools.target));
  return StageSpaceOf(graph, search.tools.target, contracts, AsWritten(graph), search.segment.border, search.rows);
}

void SetPrice(const StageSpace &space, const StageCut &cut, Option &option) {
  option.stages = StagesOf(space, cut);
  option.live = cut.live, option.instructions = cut.instructions;
}

// From the fewest instructions down to the least live bytes.
void AddCuts(const StageSpace &space, const std::vector<Rewrite> &chain, std::vector<Option> &options) {
  for (int64_t limit = INT64_MAX;;) {
    const StageCut cut = CutStages(space, limit);
    Option option;
    option.chain = chain;
    SetPrice(space, cut, option);
    options.push_back(std::move(option));
    if (cut.live <= space.least_live) return;
    limit = std::max(std::min(cut.live - 1, cut.live * (kFinest - 1) / kFinest), space.least_live);
  }
}

void KeepFrontier(std::vector<Option> &options) {
  std::stable_sort(options.begin(), options.end(), [](const Option &a, const Option &b) {
    return std::make_pair(a.live, a.instructions) < std::make_pair(b.live, b.instructions);
  });
  std::vector<Option> kept;
  for (Option &option : options)
    if (kept.empty() ||
        option.instructions * kFinestInstructions < kept.back().instructions * (kFinestInstructions - 1))
      kept.push_back(std::move(option));
  options = std::move(kept);
}

absl::StatusOr<Graph> Apply(Graph graph, const std::vector<Rewrite> &chain, const RewriteTools &tools) {
  for (const Rewrite &rewrite : chain) {
    O2M_ASSIGN_OR_RETURN(graph, rewrite.apply(graph, tools));
  }
  return graph;
}

absl::Status AddChain(SegmentSearch &search, const std::vector<Rewrite> &chain) {
  const absl::StatusOr<Graph> applied = Apply(search.segment.graph, chain, search.tools);
  if (!applied.ok()) return chain.empty() ? applied.status() : absl::OkStatus();
  const Graph &graph = *applied;
  const Graph &before = search.segment.graph;
  if (!chain.empty() && graph.nodes.size() == before.nodes.size() && graph.tensors.size() == before.tensors.size())
    return absl::OkStatus();
  O2M_ASSIGN_OR_RETURN(const StageSpace space, SpaceOf(search, graph));
  AddCuts(space, chain, search.options);
  return absl::OkStatus();
}

// What was recomputed twice within one stage is merged, and the segment is cut again, until nothing merges.
absl::Status Merge(const SegmentSearch &search, Option &option) {
  O2M_ASSIGN_OR_RETURN(Graph graph, Apply(search.segment.graph, option.chain, search.tools));
  const int64_t limit = option.live;
  for (int round = 0; round < kMergeRounds; round++) {
    bool changed = false;
    Graph merged = MergeDuplicates(graph, option.stages, &changed);
    if (!changed) break;
    option.merges.push_back(option.stages);
    graph = std::move(merged);
    O2M_ASSIGN_OR_RETURN(const StageSpace space, SpaceOf(search, graph));
    SetPrice(space, CutStages(space, limit), option);
  }
  option.graph = std::move(graph);
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::vector<Option>> FrontierOf(const Segment &segment, const RewriteTools &all, int32_t rows) {
  const RewriteTools tools{all.host, all.target, all.copy, &segment.border};
  SegmentSearch search{segment, tools, rows, {}};
  for (const std::vector<Rewrite> &chain : RewriteChains(segment.graph, tools))
    O2M_RETURN_IF_ERROR(AddChain(search, chain));
  KeepFrontier(search.options);
  for (Option &option : search.options) O2M_RETURN_IF_ERROR(Merge(search, option));
  KeepFrontier(search.options);
  return search.options;
}

absl::StatusOr<Segment> Realize(Segment segment, const Option &option, const RewriteTools &all) {
  const RewriteTools tools{all.host, all.target, all.copy, &segment.border};
  O2M_ASSIGN_OR_RETURN(segment.graph, Apply(std::move(segment.graph), option.chain, tools));
  bool changed = false;
  for (const std::vector<Stage> &stages : option.merges)
    segment.graph = MergeDuplicates(segment.graph, stages, &changed);
  return segment;
}

}  // namespace onnx2mcu
