// planner/execute.h - runs a plan on the host: the same kernels, calls, tiles and arena as the generated C.
#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "planner/plan.h"

namespace onnx2mcu {

// Where one operand of one call lies; codegen writes the same expression. `bytes` is relative to the start of the
// place.
struct OperandAddress {
  enum Place { kArena, kConstant, kInput, kOutput } place = kArena;
  int32_t index = 0;         // kInput/kOutput: position in graph.inputs/outputs; kConstant: TensorId
  int64_t bytes = 0;         // at step 0 (kArena: offset from the arena's start)
  int64_t step_bytes = 0;    // added per step of t; 0 for whole operands and tiles
  int64_t before_bytes = 0;  // subtracted, but not below the first row (overlapping bands): see o2m_access.before
};
OperandAddress AddressOf(const Graph &graph, const Plan &plan, const Stage &stage, const Node &node,
                         const o2m_memory &memory, bool is_output, int operand);

class Executor {
 public:
  // Poisons the arena before every run, so that a read of a byte nobody wrote shows.
  Executor(const Graph &graph, const Plan &plan, const o2m_target &target);
  ~Executor();
  // inputs, outputs: raw bytes in graph order. `visit(stage, node, arena)` after each call, if given.
  void Run(const std::vector<const void *> &inputs, const std::vector<void *> &outputs);
  // Gathers a whole (non-tile) tensor's values as int32 through its view; call from `after_node`.
  std::function<void(int32_t time, NodeId node)> after_node;
  const std::vector<uint8_t> &arena() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// Runs the graph op by op, every tensor whole in memory of its own, one call per node: the reference that tiling and
// overwriting must equal byte for byte, and what validation reads tensors from.
struct WholeRun {
  std::vector<std::vector<uint8_t>> memory;  // by base TensorId
};
WholeRun RunWhole(const Graph &graph, const o2m_target &target, const std::vector<const void *> &inputs);
// Dequantised values of a tensor of a WholeRun, dense.
std::vector<float> Dequantize(const Graph &graph, const WholeRun &run, TensorId tensor);

}  // namespace onnx2mcu
