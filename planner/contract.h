// planner/contract.h - what the planner knows of the ops: their memory contracts, in bytes of the memory they touch.
//
// Everything the planner decides about loops, tiles and overwriting follows from these numbers; it never learns what an
// op computes.
#pragma once
#include <cstdint>
#include <map>
#include <vector>

#include "importer/ir/graph.h"
#include "importer/ir/op_node.h"
#include "importer/ir/status.h"

namespace onnx2mcu {

inline constexpr int64_t kTensorAlign = 8;  // bytes; no kernel may assume more of a row: strides are any
inline constexpr int64_t kBlockAlign = 16;  // of scratch and state, and of the arena itself
inline int64_t AlignUp(int64_t bytes, int64_t align) { return (bytes + align - 1) / align * align; }
inline bool SameAccess(const o2m_access &a, const o2m_access &b) {
  return a.axis == b.axis && a.step == b.step && a.extent == b.extent && a.before == b.before;
}
inline int64_t CeilDiv(int64_t a, int64_t b) { return (a + b - 1) / b; }

enum class Place : uint8_t { kArena, kConstant, kInput, kOutput };
// Where the memory of a base lies: inputs and outputs of the graph are the caller's (but for inputs marked in_arena),
// constants are in flash.
struct Home {
  Place place = Place::kArena;
  int32_t index = 0;  // kInput, kOutput: position in graph.inputs / outputs; else the TensorId
};
Home HomeOf(const Graph &graph, TensorId base);

// One axis of a view, in bytes.
struct ByteAxis {
  int64_t dim = 1, stride = 0;
};

// How one node touches one operand. A step-wise touch of step u covers rows [u*step - before, u*step - before + extent)
// cut to [0, rows); row r starts at byte offset + r*row_stride of the base and `inner` says which bytes from there.
struct Touch {
  TensorId tensor = kNone, base = kNone;
  bool write = false;
  bool whole = true;
  int32_t operand = 0;
  int64_t offset = 0, element = 1;
  int64_t rows = 1, row_stride = 0;  // whole: one row, the tensor
  int64_t step = 1, extent = 1, before = 0;
  std::vector<ByteAxis> inner;  // axes other than the row axis, those of one element left out
};
int64_t InnerSpan(const Touch &touch);            // bytes from the first to past the last of one row
int64_t FirstByte(const Touch &touch);            // of all rows, relative to the base
int64_t EndByte(const Touch &touch);              // past the last byte of all rows
bool InnerDense(const Touch &touch);              // one row is one run of bytes
bool MayOverlap(const Touch &a, const Touch &b);  // false only if no byte is touched by both

// One node's contract. Only scratch may depend on the rows per call.
struct Contract {
  int32_t steps = 0;
  std::vector<Touch> touches;  // inputs in order, then outputs; constants and missing operands left out
  std::vector<bool> in_place;  // by touch: output 0 may be written over it step by step
  int64_t state_bytes = 0;
  std::map<int32_t, int64_t> scratch;  // rows -> bytes, filled on demand
};

// The memory that one step of a touch fills: bytes [origin + u*stride + k*period, ... + stride) for step u and any k
// (period 0: k = 0 only). Two touches of equal slots exchange the rows of a step within that step, so they may share a
// loop. Not every touch has slots: overlapping bands, whole operands and odd strides have none (stride 0).
struct Slots {
  int64_t stride = 0, period = 0, begin = 0, end = 0;  // begin, end: the bytes touched by step 0, k = 0
};
Slots SlotsOf(const Touch &touch, int32_t steps);
bool SameSlots(const Touch &a, const Touch &b, int32_t steps);

// The contracts of all nodes of a graph and what follows from them alone.
struct Contracts {
  std::vector<Contract> nodes;
  std::vector<int64_t> base_bytes;              // by TensorId: memory of a base that op nodes touch, views included
  std::vector<Home> homes;                      // by TensorId of a base
  std::vector<std::vector<NodeId>> reads_from;  // by node: the earlier nodes whose bytes it reads
  std::vector<int32_t> kinds;                   // by node: Answer::kind; empty where no answers were kept
  // By TensorId of a base: bytes of one step if every node that touches it does so in one loop in step order, so that
  // it may shrink to a tile when all of them share a stage; 0 if not.
  std::vector<int64_t> tile_stride;
};

// Asks every op, or looks into `known` first and keeps there what is new. InvalidArgument names the op whose answer
// makes no sense (negative extents, an axis that is not there, rows that no step writes, a contract that changes with
// the rows per call).
struct Answers;
absl::StatusOr<Contracts> ContractsOf(const Graph &graph, const o2m_target &target, Answers *known = nullptr);
absl::StatusOr<Contract> ContractOf(const Graph &graph, const Node &node, const o2m_target &target);
// Scratch for calls of `rows` steps, asked once per value.
int64_t ScratchOf(const Graph &graph, const o2m_target &target, Contracts &contracts, NodeId node, int32_t rows);

}  // namespace onnx2mcu
