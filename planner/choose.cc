// The search: rewrites times limits of live bytes, each priced by the real placement.
#include <algorithm>
#include <cstdlib>
#include <set>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "importer/ir/text.h"
#include "planner/loops.h"
#include "planner/make_plan.h"
#include "planner/order.h"
#include "planner/rewrites.h"

namespace onnx2mcu {
namespace {

constexpr int64_t kMergeRounds = 4;

struct Candidate {
  Alternative alternative;
  std::vector<const Rewrite *> rewrites;
  std::vector<std::vector<Stage>> merges;  // the stages of each round of MergeDuplicates()
};

struct Search {
  Host &host;
  const o2m_target &target;
  const PlanOptions &options;
  std::vector<Candidate> candidates;
  int64_t least_live = INT64_MAX;  // of all rewritten graphs
};

std::string RowsOf(const Plan &plan) {
  int32_t least = INT32_MAX, most = 0;
  for (const Stage &stage : plan.stages) {
    if (stage.steps <= 1) continue;
    least = std::min(least, stage.rows), most = std::max(most, stage.rows);
  }
  if (most == 0) return "no loops";
  return least == most ? absl::StrCat("rows=", least) : absl::StrCat("rows=", least, "..", most);
}

std::string NameOf(const Candidate &candidate) {
  std::vector<std::string> names;
  for (const Rewrite *rewrite : candidate.rewrites) names.push_back(rewrite->name);
  const std::string rewrites = names.empty() ? "as written" : absl::StrJoin(names, "+");
  return absl::StrCat(rewrites, " ", RowsOf(candidate.alternative.plan));
}

// Cuts, merges what was recomputed twice within one loop, and cuts again until nothing merges.
absl::Status AddCandidate(Search &search, const Graph &graph, const std::vector<const Rewrite *> &rewrites,
                          std::vector<Stage> stages, int64_t limit) {
  Candidate candidate;
  candidate.rewrites = rewrites;
  Alternative &alternative = candidate.alternative;
  alternative.graph = graph;
  for (int round = 0; round < kMergeRounds; round++) {
    bool changed = false;
    Graph merged = MergeDuplicates(alternative.graph, stages, &changed);
    if (!changed) break;
    candidate.merges.push_back(stages);
    alternative.graph = std::move(merged);
    O2M_ASSIGN_OR_RETURN(Contracts contracts, ContractsOf(alternative.graph, search.target));
    stages = CutStages(StageSpaceOf(alternative.graph, search.target, contracts, search.options.rows), limit);
  }
  O2M_ASSIGN_OR_RETURN(Contracts contracts, ContractsOf(alternative.graph, search.target));
  alternative.plan = PlanStages(alternative.graph, search.target, contracts, std::move(stages));
  alternative.instructions = EstimateInstructions(alternative.graph, alternative.plan, search.target);
  for (const Rewrite *rewrite : rewrites) alternative.exact = alternative.exact && rewrite->exact;
  alternative.name = NameOf(candidate);
  search.candidates.push_back(std::move(candidate));
  return absl::OkStatus();
}

// Limits of live bytes to plan for: from the least possible in steps of some percent, and the budget itself.
std::vector<int64_t> Limits(int64_t least, int64_t budget) {
  std::vector<int64_t> limits;
  for (int64_t percent : {100, 102, 104, 106, 108, 110, 115, 120, 130, 150, 200, 300, 500, 1000})
    limits.push_back(least * percent / 100);
  for (int64_t percent : {100, 98, 95, 90})
    if (budget > 0) limits.push_back(budget * percent / 100);
  limits.push_back(INT64_MAX);
  std::sort(limits.begin(), limits.end());
  return limits;
}

std::string Key(const std::vector<Stage> &stages) {
  std::string key;
  for (const Stage &stage : stages) absl::StrAppend(&key, stage.rows, ":", absl::StrJoin(stage.nodes, ","), ";");
  return key;
}

absl::Status SearchGraph(Search &search, const Graph &graph, const std::vector<const Rewrite *> &rewrites) {
  O2M_ASSIGN_OR_RETURN(Contracts contracts, ContractsOf(graph, search.target));
  const StageSpace space = StageSpaceOf(graph, search.target, contracts, search.options.rows);
  search.least_live = std::min(search.least_live, space.least_live);
  std::set<std::string> seen;
  for (int64_t limit : Limits(space.least_live, search.options.arena_budget)) {
    std::vector<Stage> stages = CutStages(space, limit);
    if (!seen.insert(Key(stages)).second) continue;
    O2M_RETURN_IF_ERROR(AddCandidate(search, graph, rewrites, std::move(stages), limit));
  }
  return absl::OkStatus();
}

bool SameGraph(const Graph &a, const Graph &b) {
  return a.nodes.size() == b.nodes.size() && a.tensors.size() == b.tensors.size();
}

// Every subset of the rewrites, applied in the order of the list; those that change nothing are skipped.
absl::Status SearchRewrites(Search &search, const Graph &light) {
  const std::vector<Rewrite> &all = Rewrites();
  for (uint32_t set = 0; set < 1u << all.size(); set++) {
    Graph graph = light;
    std::vector<const Rewrite *> rewrites;
    bool useful = true;
    for (size_t i = 0; i < all.size() && useful; i++) {
      if (!(set >> i & 1)) continue;
      O2M_ASSIGN_OR_RETURN(Graph next, all[i].apply(graph, search.host, search.target));
      useful = !SameGraph(graph, next);
      graph = std::move(next);
      rewrites.push_back(&all[i]);
    }
    if (useful) O2M_RETURN_IF_ERROR(SearchGraph(search, graph, rewrites));
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
    if (kept.empty() || candidate.alternative.instructions < kept.back().alternative.instructions / 2000 * 1999)
      kept.push_back(std::move(candidate));
  candidates = std::move(kept);
}

// Position in the frontier (arena upward, instructions downward), or its size where the budget allows none.
size_t Choose(const std::vector<Candidate> &frontier, const PlanOptions &options) {
  const int64_t least = frontier.front().alternative.plan.arena_bytes;
  int64_t limit = options.arena_budget > 0 ? options.arena_budget : INT64_MAX;
  if (options.optimize == "ram") limit = std::min(limit, least);
  if (options.optimize == "balanced" && options.arena_budget == 0) limit = least * 110 / 100;
  size_t chosen = frontier.size();
  for (size_t i = 0; i < frontier.size(); i++)
    if (frontier[i].alternative.plan.arena_bytes <= limit) chosen = i;
  if (options.optimize == "ram" && (options.arena_budget == 0 || least <= options.arena_budget)) return 0;
  return chosen;
}

std::string StageName(const Graph &graph, const Stage &stage) {
  const std::string first = graph.nodes[stage.nodes.front()].name, last = graph.nodes[stage.nodes.back()].name;
  return first == last ? absl::StrCat("'", first, "'") : absl::StrCat("'", first, "' .. '", last, "'");
}

// The three largest tensors alive in a stage.
std::string LargestTensors(const Graph &graph, const Plan &plan, int32_t stage) {
  std::vector<const Buffer *> alive;
  for (const Buffer &buffer : plan.buffers)
    if (buffer.first_stage <= stage && buffer.last_stage >= stage && buffer.kind == BufferKind::kTensor)
      alive.push_back(&buffer);
  std::stable_sort(alive.begin(), alive.end(), [](const Buffer *a, const Buffer *b) { return a->bytes > b->bytes; });
  std::vector<std::string> names;
  for (size_t i = 0; i < alive.size() && i < 3; i++)
    names.push_back(absl::StrCat("'", graph.tensors[alive[i]->id].name, "' ", Grouped(alive[i]->bytes), " B"));
  return absl::StrJoin(names, ", ");
}

absl::Status OverBudget(const Alternative &least, const PlanOptions &options) {
  int32_t worst = 0;
  for (int32_t s = 1; s < static_cast<int32_t>(least.plan.stages.size()); s++)
    if (LiveBytes(least.plan, s) > LiveBytes(least.plan, worst)) worst = s;
  const std::string arena = Grouped(least.plan.arena_bytes);
  const std::string rows = options.rows > 1 ? "a smaller --rows, " : "";
  return absl::ResourceExhaustedError(
      absl::StrCat(least.graph.file, ": arena ", arena, " B exceeds the budget of ", Grouped(options.arena_budget),
                   " B; largest: ", StageName(least.graph, least.plan.stages[worst]), " (tensors ",
                   LargestTensors(least.graph, least.plan, worst), "); this is the least of all schedules tried; try ",
                   rows, "a budget of ", arena, " B, or a model with fewer tokens or a smaller dim"));
}

// The nodes in the order of OrderNodes(), without those that no output needs: then nothing that follows depends on how
// the file listed them.
absl::StatusOr<std::vector<NodeId>> CanonicalOrder(const Graph &graph, const o2m_target &target) {
  O2M_ASSIGN_OR_RETURN(const Contracts contracts, ContractsOf(graph, target));
  return OrderNodes(graph, contracts);
}

void Reorder(Graph &graph, const std::vector<NodeId> &order) {
  std::vector<Node> nodes;
  for (NodeId node : order) nodes.push_back(std::move(graph.nodes[node]));
  graph.nodes = std::move(nodes);
}

// The chosen graph with its data: the same steps on the whole graph.
absl::StatusOr<Graph> Replay(const Graph &graph, const std::vector<NodeId> &order, const Candidate &candidate,
                             Host &host, const o2m_target &target) {
  Graph full = graph;
  Reorder(full, order);
  for (const Rewrite *rewrite : candidate.rewrites) {
    O2M_ASSIGN_OR_RETURN(full, rewrite->apply(full, host, target));
  }
  bool changed = false;
  for (const std::vector<Stage> &stages : candidate.merges) full = MergeDuplicates(full, stages, &changed);
  return full;
}

}  // namespace

absl::StatusOr<std::vector<Alternative>> ChooseSchedule(const Graph &graph, Host &host, const o2m_target &target,
                                                        const PlanOptions &options) {
  Search search{host, target, options, {}};
  Graph light = WithoutData(graph);
  O2M_ASSIGN_OR_RETURN(const std::vector<NodeId> order, CanonicalOrder(light, target));
  Reorder(light, order);
  O2M_RETURN_IF_ERROR(SearchRewrites(search, light));
  KeepNonDominated(search.candidates);
  const size_t chosen = Choose(search.candidates, options);
  if (chosen == search.candidates.size()) return OverBudget(search.candidates.front().alternative, options);
  O2M_ASSIGN_OR_RETURN(search.candidates[chosen].alternative.graph,
                       Replay(graph, order, search.candidates[chosen], host, target));
  std::vector<Alternative> alternatives;
  alternatives.push_back(std::move(search.candidates[chosen].alternative));
  for (size_t i = 0; i < search.candidates.size(); i++)
    if (i != chosen) alternatives.push_back(std::move(search.candidates[i].alternative));
  return alternatives;
}

}  // namespace onnx2mcu
