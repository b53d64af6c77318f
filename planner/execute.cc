#include "planner/execute.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <new>

#include "planner/contract.h"
#include "planner/stream.h"

namespace onnx2mcu {
namespace {

OperandAddress::Place AddressPlaceOf(Place place) {
  switch (place) {
    case Place::kConstant:
      return OperandAddress::kConstant;
    case Place::kInput:
      return OperandAddress::kInput;
    case Place::kOutput:
      return OperandAddress::kOutput;
    case Place::kArena:
      break;
  }
  return OperandAddress::kArena;
}

}  // namespace

OperandAddress AddressOf(const Graph &graph, const Plan &plan, const Stage &stage, const Node &node,
                         const o2m_memory &memory, bool is_output, int operand) {
  const TensorId id = (is_output ? node.outputs : node.inputs)[operand];
  const o2m_access &access = (is_output ? memory.outputs : memory.inputs)[operand];
  const Tensor &tensor = graph.tensors[id];
  const TensorId base = BaseOf(graph, id);
  const Home home = HomeOf(graph, base);
  const int64_t element = DTypeBytes(tensor.dtype);
  OperandAddress address{AddressPlaceOf(home.place), home.index, tensor.view_offset * element, 0, 0};
  bool tile = false;
  if (home.place == Place::kArena) {
    const Buffer &buffer = plan.buffers[plan.buffer_of[base]];
    address.bytes += buffer.offset;
    const bool input = std::find(graph.inputs.begin(), graph.inputs.end(), base) != graph.inputs.end();
    if (buffer.tile && input) address.place = OperandAddress::kBand;
    tile = buffer.tile && !input;
  }
  if (stage.steps == 0 || access.extent == 0 || tile) return address;
  const int64_t row = StridesOf(tensor)[access.axis] * element;
  address.step_bytes = access.step * row;
  address.before_bytes = access.before * row;
  return address;
}

// 16-aligned bytes.
struct AlignedBytes {
  explicit AlignedBytes(int64_t size)
      : bytes(size), data(new (std::align_val_t{16}) uint8_t[std::max<int64_t>(size, 1)]) {}
  ~AlignedBytes() { operator delete[](data, std::align_val_t{16}); }
  AlignedBytes(const AlignedBytes &) = delete;
  AlignedBytes &operator=(const AlignedBytes &) = delete;
  int64_t bytes;
  uint8_t *data;
};

struct Executor::State {
  const Graph &graph;
  const Plan &plan;
  // One node, ready to be called.
  struct Entry {
    NodeId id;
    OpNode view;
    std::vector<OperandAddress> inputs, outputs;
    int64_t scratch = kNone, state = kNone, state_bytes = 0;  // offsets
    int32_t time = 0;
  };
  std::vector<std::vector<Entry>> stages;
  AlignedBytes arena;
};

namespace {

int64_t OffsetOf(const Plan &plan, int32_t buffer) { return buffer == kNone ? kNone : plan.buffers[buffer].offset; }

}  // namespace

Executor::Executor(const Graph &graph, const Plan &plan, const o2m_target &target)
    : state_(new State{graph, plan, {}, AlignedBytes(plan.arena_bytes)}) {
  int32_t time = 0;
  for (const Stage &stage : plan.stages) {
    auto &entries = state_->stages.emplace_back();
    for (NodeId id : stage.nodes) {
      const Node &node = graph.nodes[id];
      const o2m_memory memory = MemoryOf(graph, node, target, std::max(stage.rows, 1));
      State::Entry entry{id, OpNode(graph, node), {}, {}};
      for (size_t i = 0; i < node.inputs.size(); i++)
        entry.inputs.push_back(node.inputs[i] == kNone ? OperandAddress{OperandAddress::kConstant, kNone, 0, 0, 0}
                                                       : AddressOf(graph, plan, stage, node, memory, false, i));
      for (size_t i = 0; i < node.outputs.size(); i++)
        entry.outputs.push_back(AddressOf(graph, plan, stage, node, memory, true, i));
      entry.scratch = OffsetOf(plan, plan.scratch_of[id]), entry.state = OffsetOf(plan, plan.state_of[id]);
      entry.state_bytes = memory.state_bytes, entry.time = time++;
      for (const Prefetch &prefetch : plan.prefetches)  // what is in flash is not read
        if (prefetch.node == id)
          entry.view.get()->constants[prefetch.slot].data = state_->arena.data + plan.buffers[prefetch.buffer].offset;
      entries.push_back(std::move(entry));
    }
  }
}

Executor::~Executor() = default;
const uint8_t *Executor::arena() const { return state_->arena.data; }

// What the caller of NAME_run hands over.
struct Executor::Operands {
  std::vector<const void *> inputs;
  std::vector<void *> outputs;
  int64_t band_start = 0;  // bytes of the input's rows before the band
};

namespace {

template <typename Operands>
uint8_t *PointerTo(const Graph &graph, uint8_t *arena, const Operands &operands, const OperandAddress &a,
                   int64_t step) {
  const int64_t moved = step * a.step_bytes - a.before_bytes;
  const int64_t bytes = a.bytes + (a.before_bytes ? std::max<int64_t>(moved, 0) : moved);
  switch (a.place) {
    case OperandAddress::kArena:
      return arena + bytes;
    case OperandAddress::kBand:
      return arena + bytes - operands.band_start;
    case OperandAddress::kConstant: {
      if (a.index == kNone) return nullptr;
      const auto *data = reinterpret_cast<const uint8_t *>(graph.tensors[a.index].data.data());
      return const_cast<uint8_t *>(data) + bytes;
    }
    case OperandAddress::kInput:
      return static_cast<uint8_t *>(const_cast<void *>(operands.inputs[a.index])) + bytes;
    case OperandAddress::kOutput:
      return static_cast<uint8_t *>(operands.outputs[a.index]) + bytes;
  }
  return nullptr;
}

}  // namespace

// One call of every node of the stage.
void Executor::RunSteps(size_t stage, int32_t first, int32_t rows, const Operands &operands) {
  uint8_t *const arena = state_->arena.data;
  for (const State::Entry &entry : state_->stages[stage]) {
    const auto pointer = [&](const OperandAddress &a) { return PointerTo(state_->graph, arena, operands, a, first); };
    std::array<const void *, O2M_MAX_OPERANDS> inputs{};
    std::array<void *, O2M_MAX_OPERANDS> outputs{};
    for (size_t i = 0; i < entry.inputs.size(); i++) inputs[i] = pointer(entry.inputs[i]);
    for (size_t i = 0; i < entry.outputs.size(); i++) outputs[i] = pointer(entry.outputs[i]);
    o2m_call call{};
    call.struct_size = sizeof call;
    call.inputs = inputs.data(), call.outputs = outputs.data();
    call.scratch = entry.scratch == kNone ? nullptr : arena + entry.scratch;
    call.state = entry.state == kNone ? nullptr : arena + entry.state;
    call.first = first, call.rows = rows;
    state_->graph.nodes[entry.id].op->run(entry.view.get(), &call);
    const bool last = first + rows >= std::max(state_->plan.stages[stage].steps, 1);
    if (after_node && last) after_node(entry.time, entry.id);
  }
}

void Executor::ClearState(size_t stage) {
  for (const State::Entry &entry : state_->stages[stage])
    if (entry.state != kNone) std::memset(state_->arena.data + entry.state, 0, entry.state_bytes);
}

// What NAME_prefetch does at the start of a stage.
void Executor::PrefetchFor(size_t stage) {
  for (const Prefetch &prefetch : state_->plan.prefetches) {
    if (prefetch.stage != static_cast<int32_t>(stage)) continue;
    const Constant &constant = state_->graph.nodes[prefetch.node].constants[prefetch.slot];
    std::memcpy(state_->arena.data + state_->plan.buffers[prefetch.buffer].offset, constant.data.data(),
                constant.data.size());
  }
}

void Executor::RunStages(size_t begin, size_t end, const Operands &operands) {
  for (size_t s = begin; s < end; s++) {
    const Stage &stage = state_->plan.stages[s];
    PrefetchFor(s + 1);
    ClearState(s);
    const int32_t steps = std::max(stage.steps, 1), rows = std::max(stage.rows, 1);
    for (int32_t t = 0; t < steps; t += rows) RunSteps(s, t, std::min(rows, steps - t), operands);
  }
}

void Executor::Run(const std::vector<const void *> &inputs, const std::vector<void *> &outputs) {
  std::memset(state_->arena.data, kPoison, state_->arena.bytes);
  for (size_t i = 0; i < inputs.size(); i++) {
    const Tensor &input = state_->graph.tensors[state_->graph.inputs[i]];
    const int32_t buffer = state_->plan.buffer_of[state_->graph.inputs[i]];
    if (input.in_arena && buffer != kNone)
      std::memcpy(state_->arena.data + state_->plan.buffers[buffer].offset, inputs[i], BytesOf(input));
  }
  RunStages(0, state_->stages.size(), {inputs, outputs});
}

void Executor::Begin(const Stream &stream) {
  std::memset(state_->arena.data, kPoison, state_->arena.bytes);
  RunStages(0, stream.stage, {});
  ClearState(stream.stage);
  const int32_t none = 0;
  std::memcpy(state_->arena.data + state_->plan.buffers[stream.band].offset + stream.count_at, &none, sizeof none);
}

bool Executor::PushRows(const Stream &stream, const void *rows, int32_t count) {
  const int32_t steps = state_->plan.stages[stream.stage].steps;
  uint8_t *const band = state_->arena.data + state_->plan.buffers[stream.band].offset;
  const auto *row = static_cast<const uint8_t *>(rows);
  int32_t pushed = 0;
  std::memcpy(&pushed, band + stream.count_at, sizeof pushed);
  if (count < 0 || count > stream.image_rows - pushed) return false;
  int32_t t = 0;
  const auto end_of = [&](int32_t first) { return EndRow(stream, std::min(first + stream.rows, steps) - 1); };
  while (t < steps && end_of(t) <= pushed) t += stream.rows;
  for (int32_t i = 0; i < count; i++, row += stream.row_bytes) {
    if (t < steps && pushed >= FirstRow(stream, t))
      std::memcpy(band + (pushed - FirstRow(stream, t)) * stream.row_bytes, row, stream.row_bytes);
    pushed++;
    for (; t < steps && end_of(t) <= pushed; t += stream.rows) {
      const int64_t first = FirstRow(stream, t), next = FirstRow(stream, t + stream.rows), end = end_of(t);
      RunSteps(stream.stage, t, std::min(stream.rows, steps - t), {{}, {}, first * stream.row_bytes});
      if (next < end) std::memmove(band, band + (next - first) * stream.row_bytes, (end - next) * stream.row_bytes);
    }
  }
  std::memcpy(band + stream.count_at, &pushed, sizeof pushed);
  return true;
}

bool Executor::End(const Stream &stream, const std::vector<void *> &outputs) {
  int32_t pushed = 0;
  std::memcpy(&pushed, state_->arena.data + state_->plan.buffers[stream.band].offset + stream.count_at, sizeof pushed);
  if (pushed != stream.image_rows) return false;
  RunStages(stream.stage + 1, state_->stages.size(), {{}, outputs});
  return true;
}

}  // namespace onnx2mcu
