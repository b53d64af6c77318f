// The search: every segment's frontier once, then, for limits of live bytes, the cheapest option of each segment that
// stays below, priced by the real placement.
#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "planner/frontier.h"
#include "planner/make_plan.h"
#include "planner/order.h"
#include "planner/over_budget.h"
#include "planner/rewrites.h"

namespace onnx2mcu {
namespace {

using Picks = std::vector<int32_t>;  // by segment: index of its option

struct Candidate {
  Alternative alternative;
  Picks picks;
};

struct Search {
  RewriteTools tools;
  const PlanOptions &options;
  Graph light;                                         // ordered, without data
  std::vector<Segment> segments;                       // of `light`
  std::map<std::string, std::vector<Option>> known;    // by signature
  std::vector<const std::vector<Option> *> frontiers;  // by segment
  std::map<std::pair<int32_t, int32_t>, Segment> realized;
  std::vector<Candidate> candidates;
};

const Option &OptionOf(const Search &search, const Picks &picks, size_t segment) {
  return (*search.frontiers[segment])[picks[segment]];
}

absl::Status FindFrontiers(Search &search) {
  O2M_ASSIGN_OR_RETURN(const Contracts contracts, ContractsOf(search.light, search.tools.target));
  search.segments = CutIntoSegments(search.light, contracts);
  for (const Segment &segment : search.segments) {
    O2M_ASSIGN_OR_RETURN(const Contracts own, ContractsOf(segment.graph, search.tools.target));
    const auto [it, fresh] = search.known.try_emplace(SignatureOf(segment, own, search.tools.target));
    if (fresh) {
      O2M_ASSIGN_OR_RETURN(it->second, FrontierOf(segment, search.tools, search.options.rows));
    }
    search.frontiers.push_back(&it->second);
  }
  return absl::OkStatus();
}

// The option of each segment with the fewest instructions whose live bytes stay below the limit, or are the least.
Picks PicksFor(const Search &search, int64_t limit) {
  Picks picks;
  for (const std::vector<Option> *frontier : search.frontiers) {
    int32_t pick = 0;
    while (pick + 1 < static_cast<int32_t>(frontier->size()) && (*frontier)[pick + 1].live <= limit) pick++;
    picks.push_back(pick);
  }
  return picks;
}

// Limits at which some segment's option changes, and the budget itself.
std::set<int64_t> LimitsOf(const Search &search) {
  std::set<int64_t> limits;
  for (const std::vector<Option> *frontier : search.frontiers)
    for (const Option &option : *frontier) limits.insert(option.live);
  for (int64_t percent : {100, 98, 95, 90})
    if (search.options.arena_budget > 0) limits.insert(search.options.arena_budget * percent / 100);
  return limits;
}

int64_t InstructionsOf(const Search &search, const Picks &picks) {
  int64_t total = 0;
  for (size_t i = 0; i < picks.size(); i++) total += OptionOf(search, picks, i).instructions;
  return total;
}

absl::StatusOr<const Segment *> RealizedOption(Search &search, int32_t segment, int32_t pick) {
  const auto [it, fresh] = search.realized.try_emplace({segment, pick});
  if (fresh) {
    const Option &option = (*search.frontiers[segment])[pick];
    O2M_ASSIGN_OR_RETURN(it->second, Realize(search.segments[segment], option, search.tools));
  }
  return &it->second;
}

// The stages of an option, with the nodes as they are numbered when `before` nodes precede the segment.
void AppendStages(const Option &option, NodeId before, std::vector<Stage> &stages) {
  for (Stage stage : option.stages) {
    for (NodeId &node : stage.nodes) node += before;
    stages.push_back(std::move(stage));
  }
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
void SetRewrites(const Search &search, Candidate &candidate) {
  std::vector<std::string> names;
  for (size_t i = 0; i < candidate.picks.size(); i++) {
    for (const Rewrite &rewrite : OptionOf(search, candidate.picks, i).chain) {
      candidate.alternative.exact = candidate.alternative.exact && rewrite.exact;
      if (std::find(names.begin(), names.end(), rewrite.name) == names.end()) names.push_back(rewrite.name);
    }
  }
  candidate.alternative.name =
      absl::StrCat(names.empty() ? "as written" : absl::StrJoin(names, ", "), " ", RowsOf(candidate.alternative.plan));
}

absl::Status AddCandidate(Search &search, Picks picks) {
  Candidate candidate;
  Alternative &alternative = candidate.alternative;
  alternative.graph = search.light;
  alternative.graph.nodes.clear();
  std::vector<Stage> stages;
  for (int32_t i = 0; i < static_cast<int32_t>(picks.size()); i++) {
    AppendStages(OptionOf(search, picks, i), static_cast<NodeId>(alternative.graph.nodes.size()), stages);
    O2M_ASSIGN_OR_RETURN(const Segment *segment, RealizedOption(search, i, picks[i]));
    AppendSegment(alternative.graph, *segment);
  }
  O2M_ASSIGN_OR_RETURN(Contracts contracts, ContractsOf(alternative.graph, search.tools.target));
  alternative.plan = PlanStages(alternative.graph, search.tools.target, contracts, std::move(stages));
  alternative.instructions = EstimateInstructions(alternative.graph, alternative.plan, search.tools.target);
  candidate.picks = std::move(picks);
  SetRewrites(search, candidate);
  search.candidates.push_back(std::move(candidate));
  return absl::OkStatus();
}

absl::Status FindCandidates(Search &search) {
  std::set<Picks> seen;
  int64_t best = INT64_MAX;
  for (int64_t limit : LimitsOf(search)) {
    Picks picks = PicksFor(search, limit);
    const int64_t instructions = InstructionsOf(search, picks);
    if (instructions >= best || !seen.insert(picks).second) continue;
    best = instructions;
    O2M_RETURN_IF_ERROR(AddCandidate(search, std::move(picks)));
  }
  return absl::OkStatus();
}

bool Before(const Candidate &a, const Candidate &b) {
  const Alternative &p = a.alternative, &q = b.alternative;
  if (p.plan.arena_bytes != q.plan.arena_bytes) return p.plan.arena_bytes < q.plan.arena_bytes;
  return p.instructions < q.instructions;
}

// By arena upward, each with noticeably fewer instructions than all before it: the estimate is not good to less than
// one in 2000, and RAM is not to be spent for nothing.
void KeepNonDominated(std::vector<Candidate> &candidates) {
  std::stable_sort(candidates.begin(), candidates.end(), Before);
  std::vector<Candidate> kept;
  for (Candidate &candidate : candidates)
    if (kept.empty() || candidate.alternative.instructions * 2000 < kept.back().alternative.instructions * 1999)
      kept.push_back(std::move(candidate));
  candidates = std::move(kept);
}

// Position in the frontier (arena upward, instructions downward), or its size where the budget allows none.
size_t Choose(const std::vector<Candidate> &frontier, const PlanOptions &options) {
  const int64_t least = frontier.front().alternative.plan.arena_bytes;
  int64_t limit = options.arena_budget > 0 ? options.arena_budget : INT64_MAX;
  if (options.optimize == "ram") limit = std::min(limit, least);
  if (options.optimize == "balanced" && options.arena_budget == 0) limit = least * 106 / 100;
  size_t chosen = frontier.size();
  for (size_t i = 0; i < frontier.size(); i++)
    if (frontier[i].alternative.plan.arena_bytes <= limit) chosen = i;
  if (options.optimize == "ram" && (options.arena_budget == 0 || least <= options.arena_budget)) return 0;
  return chosen;
}

// The chosen graph with its data: the same steps on the whole graph.
absl::StatusOr<Graph> Replay(const Search &search, Graph full, const Candidate &candidate) {
  O2M_ASSIGN_OR_RETURN(const Contracts contracts, ContractsOf(full, search.tools.target));
  std::vector<Segment> segments = CutIntoSegments(full, contracts);
  full.nodes.clear();
  for (size_t i = 0; i < segments.size(); i++) {
    O2M_ASSIGN_OR_RETURN(const Segment segment,
                         Realize(segments[i], OptionOf(search, candidate.picks, i), search.tools));
    AppendSegment(full, segment);
    segments[i] = {};
  }
  const Graph &planned = candidate.alternative.graph;
  if (full.nodes.size() == planned.nodes.size() && full.tensors.size() == planned.tensors.size()) return full;
  return absl::InternalError(absl::StrCat(full.file, ": a rewrite does other things where constants have data"));
}

}  // namespace

absl::StatusOr<std::vector<Alternative>> ChooseSchedule(const Graph &graph, Host &host, const o2m_target &target,
                                                        const PlanOptions &options) {
  // Then nothing that follows depends on how the file listed the nodes.
  Graph full = graph;
  O2M_ASSIGN_OR_RETURN(const std::vector<NodeId> order, OrderOf(full, target));
  KeepNodes(full, order);
  O2M_ASSIGN_OR_RETURN(full, DropUnreadRows(full, {host, target, options.copy}));
  Search search{{host, target, options.copy}, options, WithoutData(full), {}, {}, {}, {}, {}};
  O2M_RETURN_IF_ERROR(FindFrontiers(search));
  O2M_RETURN_IF_ERROR(FindCandidates(search));
  KeepNonDominated(search.candidates);
  const size_t chosen = Choose(search.candidates, options);
  if (chosen == search.candidates.size()) return OverBudget(search.candidates.front().alternative, options);
  O2M_ASSIGN_OR_RETURN(search.candidates[chosen].alternative.graph,
                       Replay(search, std::move(full), search.candidates[chosen]));
  std::vector<Alternative> alternatives;
  alternatives.push_back(std::move(search.candidates[chosen].alternative));
  for (size_t i = 0; i < search.candidates.size(); i++)
    if (i != chosen) alternatives.push_back(std::move(search.candidates[i].alternative));
  return alternatives;
}

}  // namespace onnx2mcu
