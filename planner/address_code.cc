#include "planner/address_code.h"

#include <algorithm>
#include <set>
#include <tuple>

#include "importer/ir/op_node.h"
#include "planner/execute.h"

namespace onnx2mcu {
namespace {

// Place, its index, bytes, bytes a step.
using Moving = std::tuple<int, int32_t, int64_t, int64_t>;

struct Held {
  std::set<int64_t> places;
  std::set<Moving> moving;  // of the stage at hand
};

void AddOperands(const Graph &graph, const Plan &plan, const Stage &stage, const Node &node, const o2m_memory &memory,
                 bool outputs, Held &held) {
  const std::vector<TensorId> &ids = outputs ? node.outputs : node.inputs;
  for (int i = 0; i < static_cast<int>(ids.size()); i++) {
    if (ids[i] == kNone) continue;
    const OperandAddress address = AddressOf(graph, plan, stage, node, memory, outputs, i);
    if (address.place == OperandAddress::kArena) held.places.insert(address.bytes);
    if (stage.steps > stage.rows && address.step_bytes > 0)
      held.moving.insert({address.place, address.index, address.bytes, address.step_bytes});
  }
}

void AddBlock(const Plan &plan, int32_t buffer, Held &held) {
  if (buffer != kNone) held.places.insert(plan.buffers[buffer].offset);
}

const char *ReachOf(int64_t place) {
  return place < 256    ? "address in 8 bits"
         : place < 2048 ? "address in 11 bits"
         : place < 4096 ? "address in 12 bits"
                        : "address beyond";
}

}  // namespace

std::map<std::string, int64_t> AddressCounts(const Graph &graph, const Plan &plan, const o2m_target &target) {
  std::map<std::string, int64_t> counts;
  Held held;
  for (const Stage &stage : plan.stages) {
    held.moving.clear();
    for (const NodeId id : stage.nodes) {
      const Node &node = graph.nodes[id];
      const o2m_memory memory = MemoryOf(graph, node, target, std::max(stage.rows, 1));
      for (const bool outputs : {false, true}) AddOperands(graph, plan, stage, node, memory, outputs, held);
      AddBlock(plan, plan.scratch_of[id], held), AddBlock(plan, plan.state_of[id], held);
    }
    for (const auto &[place, index, bytes, step] : held.moving) {
      if (step == 1) counts["byte step"]++;
      if ((step & (step - 1)) != 0) counts["uneven step"]++;
    }
  }
  for (const int64_t place : held.places)
    if (place > 0) counts[ReachOf(place)]++;
  return counts;
}

}  // namespace onnx2mcu
