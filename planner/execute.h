// planner/execute.h - runs a plan on the host: the same kernels, calls, tiles and arena as the generated C.
#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "planner/plan.h"

namespace onnx2mcu {

// Where one operand of a call for steps [t, ...) lies: `bytes` + max(0, t * step_bytes - before_bytes) from the start
// of the place. Codegen writes the same expression.
struct OperandAddress {
  // kBand: in the arena, and less the bytes of the input's rows before those that the band holds (planner/stream.h).
  enum Place { kArena, kConstant, kInput, kOutput, kBand } place = kArena;
  int32_t index = 0;         // kInput/kOutput: position in graph.inputs/outputs; kConstant: the base's TensorId
  int64_t bytes = 0;         // at step 0 (kArena: from the arena's start)
  int64_t step_bytes = 0;    // 0 for whole operands and tiles
  int64_t before_bytes = 0;  // overlapping bands begin before their step: see o2m_access.before
};
// Precondition: the operand exists (its TensorId is not kNone).
OperandAddress AddressOf(const Graph &graph, const Plan &plan, const Stage &stage, const Node &node,
                         const o2m_memory &memory, bool is_output, int operand);

struct Stream;

// What memory holds before anybody writes it.
inline constexpr uint8_t kPoison = 0xA5;

// A graph with packed constants, and a plan for it. Both must outlive the executor.
class Executor {
 public:
  Executor(const Graph &graph, const Plan &plan, const o2m_target &target);
  ~Executor();
  // inputs, outputs: raw bytes in graph order. Poisons the arena first, so that a read of a byte that nobody wrote
  // shows.
  void Run(const std::vector<const void *> &inputs, const std::vector<void *> &outputs);
  // NAME_begin, NAME_push_rows, NAME_end, of a graph after MoveToBand() and a StreamedPlan(). False, and nothing done:
  // more rows than the input has, or fewer at the end. rows: as Stream says, channels innermost.
  void Begin(const Stream &stream);
  bool PushRows(const Stream &stream, const void *rows, int32_t count);
  bool End(const Stream &stream, const std::vector<void *> &outputs);
  // Called after the last call of each node; with arena() it sees every tensor that is no tile.
  std::function<void(int32_t time, NodeId node)> after_node;
  const uint8_t *arena() const;  // plan.arena_bytes bytes, 16-aligned

 private:
  struct State;
  struct Operands;
  void RunStages(size_t begin, size_t end, const Operands &operands);
  void RunSteps(size_t stage, int32_t first, int32_t rows, const Operands &operands);
  void ClearState(size_t stage);
  void PrefetchFor(size_t stage);
  std::unique_ptr<State> state_;
};

// Runs the graph op by op, every tensor whole in memory of its own, one call per node: the reference that tiling and
// overwriting must equal byte for byte, and what validation reads tensors from. Packed constants, as above.
struct WholeRun {
  std::vector<std::vector<uint8_t>> memory;  // by base TensorId; empty for constants
};
// One node of it, again or as another graph with these tensors has it.
void RunWholeNode(const Graph &graph, const Node &node, const o2m_target &target, WholeRun &run);
WholeRun RunWhole(const Graph &graph, const o2m_target &target, const std::vector<const void *> &inputs);
// Dequantised values of a tensor of a WholeRun, dense.
std::vector<float> Dequantize(const Graph &graph, const WholeRun &run, TensorId tensor);

}  // namespace onnx2mcu
