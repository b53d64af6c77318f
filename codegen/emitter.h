// codegen/emitter.h - the o2m_emitter that ops write through, and what they have written.
#pragma once
#include <deque>
#include <map>
#include <string>
#include <vector>

#include "codegen/names.h"
#include "importer/ir/op_node.h"
#include "importer/ir/vit_view.h"
#include "planner/execute.h"
#include "planner/plan.h"
#include "planner/stream.h"

namespace onnx2mcu {

// An array of the weights file. Nodes whose constants are equal share one.
struct WeightArray {
  std::string name, comment;
  DType dtype = DType::kS8;
  std::vector<std::byte> data;
};

// A pointer that a generated function declares: some place in the arena, under the name of what lies there.
struct Local {
  std::string name, declaration;  // "int8_t *const x = (int8_t *)(a + 4160);  // [65][64]"
};

// One function of the generated C while it is written.
struct FunctionText {
  std::string name;
  std::map<std::string, Local> locals;  // by value's name, type and place
  std::vector<std::string> order;       // keys of locals, by first use
  NameSet names;
  std::vector<bool> uses_arena, uses_input, uses_output;
};

// What the whole program consists of, in the order of the schedule.
struct ProgramText {
  const Graph *graph = nullptr;
  const Plan *plan = nullptr;
  const Stream *stream = nullptr;  // null or not possible: whole inputs only
  o2m_target target{};
  std::vector<NodeLabel> labels;
  NameSet names;                                 // of file scope
  std::string objects;                           // static const parameter structs
  std::vector<WeightArray> weights;              // in order of first use
  std::string weights_in;                        // "VIT_WEIGHTS->" where they are members of one block in memory
  std::map<std::string, size_t> weight_of;       // dtype and bytes -> index into weights
  std::map<std::string, std::string> files;      // kernel sources by name
  std::map<std::string, std::string> object_of;  // type and initializer -> the object
  int64_t object_count = 0;
  std::map<int32_t, std::string> prefetched;  // by index into plan->prefetches: the array in flash
};

// "a + 64", "a1 + 64": a byte of an arena in the generated functions. Marks the arena as used there.
std::string ArenaByte(const ProgramText &program, FunctionText &function, int64_t offset);
// "a", "a1": what functions call an arena; "arena", "arena1": what the caller of NAME_run does.
std::string ArenaPointerName(size_t arena);
std::string ArenaName(size_t arena);

// The statements of one call of one node, without indent.
struct CallText {
  std::vector<std::string> lines;
  std::vector<std::string> objects;  // parameters that point into the arena, declared before the call
  bool uses_rows = false, uses_first = false;
};

// Lets the op write the call for node `id` of `stage` into `function`. `in_loop`: t and rows exist, `rows` is the text
// of the number of steps. Internal where the op fails or writes what it may not.
absl::StatusOr<CallText> EmitNode(ProgramText &program, FunctionText &function, const Stage &stage, NodeId id,
                                  bool in_loop, const std::string &rows, Host &host);

}  // namespace onnx2mcu
