// tests/planner/byte_owners.h - plays a plan through call by call and remembers, for every byte of the arena, whose it
// is: which byte of which tensor, or scratch, or state, or prefetched constant. A plan is wrong if a call does not find
// what it reads, or if what it may write in any order lies over what it may read. A transfer takes all of the stage
// that it starts with: what it brings must still be there when that ends. Knows the contract of an op and the address
// that a call is given (planner/execute.h), nothing of lifetimes, distances or the planner's reasons.
#pragma once
#include <algorithm>
#include <string>
#include <vector>

#include "planner/execute.h"
#include "planner/plan.h"

namespace onnx2mcu {

class ByteOwners {
 public:
  ByteOwners(const Graph &graph, const Plan &plan, const o2m_target &target)
      : graph_(graph), plan_(plan), target_(target), cells_(plan.arena_bytes) {}

  // What went wrong first; empty if nothing did.
  std::string Play() {
    for (TensorId input : graph_.inputs) PutInput(input);
    for (size_t s = 0; s < plan_.stages.size(); s++) {
      const Stage &stage = plan_.stages[s];
      Arrive(s), Start(s + 1);
      for (NodeId node : stage.nodes) Fill(StateOf(node, stage), {kState, node});
      const int32_t steps = std::max(stage.steps, 1), rows = std::max(stage.rows, 1);
      for (int32_t first = 0; first < steps; first += rows)
        for (NodeId node : stage.nodes) Call(stage, node, first, std::min(rows, steps - first));
    }
    return wrong_;
  }

 private:
  static constexpr int32_t kNobody = -1, kScratch = -2, kState = -3, kPrefetched = -4;  // the byte: of the node's slot
  struct Owner {
    int32_t base = kNobody;
    int64_t byte = 0;
    bool operator==(const Owner &other) const { return base == other.base && byte == other.byte; }
  };
  struct Byte {
    int64_t place = 0;
    Owner owner;
  };
  using Bytes = std::vector<Byte>;  // in the order of the tensor's elements

  void Wrong(const std::string &what) {
    if (wrong_.empty()) wrong_ = what;
  }
  void Put(int64_t place, Owner owner) {
    if (place < 0 || place >= static_cast<int64_t>(cells_.size())) return Wrong("outside the arena");
    cells_[place] = owner;
  }
  bool Holds(const Byte &b) const {
    return b.place >= 0 && b.place < static_cast<int64_t>(cells_.size()) && cells_[b.place] == b.owner;
  }
  void Fill(const Bytes &bytes, Owner owner) {
    for (const Byte &b : bytes) Put(b.place, owner);
  }

  // What the caller leaves in the arena before the first call.
  void PutInput(TensorId input) {
    if (!graph_.tensors[input].in_arena || plan_.buffer_of[input] == kNone) return;
    const int64_t offset = plan_.buffers[plan_.buffer_of[input]].offset;
    for (int64_t i = 0; i < BytesOf(graph_.tensors[input]); i++) Put(offset + i, {input, i});
  }

  Bytes Block(int32_t buffer, int64_t bytes) const {
    Bytes block;
    if (buffer == kNone) return block;
    for (int64_t i = 0; i < bytes; i++) block.push_back({plan_.buffers[buffer].offset + i, {}});
    return block;
  }
  Bytes StateOf(NodeId node, const Stage &stage) const {
    const int64_t bytes = MemoryOf(graph_, graph_.nodes[node], target_, std::max(stage.rows, 1)).state_bytes;
    return Block(plan_.state_of[node], bytes);
  }

  // Of a constant as its reader is given it; `known`: as many bytes as have come.
  Bytes CopyOf(const Prefetch &p, bool known) const {
    const auto bytes = static_cast<int64_t>(graph_.nodes[p.node].constants[p.slot].data.size());
    Bytes copy = Block(p.buffer, known ? std::min(bytes, plan_.buffers[p.buffer].bytes) : bytes);
    for (size_t i = 0; i < copy.size(); i++)
      copy[i].owner = {kPrefetched - p.node, (int64_t{p.slot} << 32) + static_cast<int64_t>(i)};
    return copy;
  }
  void Start(size_t stage) {
    for (const Prefetch &p : plan_.prefetches) {
      if (p.stage != static_cast<int32_t>(stage)) continue;
      if (plan_.buffers[p.buffer].offset % 16) Wrong("a transfer to no multiple of 16");
      for (const Byte &b : CopyOf(p, true)) Put(b.place, b.owner);
    }
  }
  void Arrive(size_t stage) {
    for (const Prefetch &p : plan_.prefetches)
      if (p.stage == static_cast<int32_t>(stage)) Find(CopyOf(p, true), graph_.nodes[p.node].name + " (in transit)");
  }

  // The bytes of an operand that step u touches in a call that begins with step `first`; u < 0: all of it.
  Bytes Touched(TensorId id, const o2m_access &access, const Stage &stage, int64_t first, int64_t u) const {
    Bytes bytes;
    const TensorId base = id == kNone ? kNone : BaseOf(graph_, id);
    if (base == kNone || plan_.buffer_of[base] == kNone) return bytes;
    const Tensor &tensor = graph_.tensors[id];
    const Buffer &buffer = plan_.buffers[plan_.buffer_of[base]];
    const std::vector<int64_t> strides = StridesOf(tensor);
    const int64_t element = DTypeBytes(tensor.dtype);
    const bool stepped = stage.steps > 0 && access.extent > 0;
    const int64_t begin = stepped ? std::max<int64_t>(first * access.step - access.before, 0) : 0;
    const int64_t start = buffer.tile && stepped ? -begin * strides[access.axis] * element : 0;
    const int64_t low = stepped && u >= 0 ? u * access.step - access.before : 0;
    const int64_t high = stepped && u >= 0 ? low + access.extent : INT64_MAX;
    for (int64_t i = 0, count = ElementCount(tensor.dims); i < count; i++) {
      int64_t rest = i, at = tensor.view_offset, row = 0;
      for (int32_t d = static_cast<int32_t>(tensor.dims.size()); d-- > 0; rest /= tensor.dims[d]) {
        at += rest % tensor.dims[d] * strides[d];
        if (stepped && d == access.axis) row = rest % tensor.dims[d];
      }
      if (row < low || row >= high) continue;
      for (int64_t b = 0; b < element; b++)
        bytes.push_back({buffer.offset + start + at * element + b, {base, at * element + b}});
    }
    return bytes;
  }

  Bytes InCall(TensorId id, const o2m_access &access, const Stage &stage, int64_t first, int64_t rows) const {
    if (stage.steps == 0 || access.extent == 0) return Touched(id, access, stage, first, -1);
    Bytes all;
    for (int64_t u = first; u < first + rows; u++) {
      const Bytes bytes = Touched(id, access, stage, first, u);
      all.insert(all.end(), bytes.begin(), bytes.end());
    }
    return all;
  }

  static std::vector<int64_t> Places(const Bytes &bytes) {
    std::vector<int64_t> places;
    for (const Byte &b : bytes) places.push_back(b.place);
    std::sort(places.begin(), places.end());
    return places;
  }
  void Apart(const Bytes &a, const Bytes &b, const std::string &what) {
    const std::vector<int64_t> p = Places(a), q = Places(b);
    std::vector<int64_t> both;
    std::set_intersection(p.begin(), p.end(), q.begin(), q.end(), std::back_inserter(both));
    if (!both.empty()) Wrong(what);
  }

  // Within a step an op that may work in place reads and writes upward: what it has written it does not read again.
  void Upward(const Bytes &reads, const Bytes &writes, const std::string &name) {
    if (reads.size() != writes.size()) return;  // it buffers the row
    for (size_t i = 0; i < writes.size(); i++)
      for (size_t j = i + 1; j < reads.size(); j++)
        if (writes[i].place == reads[j].place) return Wrong(name + " overwrites the rest of its row");
  }

  void Find(const Bytes &reads, const std::string &name) {
    for (const Byte &b : reads)
      if (!Holds(b)) return Wrong(name + " does not find its input");
  }

  void Call(const Stage &stage, NodeId id, int32_t first, int32_t rows) {
    const Node &node = graph_.nodes[id];
    const o2m_memory memory = MemoryOf(graph_, node, target_, std::max(stage.rows, 1));
    const Bytes scratch = Block(plan_.scratch_of[id], memory.scratch_bytes), state = StateOf(id, stage);
    const auto in_place = [&](size_t i) { return stage.steps > 0 && (memory.in_place_inputs >> i & 1); };
    Apart(scratch, state, node.name + ": scratch over state");
    Find(Owned(state, {kState, id}), node.name + " (state)");
    Bytes written, constants;
    for (const Prefetch &p : plan_.prefetches) {
      if (p.node != id) continue;
      const Bytes copy = CopyOf(p, false);
      Find(copy, node.name + " (prefetched)");
      constants.insert(constants.end(), copy.begin(), copy.end());
    }
    Apart(constants, scratch, node.name + ": scratch over constants");
    for (size_t i = 0; i < node.outputs.size(); i++) {
      const Bytes bytes = InCall(node.outputs[i], memory.outputs[i], stage, first, rows);
      Apart(bytes, written, node.name + ": outputs over each other");
      written.insert(written.end(), bytes.begin(), bytes.end());
    }
    Apart(written, scratch, node.name + ": scratch over output");
    Apart(written, state, node.name + ": state over output");
    Apart(written, constants, node.name + ": output over constants");
    for (size_t i = 0; i < node.inputs.size(); i++) {
      const Bytes read = InCall(node.inputs[i], memory.inputs[i], stage, first, rows);
      Apart(read, scratch, node.name + ": scratch over input");
      Apart(read, state, node.name + ": state over input");
      if (!in_place(i)) Find(read, node.name), Apart(read, written, node.name + ": output over input");
    }
    for (int32_t u = first; u < first + rows; u++) Step(stage, node, memory, first, u);
    Fill(scratch, {kScratch, id});
  }

  static Bytes Owned(Bytes bytes, Owner owner) {
    for (Byte &b : bytes) b.owner = owner;
    return bytes;
  }

  // Reads what it may overwrite, then writes.
  void Step(const Stage &stage, const Node &node, const o2m_memory &memory, int32_t first, int32_t u) {
    for (size_t i = 0; i < node.inputs.size(); i++) {
      if (stage.steps == 0 || !(memory.in_place_inputs >> i & 1)) continue;
      const Bytes read = Touched(node.inputs[i], memory.inputs[i], stage, first, u);
      Find(read, node.name);
      Upward(read, Touched(node.outputs[0], memory.outputs[0], stage, first, u), node.name);
    }
    for (size_t i = 0; i < node.outputs.size(); i++)
      for (const Byte &b : Touched(node.outputs[i], memory.outputs[i], stage, first, u)) Put(b.place, b.owner);
  }

  const Graph &graph_;
  const Plan &plan_;
  const o2m_target &target_;
  std::vector<Owner> cells_;
  std::string wrong_;
};

}  // namespace onnx2mcu
