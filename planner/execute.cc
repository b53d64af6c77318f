#include "planner/execute.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <new>

#include "planner/contract.h"

namespace onnx2mcu {
namespace {

constexpr uint8_t kPoison = 0xA5;

OperandAddress::Place PlaceOf(Place place) {
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

// 16-aligned bytes.
struct Block {
  explicit Block(int64_t size) : bytes(size), data(new (std::align_val_t{16}) uint8_t[std::max<int64_t>(size, 1)]) {}
  ~Block() { operator delete[](data, std::align_val_t{16}); }
  Block(const Block &) = delete;
  Block &operator=(const Block &) = delete;
  int64_t bytes;
  uint8_t *data;
};

}  // namespace

OperandAddress AddressOf(const Graph &graph, const Plan &plan, const Stage &stage, const Node &node,
                         const o2m_memory &memory, bool is_output, int operand) {
  const TensorId id = (is_output ? node.outputs : node.inputs)[operand];
  const o2m_access &access = (is_output ? memory.outputs : memory.inputs)[operand];
  const Tensor &tensor = graph.tensors[id];
  const TensorId base = BaseOf(graph, id);
  const Home home = HomeOf(graph, base);
  const int64_t element = DTypeBytes(tensor.dtype);
  OperandAddress address{PlaceOf(home.place), home.index, tensor.view_offset * element, 0, 0};
  bool tile = false;
  if (home.place == Place::kArena) {
    const Buffer &buffer = plan.buffers[plan.buffer_of[base]];
    address.bytes += buffer.offset;
    tile = buffer.tile;
  }
  if (stage.steps == 0 || access.extent == 0 || tile) return address;
  const int64_t row = StridesOf(tensor)[access.axis] * element;
  address.step_bytes = access.step * row;
  address.before_bytes = access.before * row;
  return address;
}

struct Executor::State {
  const Graph &graph;
  const Plan &plan;
  // One node, ready to be called.
  struct Entry {
    NodeId id;
    OpNode view;
    std::vector<OperandAddress> inputs, outputs;
    int64_t scratch = kNone, state = kNone, state_bytes = 0;  // offsets
  };
  std::vector<std::vector<Entry>> stages;
  Block arena;
};

namespace {

int64_t OffsetOf(const Plan &plan, int32_t buffer) { return buffer == kNone ? kNone : plan.buffers[buffer].offset; }

}  // namespace

Executor::Executor(const Graph &graph, const Plan &plan, const o2m_target &target)
    : state_(new State{graph, plan, {}, Block(plan.arena_bytes)}) {
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
      entry.state_bytes = memory.state_bytes;
      entries.push_back(std::move(entry));
    }
  }
}

Executor::~Executor() = default;
const uint8_t *Executor::arena() const { return state_->arena.data; }

namespace {

struct Caller {
  const Graph &graph;
  uint8_t *arena;
  const std::vector<const void *> &inputs;
  const std::vector<void *> &outputs;
};

uint8_t *PointerTo(const Caller &caller, const OperandAddress &a, int64_t step) {
  const int64_t moved = step * a.step_bytes - a.before_bytes;
  const int64_t bytes = a.bytes + (a.before_bytes ? std::max<int64_t>(moved, 0) : moved);
  switch (a.place) {
    case OperandAddress::kArena:
      return caller.arena + bytes;
    case OperandAddress::kConstant: {
      if (a.index == kNone) return nullptr;
      const auto *data = reinterpret_cast<const uint8_t *>(caller.graph.tensors[a.index].data.data());
      return const_cast<uint8_t *>(data) + bytes;
    }
    case OperandAddress::kInput:
      return static_cast<uint8_t *>(const_cast<void *>(caller.inputs[a.index])) + bytes;
    case OperandAddress::kOutput:
      return static_cast<uint8_t *>(caller.outputs[a.index]) + bytes;
  }
  return nullptr;
}

template <typename Entry>
void CallNode(const Caller &caller, const Entry &entry, const o2m_op *op, int32_t first, int32_t rows) {
  std::array<const void *, O2M_MAX_OPERANDS> inputs{};
  std::array<void *, O2M_MAX_OPERANDS> outputs{};
  for (size_t i = 0; i < entry.inputs.size(); i++) inputs[i] = PointerTo(caller, entry.inputs[i], first);
  for (size_t i = 0; i < entry.outputs.size(); i++) outputs[i] = PointerTo(caller, entry.outputs[i], first);
  o2m_call call{};
  call.struct_size = sizeof call;
  call.inputs = inputs.data(), call.outputs = outputs.data();
  call.scratch = entry.scratch == kNone ? nullptr : caller.arena + entry.scratch;
  call.state = entry.state == kNone ? nullptr : caller.arena + entry.state;
  call.first = first, call.rows = rows;
  op->run(entry.view.get(), &call);
}

}  // namespace

void Executor::Run(const std::vector<const void *> &inputs, const std::vector<void *> &outputs) {
  const Caller caller{state_->graph, state_->arena.data, inputs, outputs};
  std::memset(state_->arena.data, kPoison, state_->arena.bytes);
  int32_t time = 0;
  for (size_t s = 0; s < state_->stages.size(); s++) {
    const Stage &stage = state_->plan.stages[s];
    const auto &entries = state_->stages[s];
    for (const State::Entry &entry : entries)
      if (entry.state != kNone) std::memset(caller.arena + entry.state, 0, entry.state_bytes);
    const int32_t steps = std::max(stage.steps, 1), rows = std::max(stage.rows, 1);
    for (int32_t t = 0; t < steps; t += rows) {
      for (size_t i = 0; i < entries.size(); i++) {
        CallNode(caller, entries[i], state_->graph.nodes[entries[i].id].op, t, std::min(rows, steps - t));
        if (after_node && t + rows >= steps) after_node(time + static_cast<int32_t>(i), entries[i].id);
      }
    }
    time += static_cast<int32_t>(entries.size());
  }
}

}  // namespace onnx2mcu
