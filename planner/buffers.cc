#include "planner/buffers.h"

#include <algorithm>

#include "planner/overwrite.h"

namespace onnx2mcu {
namespace {

// The schedule, by time.
struct Timeline {
  std::vector<NodeId> nodes;
  std::vector<int32_t> stages;
  std::vector<int32_t> begin, end;  // by stage: first time, past the last
};

Timeline TimelineOf(const Plan &plan) {
  Timeline timeline;
  for (size_t s = 0; s < plan.stages.size(); s++) {
    timeline.begin.push_back(static_cast<int32_t>(timeline.nodes.size()));
    for (NodeId node : plan.stages[s].nodes) {
      timeline.nodes.push_back(node);
      timeline.stages.push_back(static_cast<int32_t>(s));
    }
    timeline.end.push_back(static_cast<int32_t>(timeline.nodes.size()));
  }
  return timeline;
}

bool Iterates(const Stage &stage) { return stage.steps > stage.rows; }

// How one buffer is used, in time order.
struct Uses {
  std::vector<Use> reads, writes;
};

struct BufferBuilder {
  const Graph &graph;
  const o2m_target &target;
  Contracts &contracts;
  Plan &plan;
  const Border &border;
  Timeline timeline;
  std::vector<Uses> uses;  // by buffer
};

bool Outlives(const BufferBuilder &b, const Buffer &buffer) { return Contains(b.border.out, buffer.id); }

Buffer &BufferOf(BufferBuilder &b, TensorId base, int32_t time) {
  int32_t &index = b.plan.buffer_of[base];
  if (index == kNone) {
    index = static_cast<int32_t>(b.plan.buffers.size());
    Buffer buffer;
    buffer.id = base, buffer.bytes = b.contracts.base_bytes[base];
    buffer.first = buffer.last = time;
    buffer.first_stage = buffer.last_stage = b.timeline.stages[time];
    b.plan.buffers.push_back(buffer);
    b.uses.emplace_back();
  }
  return b.plan.buffers[index];
}

void AddTensors(BufferBuilder &b) {
  for (int32_t time = 0; time < static_cast<int32_t>(b.timeline.nodes.size()); time++) {
    const Contract &contract = b.contracts.nodes[b.timeline.nodes[time]];
    for (size_t i = 0; i < contract.touches.size(); i++) {
      const Touch &touch = contract.touches[i];
      if (b.contracts.homes[touch.base].place != Place::kArena) continue;
      Buffer &buffer = BufferOf(b, touch.base, time);
      buffer.last = time, buffer.last_stage = b.timeline.stages[time];
      Uses &uses = b.uses[b.plan.buffer_of[touch.base]];
      (touch.write ? uses.writes : uses.reads).push_back({time, &touch, contract.in_place[i]});
    }
  }
}

// An input in the arena is there from the start, all of it: the caller wrote it.
void FinishInputs(BufferBuilder &b) {
  for (TensorId input : b.graph.inputs) {
    const int32_t index = b.plan.buffer_of[input];
    if (index == kNone) continue;
    Buffer &buffer = b.plan.buffers[index];
    buffer.first = buffer.first_stage = 0;
    buffer.bytes = std::max(buffer.bytes, BytesOf(b.graph.tensors[input]));
  }
}

// Shrinks what lives inside one loop, and lets the rest live as long as the loops that touch it.
void FinishTensors(BufferBuilder &b) {
  for (Buffer &buffer : b.plan.buffers) {
    const Stage &first = b.plan.stages[buffer.first_stage], &last = b.plan.stages[buffer.last_stage];
    const int64_t stride = b.contracts.tile_stride[buffer.id];
    const bool inside = !Contains(b.border.in, buffer.id) && !Outlives(b, buffer);
    const bool written = !b.uses[b.plan.buffer_of[buffer.id]].writes.empty();
    if (buffer.first_stage == buffer.last_stage && Iterates(first) && stride > 0 && written && inside) {
      buffer.tile = true;
      buffer.bytes = std::min(buffer.bytes, first.rows * stride);
      continue;
    }
    if (Iterates(first)) buffer.first = b.timeline.begin[buffer.first_stage];
    if (Iterates(last)) buffer.last = b.timeline.end[buffer.last_stage] - 1;
    if (Contains(b.border.in, buffer.id)) buffer.first = buffer.first_stage = 0;
    if (!Outlives(b, buffer)) continue;
    buffer.last = b.timeline.end.back() - 1, buffer.last_stage = static_cast<int32_t>(b.timeline.end.size()) - 1;
  }
}

int32_t AddBlock(BufferBuilder &b, BufferKind kind, NodeId node, int64_t bytes, int32_t first, int32_t last,
                 int32_t stage) {
  Buffer buffer;
  buffer.kind = kind, buffer.id = node, buffer.bytes = bytes;
  buffer.first = first, buffer.last = last;
  buffer.first_stage = buffer.last_stage = stage;
  b.plan.buffers.push_back(buffer);
  return static_cast<int32_t>(b.plan.buffers.size()) - 1;
}

void AddBlocks(BufferBuilder &b) {
  for (int32_t time = 0; time < static_cast<int32_t>(b.timeline.nodes.size()); time++) {
    const NodeId node = b.timeline.nodes[time];
    const int32_t s = b.timeline.stages[time];
    const int32_t rows = std::max(b.plan.stages[s].rows, 1);
    const int64_t scratch = ScratchOf(b.graph, b.target, b.contracts, node, rows);
    const int64_t state = b.contracts.nodes[node].state_bytes;
    if (scratch > 0) b.plan.scratch_of[node] = AddBlock(b, BufferKind::kScratch, node, scratch, time, time, s);
    if (state > 0)
      b.plan.state_of[node] =
          AddBlock(b, BufferKind::kState, node, state, b.timeline.begin[s], b.timeline.end[s] - 1, s);
  }
}

std::vector<Use> InStage(const BufferBuilder &b, const std::vector<Use> &uses, int32_t stage) {
  std::vector<Use> within;
  for (const Use &use : uses)
    if (b.timeline.stages[use.time] == stage) within.push_back(use);
  return within;
}

// Past the last byte of y that is written before the stage: x is still whole then, so these bytes must lie before it.
int64_t WrittenBefore(const BufferBuilder &b, int32_t y, int32_t stage) {
  int64_t end = 0;
  for (const Use &use : b.uses[y].writes)
    if (b.timeline.stages[use.time] < stage) end = std::max(end, EndByte(*use.touch));
  return end;
}

// x dies in this stage, in which y is written while both are alive: at which distance may y pass over x? Within one
// call (a tile, or a stage of one iteration) only the node that reads the last of x may do so, in place; across
// iterations x must be complete before the loop begins.
void AddOverwrite(BufferBuilder &b, int32_t x, int32_t y, int32_t stage) {
  const Buffer &from = b.plan.buffers[x], &to = b.plan.buffers[y];
  const Stage &loop = b.plan.stages[stage];
  const std::vector<Use> y_writes = InStage(b, b.uses[y].writes, stage);
  if (y_writes.empty()) return;
  if (to.first > from.last || from.first > to.last || loop.steps == 0 || from.tile != to.tile) return;
  const std::vector<Use> &x_writes = b.uses[x].writes;
  const bool one_call = from.tile || !Iterates(loop);
  const int32_t born = y_writes.front().time;
  const int32_t complete = one_call ? born : b.timeline.begin[stage];
  if (one_call && from.last != born) return;
  if (!x_writes.empty() && x_writes.back().time >= complete) return;
  const int32_t steps = one_call ? std::min(loop.rows, loop.steps) : loop.steps;
  const int64_t distance = std::max(WrittenBefore(b, y, stage),
                                    OverwriteDistance(steps, loop.rows, InStage(b, b.uses[x].reads, stage), y_writes));
  if (distance < to.bytes) b.plan.overwrites.push_back({x, y, distance});
}

void AddOverwrites(BufferBuilder &b) {
  const int32_t tensors = static_cast<int32_t>(b.uses.size());
  for (int32_t y = 0; y < tensors; y++)
    for (int32_t x = 0; x < tensors; x++)
      if (x != y && !Outlives(b, b.plan.buffers[x]) && b.plan.buffers[x].last_stage >= b.plan.buffers[y].first_stage)
        AddOverwrite(b, x, y, b.plan.buffers[x].last_stage);
}

}  // namespace

int64_t WrittenEnd(const Contracts &contracts, TensorId base) {
  int64_t end = 0;
  for (const Contract &contract : contracts.nodes)
    for (const Touch &touch : contract.touches)
      if (touch.write && touch.base == base) end = std::max(end, EndByte(touch));
  return end;
}

void AddBuffers(const Graph &graph, const o2m_target &target, Contracts &contracts, Plan &plan, const Border &border) {
  plan.buffer_of.assign(graph.tensors.size(), kNone);
  plan.scratch_of.assign(graph.nodes.size(), kNone);
  plan.state_of.assign(graph.nodes.size(), kNone);
  BufferBuilder b{graph, target, contracts, plan, border, TimelineOf(plan), {}};
  AddTensors(b);
  FinishInputs(b);
  FinishTensors(b);
  AddBlocks(b);
  AddOverwrites(b);
}

}  // namespace onnx2mcu
