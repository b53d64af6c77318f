#include "planner/frontier.h"

#include <algorithm>
#include <deque>
#include <map>
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

// A graph and how it may be cut.
struct Cuttable {
  Graph graph;
  StageSpace space;
};

// What a chain of rewrites makes of the segment, and that without duplicates: many cuts merge the same nodes.
struct Chain {
  std::vector<Rewrite> rewrites;
  Graph graph;
  std::map<std::vector<Duplicates>, Cuttable> merged;
};

struct Candidate {
  Option option;
  Chain *chain = nullptr;
};

struct SegmentSearch {
  const Segment &segment;
  const RewriteTools &tools;
  int32_t rows = 0;
  std::deque<Chain> chains;
  std::vector<Candidate> candidates;
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
void AddCuts(const StageSpace &space, Chain &chain, std::vector<Candidate> &candidates) {
  for (int64_t limit = INT64_MAX;;) {
    const StageCut cut = CutStages(space, limit);
    Candidate &candidate = candidates.emplace_back();
    candidate.chain = &chain;
    SetPrice(space, cut, candidate.option);
    if (cut.live <= space.least_live) return;
    limit = std::max(std::min(cut.live - 1, cut.live * (kFinest - 1) / kFinest), space.least_live);
  }
}

void KeepFrontier(std::vector<Candidate> &candidates) {
  std::stable_sort(candidates.begin(), candidates.end(), [](const Candidate &a, const Candidate &b) {
    return std::make_pair(a.option.live, a.option.instructions) < std::make_pair(b.option.live, b.option.instructions);
  });
  std::vector<Candidate> kept;
  for (Candidate &candidate : candidates)
    if (kept.empty() || candidate.option.instructions * kFinestInstructions <
                            kept.back().option.instructions * (kFinestInstructions - 1))
      kept.push_back(std::move(candidate));
  candidates = std::move(kept);
}

absl::StatusOr<Graph> Apply(Graph graph, const std::vector<Rewrite> &chain, const RewriteTools &tools) {
  for (const Rewrite &rewrite : chain) {
    O2M_ASSIGN_OR_RETURN(graph, rewrite.apply(graph, tools));
  }
  return graph;
}

absl::Status AddChain(SegmentSearch &search, const std::vector<Rewrite> &rewrites) {
  absl::StatusOr<Graph> applied = Apply(search.segment.graph, rewrites, search.tools);
  if (!applied.ok()) return rewrites.empty() ? applied.status() : absl::OkStatus();
  const Graph &before = search.segment.graph;
  if (!rewrites.empty() && applied->nodes.size() == before.nodes.size() &&
      applied->tensors.size() == before.tensors.size())
    return absl::OkStatus();
  Chain &chain = search.chains.emplace_back(Chain{rewrites, *std::move(applied), {}});
  O2M_ASSIGN_OR_RETURN(const StageSpace space, SpaceOf(search, chain.graph));
  AddCuts(space, chain, search.candidates);
  return absl::OkStatus();
}

// `before` without the last of those duplicates, which were found one round after the other.
absl::StatusOr<const Cuttable *> Merged(const SegmentSearch &search, Chain &chain, const Graph &before,
                                        const std::vector<Duplicates> &merges) {
  const auto known = chain.merged.find(merges);
  if (known != chain.merged.end()) return &known->second;
  Graph graph = MergeDuplicates(before, merges.back());
  O2M_ASSIGN_OR_RETURN(StageSpace space, SpaceOf(search, graph));
  return &chain.merged.emplace(merges, Cuttable{std::move(graph), std::move(space)}).first->second;
}

// What was recomputed twice within one stage is merged, and the segment is cut again, until nothing merges.
absl::Status Merge(const SegmentSearch &search, Candidate &candidate) {
  Option &option = candidate.option;
  const int64_t limit = option.live;
  const Graph *graph = &candidate.chain->graph;
  for (int round = 0; round < kMergeRounds; round++) {
    Duplicates duplicates = DuplicatesIn(*graph, option.stages);
    if (duplicates.empty()) break;
    option.merges.push_back(std::move(duplicates));
    O2M_ASSIGN_OR_RETURN(const Cuttable *merged, Merged(search, *candidate.chain, *graph, option.merges));
    graph = &merged->graph;
    SetPrice(merged->space, CutStages(merged->space, limit), option);
  }
  option.chain = candidate.chain->rewrites, option.graph = *graph;
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::vector<Option>> FrontierOf(const Segment &segment, const RewriteTools &all, int32_t rows) {
  const RewriteTools tools{all.host, all.target, all.copy, &segment.border};
  SegmentSearch search{segment, tools, rows, {}, {}};
  for (const std::vector<Rewrite> &chain : RewriteChains(segment.graph, tools))
    O2M_RETURN_IF_ERROR(AddChain(search, chain));
  KeepFrontier(search.candidates);
  for (Candidate &candidate : search.candidates) O2M_RETURN_IF_ERROR(Merge(search, candidate));
  KeepFrontier(search.candidates);
  std::vector<Option> options;
  for (Candidate &candidate : search.candidates) options.push_back(std::move(candidate.option));
  return options;
}

absl::StatusOr<Segment> Realize(Segment segment, const Option &option, const RewriteTools &all) {
  const RewriteTools tools{all.host, all.target, all.copy, &segment.border};
  O2M_ASSIGN_OR_RETURN(segment.graph, Apply(std::move(segment.graph), option.chain, tools));
  for (const Duplicates &duplicates : option.merges) segment.graph = MergeDuplicates(segment.graph, duplicates);
  return segment;
}

}  // namespace onnx2mcu
