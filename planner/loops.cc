#include "planner/loops.h"

#include <algorithm>
#include <limits>
#include <map>
#include <tuple>
#include <utility>

#include "planner/cost.h"
#include "planner/overwrite.h"
#include "planner/rewrites.h"

namespace onnx2mcu {
namespace {

// Longer runs are cut: the search is quadratic in this, and no network needs a loop of so many nodes.
constexpr int32_t kLongestStage = 48;

// A stage is code to read and to store, and a tensor that is whole only because its loop was cut is memory traffic:
// each must save this part of the instructions of the segment. Without these prices the cut would follow the call
// overhead alone.
constexpr int64_t kStagesForAll = 20000, kTornForAll = 2000;

// x dies and y is born at one node, which may write y over x step by step.
struct Meeting {
  const Span *x = nullptr, *y = nullptr;
  std::map<int32_t, int64_t> saved;  // bytes, by rows
};

struct LoopBuilder {
  const Graph &graph;
  const o2m_target &target;
  Contracts &contracts;
  Spans spans;
  std::vector<int64_t> born, died;                              // bytes of spans with first < i, last < i
  std::vector<NodeId> first_same;                               // by NodeId; what a stage computes twice will be merged
  std::vector<std::vector<Meeting>> meetings;                   // by position
  std::map<std::pair<int32_t, int32_t>, int64_t> instructions;  // (position, rows)
  int64_t all = 0;                                              // instructions of the graph, as few as may be
};

void AddTotals(LoopBuilder &b) {
  b.born.assign(b.spans.order.size() + 1, 0), b.died.assign(b.spans.order.size() + 1, 0);
  for (const Span &span : b.spans.all) {
    for (size_t i = span.first + 1; i < b.born.size(); i++) b.born[i] += span.bytes;
    for (size_t i = span.last + 1; i < b.died.size(); i++) b.died[i] += span.bytes;
  }
}

void AddMeetings(LoopBuilder &b) {
  b.meetings.resize(b.spans.order.size());
  for (size_t k = 0; k < b.meetings.size(); k++)
    for (const int32_t y : b.spans.at[k])
      for (const int32_t x : b.spans.at[k])
        if (const Span &dies = b.spans.all[x], &born = b.spans.all[y];
            x != y && dies.last == static_cast<int32_t>(k) && born.first == static_cast<int32_t>(k))
          b.meetings[k].push_back({&dies, &born, {}});
}

// TimeOf() a node: all of this file's instructions are those that it takes, those that waiting for flash costs, and
// what a schedule is charged for its code.
int64_t InstructionsAt(LoopBuilder &b, int32_t k, int32_t rows) {
  const auto [it, fresh] = b.instructions.try_emplace({k, rows}, 0);
  if (!fresh) return it->second;
  const NodeId node = b.spans.order[k];
  const Work work = WorkOf(b.graph, b.graph.nodes[node], b.target, b.contracts.nodes[node].steps, rows);
  return it->second = TimeOf(work.instructions, work.flash_bytes_read, b.target) + b.target.call_price;
}

std::vector<Use> Within(const std::vector<Use> &uses, int32_t begin, int32_t end) {
  std::vector<Use> within;
  for (const Use &use : uses)
    if (use.time >= begin && use.time < end) within.push_back(use);
  return within;
}

// A span that a run touches, and its uses there: reads of one that dies, writes of one that is born.
struct Crossing {
  const Span *span = nullptr;
  std::vector<Use> uses;
};

// The spans that a run touches, by their part in it.
struct Run {
  int32_t begin = 0, end = 0, steps = 0;
  std::vector<const Span *> inner;
  std::vector<Crossing> dying, born;
};

Run RunOf(const LoopBuilder &b, int32_t begin, int32_t end) {
  Run run{begin, end, b.contracts.nodes[b.spans.order[begin]].steps, {}, {}, {}};
  std::vector<int32_t> ids;
  for (int32_t k = begin; k < end; k++) ids.insert(ids.end(), b.spans.at[k].begin(), b.spans.at[k].end());
  std::sort(ids.begin(), ids.end());
  ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
  for (int32_t id : ids) {
    const Span &span = b.spans.all[id];
    const bool begins = span.first >= begin, ends = span.last < end;
    if (begins && ends) run.inner.push_back(&span);
    if (begins && !ends) run.born.push_back({&span, Within(span.writes, begin, end)});
    if (!begins && ends && Within(span.writes, begin, end).empty())
      run.dying.push_back({&span, Within(span.reads, begin, end)});
  }
  return run;
}

// Bytes saved by writing what is born over what dies, each once.
int64_t Overwritten(const Run &run, int32_t rows) {
  std::vector<std::tuple<int64_t, size_t, size_t>> pairs;  // (-saving, x, y)
  for (size_t x = 0; x < run.dying.size(); x++) {
    for (size_t y = 0; y < run.born.size(); y++) {
      const int64_t distance = OverwriteDistance(run.steps, rows, run.dying[x].uses, run.born[y].uses);
      const int64_t dying = run.dying[x].span->bytes, born = run.born[y].span->bytes;
      const int64_t saving = dying + born - std::max(dying + AlignUp(distance, kTensorAlign), born);
      if (saving > 0) pairs.emplace_back(-saving, x, y);
    }
  }
  std::sort(pairs.begin(), pairs.end());
  std::vector<bool> x_taken(run.dying.size()), y_taken(run.born.size());
  int64_t saved = 0;
  for (const auto &[saving, x, y] : pairs) {
    if (x_taken[x] || y_taken[y]) continue;
    x_taken[x] = y_taken[y] = true;
    saved -= saving;
  }
  return saved;
}

int64_t InnerBytes(const Span &span, int32_t rows) {
  if (rows == 0 || span.tile_stride == 0) return span.bytes;
  return std::min(span.bytes, AlignUp(rows * span.tile_stride, kTensorAlign));
}

int64_t SavedBy(Meeting &meeting, int32_t rows) {
  const auto [it, fresh] = meeting.saved.try_emplace(rows, 0);
  if (!fresh) return it->second;
  const int64_t distance = OverwriteDistance(rows, rows, meeting.x->reads, meeting.y->writes);
  const int64_t a = InnerBytes(*meeting.x, rows), c = InnerBytes(*meeting.y, rows);
  return it->second = a + c - std::max(a + AlignUp(distance, kTensorAlign), c);
}

// Where two spans of the run meet at node k: they share at most what the best of them share.
int64_t SavedAt(LoopBuilder &b, const Run &run, int32_t k, int32_t rows) {
  int64_t best = 0;
  for (Meeting &meeting : b.meetings[k])
    if (meeting.x->first >= run.begin && meeting.y->last < run.end) best = std::max(best, SavedBy(meeting, rows));
  return best;
}

int64_t LiveBytes(LoopBuilder &b, const Run &run, int32_t rows) {
  const bool once = rows >= run.steps;  // one iteration: every tensor lives from node to node
  int64_t whole = b.born[run.end] - b.died[run.begin];
  std::vector<int64_t> moving(run.end - run.begin);
  for (const Span *span : run.inner) {
    if (!once && span->tile_stride == 0) continue;
    whole -= span->bytes;
    for (int32_t k = span->first; k <= span->last; k++) moving[k - run.begin] += InnerBytes(*span, rows);
  }
  int64_t most = 0;
  for (int32_t k = run.begin; k < run.end; k++) {
    const NodeId node = b.spans.order[k];
    const int64_t scratch = ScratchOf(b.graph, b.target, b.contracts, node, std::max(rows, 1));
    const int64_t saved = run.steps > 0 ? SavedAt(b, run, k, rows) : 0;
    most = std::max(most, moving[k - run.begin] + AlignUp(scratch, kBlockAlign) - saved);
    whole += AlignUp(b.contracts.nodes[node].state_bytes, kBlockAlign);
  }
  return whole + most - (run.steps > 0 ? Overwritten(run, rows) : 0);
}

bool DoneBefore(const LoopBuilder &b, int32_t begin, int32_t k) {
  for (int32_t i = begin; i < k; i++)
    if (b.first_same[b.spans.order[i]] == b.first_same[b.spans.order[k]]) return true;
  return false;
}

void AddChoices(LoopBuilder &b, StageSpace &space, int32_t begin, int32_t rows) {
  const int32_t steps = space.steps[begin];
  const int32_t limit = std::min<int32_t>(static_cast<int32_t>(b.spans.order.size()), begin + kLongestStage);
  for (int32_t end = begin + 1; end <= limit; end++) {
    if (end - 1 > begin && (steps == 0 || space.steps[end - 1] != steps || b.spans.barrier[end - 1] > begin)) break;
    const Run run = RunOf(b, begin, end);
    int64_t torn = 0;
    for (const Crossing &born : run.born) torn += born.span->one_loop;
    for (int32_t r : RowChoices(steps, rows)) {
      StageChoice choice{begin, end, r, LiveBytes(b, run, r), torn * b.all / kTornForAll};
      for (int32_t k = begin; k < end; k++)
        if (!DoneBefore(b, begin, k)) choice.instructions += InstructionsAt(b, k, std::max(r, 1));
      space.ending[end - 1].push_back(choice);
    }
  }
}

int64_t LeastPeak(const StageSpace &space) {
  std::vector<int64_t> peak(space.order.size() + 1, std::numeric_limits<int64_t>::max());
  peak[0] = 0;
  for (size_t end = 1; end < peak.size(); end++)
    for (const StageChoice &choice : space.ending[end - 1])
      peak[end] = std::min(peak[end], std::max(peak[choice.begin], choice.live));
  return peak.back();
}

}  // namespace

std::vector<int32_t> RowChoices(int32_t steps, int32_t rows) {
  if (steps == 0) return {0};
  if (rows > 0) return {std::min(rows, steps)};
  std::vector<int32_t> choices;
  for (int32_t r = 1; r < steps; r *= 2) choices.push_back(r);
  choices.push_back(steps);
  return choices;
}

StageSpace StageSpaceOf(const Graph &graph, const o2m_target &target, Contracts &contracts, std::vector<NodeId> order,
                        const Border &border, int32_t rows) {
  LoopBuilder b{
      graph, target, contracts, SpansOf(contracts, std::move(order), border), {}, {}, FirstOfDuplicates(graph),
      {},    {},     0};
  AddTotals(b);
  AddMeetings(b);
  StageSpace space;
  space.order = b.spans.order;
  space.ending.resize(b.spans.order.size());
  for (NodeId node : b.spans.order) space.steps.push_back(contracts.nodes[node].steps);
  for (int32_t k = 0; k < static_cast<int32_t>(b.spans.order.size()); k++)
    b.all += InstructionsAt(b, k, std::max(RowChoices(space.steps[k], rows).back(), 1));
  space.stage_price = b.all / kStagesForAll;
  for (size_t begin = 0; begin < b.spans.order.size(); begin++) AddChoices(b, space, static_cast<int32_t>(begin), rows);
  space.least_live = LeastPeak(space);
  return space;
}

StageCut CutStages(const StageSpace &space, int64_t limit) {
  using ChoicePrice = std::tuple<int64_t, int64_t>;  // instructions with the stages' price, live bytes summed
  constexpr int64_t kInfinite = std::numeric_limits<int64_t>::max();
  std::vector<ChoicePrice> best(space.order.size() + 1, {kInfinite, 0});
  std::vector<const StageChoice *> chosen(best.size());
  best[0] = {0, 0};
  for (size_t end = 1; end < best.size(); end++) {
    for (const StageChoice &choice : space.ending[end - 1]) {
      const auto &[instructions, live] = best[choice.begin];
      if (choice.live > std::max(limit, space.least_live) || instructions == kInfinite) continue;
      const ChoicePrice price{instructions + choice.instructions + space.stage_price, live + choice.live};
      if (price < best[end]) best[end] = price, chosen[end] = &choice;
    }
  }
  StageCut cut;
  for (size_t end = best.size() - 1; end > 0; end = chosen[end]->begin) cut.stages.push_back(chosen[end]);
  std::reverse(cut.stages.begin(), cut.stages.end());
  for (const StageChoice *choice : cut.stages) cut.live = std::max(cut.live, choice->live);
  cut.instructions = std::get<0>(best.back());
  return cut;
}

std::vector<Stage> StagesOf(const StageSpace &space, const StageCut &cut) {
  std::vector<Stage> stages;
  for (const StageChoice *choice : cut.stages) {
    Stage stage{{}, space.steps[choice->begin], choice->rows};
    stage.nodes.assign(space.order.begin() + choice->begin, space.order.begin() + choice->end);
    stages.push_back(std::move(stage));
  }
  return stages;
}

}  // namespace onnx2mcu
