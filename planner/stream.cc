#include "planner/stream.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "importer/ir/text.h"
#include "planner/make_plan.h"
#include "planner/place.h"
#include "planner/rewrites.h"
#include "planner/stream_merge.h"
#include "planner/stream_rows.h"

namespace onnx2mcu {
namespace {

// Who reads the input, in order of time, and in which stage.
struct Readers {
  std::vector<InputReader> list;
  std::vector<int32_t> stages;
};

Readers ReadersOf(const Graph &graph, const o2m_target &target, const Plan &plan) {
  Readers readers;
  for (size_t s = 0; s < plan.stages.size(); s++) {
    for (NodeId id : plan.stages[s].nodes) {
      const Node &node = graph.nodes[id];
      const o2m_memory memory = MemoryOf(graph, node, target, std::max(plan.stages[s].rows, 1));
      for (size_t i = 0; i < node.inputs.size(); i++) {
        if (node.inputs[i] == kNone || BaseOf(graph, node.inputs[i]) != graph.inputs[0]) continue;
        readers.list.push_back({id, static_cast<int32_t>(i), node.inputs[i], memory.inputs[i]});
        readers.stages.push_back(static_cast<int32_t>(s));
      }
    }
  }
  return readers;
}

std::string Quoted(const Graph &graph, NodeId node) { return absl::StrCat("'", graph.nodes[node].name, "'"); }

// NAME_begin and NAME_push_rows are not given the outputs.
std::string EarlyOutput(const Graph &graph, const Plan &plan, int32_t stage) {
  for (int32_t s = 0; s <= stage; s++)
    for (NodeId id : plan.stages[s].nodes)
      for (TensorId output : graph.nodes[id].outputs)
        if (HomeOf(graph, BaseOf(graph, output)).place == Place::kOutput)
          return absl::StrCat("output '", graph.tensors[output].name, "' is written before all of it is read");
  return "";
}

// The one loop that reads the input, or why there is none.
std::string FindLoop(const Graph &graph, const Plan &plan, const Readers &readers, Stream *stream) {
  if (graph.inputs.size() != 1) return absl::StrCat("the model has ", graph.inputs.size(), " inputs");
  if (graph.tensors[graph.inputs[0]].in_arena) return "the whole input lies in the arena (--image-in-arena)";
  if (readers.list.empty()) return "nothing reads it";
  stream->stage = readers.stages[0];
  for (size_t i = 0; i < readers.list.size(); i++) {
    const NodeId node = readers.list[i].node;
    if (plan.stages[readers.stages[i]].steps == 0 || readers.list[i].access.extent == 0)
      return Quoted(graph, node) + " reads it whole";
    if (readers.stages[i] != stream->stage)
      return Quoted(graph, readers.list[0].node) + " and " + Quoted(graph, node) + " read it in different loops";
  }
  return EarlyOutput(graph, plan, stream->stage);
}

// An op may walk a band otherwise than the whole input, or not take its strides.
std::string CheckReaders(const Graph &graph, const o2m_target &target, const Plan &plan, const Readers &readers,
                         const Stream &stream) {
  Graph moved = graph;
  MoveToBand(&moved, stream);
  for (const InputReader &reader : readers.list) {
    const Node &node = moved.nodes[reader.node];
    const o2m_memory memory = MemoryOf(moved, node, target, 1);
    const o2m_access &access = memory.inputs[reader.operand];
    const bool same = memory.steps == plan.stages[stream.stage].steps && SameAccess(access, reader.access);
    if (!same || !TakesStrides(access, moved.tensors[reader.tensor]))
      return Quoted(graph, reader.node) + " cannot read rows whose channels are innermost";
  }
  return "";
}

// The plan with all readers of the input in one loop, or as it is where they are or cannot be.
Plan WithOneLoop(const Graph &light, const o2m_target &target, const Plan &plan) {
  absl::StatusOr<Contracts> contracts = ContractsOf(light, target);
  if (!contracts.ok() || light.inputs.size() != 1) return plan;
  std::vector<Stage> stages = MergeReaders(light, *contracts, plan);
  if (stages.empty()) return plan;
  Plan merged = PlanStages(light, target, *contracts, std::move(stages), plan.boundaries);
  return ValidatePlan(light, target, merged).ok() ? merged : plan;
}

// Steps per iteration of the loop's stage while rows are pushed, and the band for them.
void SetRows(const Plan &plan, int32_t rows, Stream *stream) {
  stream->rows = rows, stream->band_rows = 0;
  const int32_t steps = plan.stages[stream->stage].steps;
  for (int32_t t = 0; t < steps; t += rows) {
    const int64_t held = EndRow(*stream, std::min(t + rows, steps) - 1) - FirstRow(*stream, t);
    stream->band_rows = std::max(stream->band_rows, held);
  }
  stream->count_at = AlignUp(stream->band_rows * stream->row_bytes, 4);
}

int32_t StageBegin(const Plan &plan, int32_t stage) {
  int32_t time = 0;
  for (int32_t s = 0; s < stage; s++) time += static_cast<int32_t>(plan.stages[s].nodes.size());
  return time;
}

Buffer BandOf(const Graph &graph, const Plan &plan, const Stream &stream) {
  Buffer band;
  band.id = graph.inputs[0], band.tile = true;
  band.bytes = stream.count_at + static_cast<int64_t>(sizeof(int32_t));
  band.first = StageBegin(plan, stream.stage);
  band.last = band.first + static_cast<int32_t>(plan.stages[stream.stage].nodes.size()) - 1;
  band.first_stage = band.last_stage = stream.stage;
  return band;
}

// The lowest offset from `offset` on at which so many bytes lie in one region.
int64_t WithinRegion(const Plan &plan, int64_t offset, int64_t bytes) {
  for (const int64_t at : plan.boundaries)
    if (offset < at && at < offset + bytes) offset = at;
  return offset;
}

// The lowest offset at which the band lies beside all that is alive with it.
int64_t Gap(const Plan &plan, const Buffer &band) {
  std::vector<const Buffer *> alive;
  for (const Buffer &buffer : plan.buffers)
    if (buffer.first <= band.last && band.first <= buffer.last) alive.push_back(&buffer);
  std::sort(alive.begin(), alive.end(), [](const Buffer *a, const Buffer *b) { return a->offset < b->offset; });
  int64_t offset = WithinRegion(plan, 0, band.bytes);
  for (const Buffer *buffer : alive) {
    if (offset + band.bytes <= buffer->offset) break;
    const int64_t behind = AlignUp(buffer->offset + buffer->bytes, kTensorAlign);
    offset = WithinRegion(plan, std::max(offset, behind), band.bytes);
  }
  return offset;
}

// In a gap that the plan leaves, else all buffers anew.
Plan WithBand(const Graph &graph, const Plan &plan, Stream *stream) {
  Plan with = plan;
  Buffer band = BandOf(graph, plan, *stream);
  band.offset = Gap(plan, band);
  stream->band = static_cast<int32_t>(with.buffers.size());
  with.buffers.push_back(band);
  if (band.offset + band.bytes > plan.arena_bytes) PlaceBuffers(with);
  return with;
}

bool Valid(const Graph &light, const o2m_target &target, const Plan &plan, const Stream &stream) {
  Graph moved = light;
  MoveToBand(&moved, stream);
  return ValidatePlan(moved, target, StreamedPlan(light, plan, stream)).ok();
}

// Rows to try, most first. All rows of a loop at once would be the whole input.
std::vector<int32_t> RowsToTry(const Stage &stage) {
  std::vector<int32_t> tries;
  for (int32_t rows = stage.rows; rows > 1; rows = (rows + 1) / 2) tries.push_back(rows);
  tries.push_back(1);
  return tries;
}

// A loop that took all its steps at once keeps its inner tensors from node to node only: to take them by and by it must
// be planned so.
absl::StatusOr<Plan> WithRows(const Graph &light, const o2m_target &target, const Plan &plan, const Stream &stream) {
  O2M_ASSIGN_OR_RETURN(Contracts contracts, ContractsOf(light, target));
  std::vector<Stage> stages = plan.stages;
  stages[stream.stage].rows = stream.rows;
  return PlanStages(light, target, contracts, std::move(stages), plan.boundaries);
}

// Gives the band a place at the given rows; the plan as it is where that will do, else one that is made for it.
struct Choice {
  Plan plan;
  Stream stream;
};
void Consider(const Graph &light, const o2m_target &target, const Plan &base, Stream stream, Choice *best) {
  Choice choice{WithBand(light, base, &stream), stream};
  const bool better = best->stream.band == kNone || choice.plan.arena_bytes < best->plan.arena_bytes;
  if (better && Valid(light, target, choice.plan, choice.stream)) *best = std::move(choice);
}

// `arena`: the bytes it may have for nothing.
std::string PlaceBand(const Graph &light, const o2m_target &target, int64_t arena, bool raise, Plan *plan,
                      Stream *stream) {
  const Plan given = *plan;
  Choice best;
  for (bool again : {false, true}) {
    for (int32_t rows : RowsToTry(given.stages[stream->stage])) {
      SetRows(given, rows, stream);
      if (stream->band_rows >= stream->image_rows) continue;  // the whole input
      if (best.stream.band != kNone && best.plan.arena_bytes <= arena) break;
      const auto base = again ? WithRows(light, target, given, *stream) : absl::StatusOr<Plan>(given);
      if (base.ok()) Consider(light, target, *base, *stream, &best);
    }
  }
  if (best.stream.band == kNone) return "one step reads all of it, or no band of it fits its loop";
  const int64_t more = best.plan.arena_bytes - arena;
  *stream = best.stream;
  if (more > 0 && !raise)
    return absl::StrCat("a band of ", stream->band_rows, " rows would raise the arena by ", Grouped(more),
                        " B (--stream=on accepts that)");
  *plan = std::move(best.plan);
  return "";
}

}  // namespace

int64_t FirstRow(const Stream &stream, int64_t step) {
  return std::clamp<int64_t>(step * stream.step - stream.before, 0, stream.image_rows);
}

int64_t EndRow(const Stream &stream, int64_t last) {
  return std::clamp<int64_t>(last * stream.step - stream.before + stream.extent, 0, stream.image_rows);
}

Stream AddStream(const Graph &graph, const o2m_target &target, bool raise, Plan *plan) {
  Stream stream;
  const Graph light = WithoutData(graph);
  Plan merged = WithOneLoop(light, target, *plan);
  const Readers readers = ReadersOf(light, target, merged);
  stream.why = FindLoop(light, merged, readers, &stream);
  if (stream.why.empty()) stream.why = FindRows(light, readers.list, &stream);
  if (stream.why.empty()) stream.why = CheckReaders(light, target, merged, readers, stream);
  if (stream.why.empty()) stream.why = PlaceBand(light, target, plan->arena_bytes, raise, &merged, &stream);
  if (stream.why.empty()) *plan = std::move(merged);
  return stream;
}

void OverwriteInput(const Graph &graph, const o2m_target &target, Plan *plan) {
  const Graph light = WithoutData(graph);
  const Plan given = *plan;
  for (int32_t s : ReadersOf(light, target, given).stages) {
    Stream loop;
    loop.stage = s;
    if (given.stages[s].steps == 0) continue;
    for (int32_t rows : RowsToTry(given.stages[s])) {
      loop.rows = rows;
      absl::StatusOr<Plan> smaller = WithRows(light, target, *plan, loop);
      if (smaller.ok() && smaller->arena_bytes < plan->arena_bytes) *plan = *std::move(smaller);
    }
  }
}

Plan StreamedPlan(const Graph &graph, const Plan &plan, const Stream &stream) {
  Plan streamed = plan;
  streamed.stages[stream.stage].rows = stream.rows;
  streamed.buffer_of[graph.inputs[0]] = stream.band;
  return streamed;
}

}  // namespace onnx2mcu
