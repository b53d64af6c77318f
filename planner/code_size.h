// planner/code_size.h - what a program takes of flash beside its weights, without compiling it: kernels, what calls
// them, constant structs. Sizes of kernels, library functions and structs were measured; what a call or a loop adds is
// fitted to compiled programs (code_table.inc, which bench_code makes).
#pragma once
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "importer/ir/graph.h"
#include "importer/ir/status.h"
#include "planner/plan.h"
#include "plugins/registry.h"

namespace onnx2mcu {

// Stages of a program, by what each of them adds to it. Kernels are there once, however many stages call them; so are
// the structs of a node that is done once more.
struct StageCode {
  // "stage", "loop", "loop with rest", "peeled", "peeled argument", "call o2m_add_s8", and AddressCounts()
  std::map<std::string, int64_t> counts;
  struct Object {
    std::string type;    // in C, of a constant struct
    std::string shared;  // not empty: equal ones are one, whatever nodes they are of
  };
  std::vector<Object> objects;    // in the order in which they are declared
  std::set<std::string> sources;  // C files of kernels
};
// Of a plan with offsets, whose stages form one function of NAME.c. `copy`: PlanOptions::copy. What it moves has one
// scale on both sides, so its structs say nothing but shapes. Errors of an op's emit().
absl::StatusOr<StageCode> StageCodeOf(const Graph &graph, const Plan &plan, const o2m_target &target,
                                      const o2m_op *copy, Host &host);

// Text of such stages without their kernels, in thousandths of a byte. Sums add up.
int64_t CallText(const StageCode &code, int32_t core);
// Of NAME_begin, NAME_push_rows and NAME_end, where the input can be pushed in rows; in thousandths of a byte.
int64_t StreamText(int32_t core);

struct ConstantBlock {
  int64_t bytes = 0, align = 1;
  std::string shared = {};
};
std::vector<ConstantBlock> ObjectBlocks(const StageCode &code, int32_t core);

// Bytes of kernels, each once, with what they call of the libraries.
struct KernelSize {
  int64_t text = 0;
  std::vector<ConstantBlock> rodata;
};
KernelSize KernelSizeOf(const std::set<std::string> &sources, int32_t core);

// Constants of a program as a linker lays them out: compilers write the structs of NAME.c from the last to the first,
// what kernels have follows.
int64_t RodataBytes(const std::vector<const std::vector<ConstantBlock> *> &objects,
                    const std::vector<ConstantBlock> &kernels);

// One figure of the table, by core (CostCoreOf()); -1: nobody measured it.
struct CodeRow {
  const char *kind, *name;  // "text", "rodata", "needs", "library", "object", "align", "call", "program"
  int32_t values[7];
};
int64_t CodeFigure(const std::string &kind, const std::string &name, int32_t core);

}  // namespace onnx2mcu
