// codegen/cycles.h - an estimate of cycles from the instructions that ran, by the tables in Arm's manuals.
//
// An estimate: memory without wait states, no interrupts, no cache. Sources: Cortex-M4 technical reference manual (DDI
// 0439, table 3-1 and its notes), which stands for the M7 and the M33 as well; Cortex-M3 (DDI 0337, table 3-1);
// Cortex-M0 (DDI 0432, table 3-1). Where a table gives a range: division 12 of 2 to 12 cycles, a pipeline refill 2 of 1
// to 3, long multiplication of the M3 5 of 3 to 5, with accumulation 7 of 4 to 7; the multiplier of the M0 is the fast
// one.
#pragma once
#include <cstdint>
#include <string>

#include "ops/onnx2mcu_op.h"

namespace onnx2mcu {

// Everything else takes one cycle.
struct CycleTable {
  const char *core;
  int multiply_add, long_multiply, long_multiply_add, divide;
  bool pipelined;     // a load or store right behind another takes 1 cycle instead of 2
  int refill;         // what a taken branch adds
  int call, return_;  // what BL, and a POP of the program counter, add
};

// Null where there is no such table: vector instructions, RISC-V, the host.
const CycleTable *CycleTableOf(uint32_t features);

// Cycles of Thumb instructions one after the other, without refills. LDM, STM, LDRD, STRD, PUSH, POP: 1 + registers.
int64_t StraightCycles(const CycleTable &table, const std::string &code);

}  // namespace onnx2mcu
