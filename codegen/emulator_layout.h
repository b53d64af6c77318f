// codegen/emulator_layout.h - where everything lies in the emulated machine, and what the network may touch of it.
//
// The board's flash and RAM have exactly its sizes. So that a guard costs the board nothing, RAM is not one range of
// addresses there: the arena lies at the start of it, and what the arena leaves, the stack (at most kStackWindow of
// it), lies apart, in memory of the machine that the board does not have, as the harness, inputs and outputs do. Of
// several regions each has addresses far from the others'.
#pragma once
#include <string>
#include <vector>

#include "codegen/compiler.h"
#include "codegen/guards.h"

namespace onnx2mcu {

inline constexpr int64_t kStackWindow = 64 * 1024;

// Bytes of the arena that no block covers at any time.
struct ArenaGap {
  int64_t offset = 0, bytes = 0;  // from the arena's start
  std::string after;              // "the scratch of 'block0.fc1'": what ends there; empty: nothing
};

// An arena and its region. The region's address is the emulated machine's.
struct ArenaSlot {
  Region region;
  AddressSpan span;  // `bytes`, rounded up to kGuardGrain
  int64_t bytes = 0;
  std::vector<ArenaGap> unused;  // painted and checked as well
};

struct EmulatorLayout {
  Region flash, external;       // the board's; external.bytes 0: none
  Region ram;                   // the first region: what the stack is in, and mostly an arena
  AddressSpan harness;          // data and stack of the harness
  AddressSpan call;             // the harness's code that calls the network, the only one of it that may run then
  AddressSpan inputs, outputs;  // read by the network; written
  AddressSpan stack;            // .data, .bss and stack
  int64_t beside_stack = 0;     // bytes of the arena in the first region
  std::vector<ArenaSlot> arenas;
  std::vector<int64_t> input_offsets, output_offsets;
  std::vector<GuardRegisters> guards;       // empty: the core has no memory protection
  std::vector<GuardRegisters> page_guards;  // as many, rounded up to pages of the emulator
  std::vector<AddressSpan>
      painted;  // writable in either case, but not the network's: what was painted there is checked
};

// ResourceExhausted where the arena leaves too little RAM for a stack, or inputs exceed the machine's memory.
absl::StatusOr<EmulatorLayout> LayoutOf(const Compilation &compilation);
// weights_region: "FLASH" or "EXTERNAL".
std::string LinkerScript(const Compilation &compilation, const EmulatorLayout &layout,
                         const std::string &weights_region);
// "1 B past the end of the arena of 97,056 B". arenas: where they lay then.
std::string DescribeAddress(const EmulatorLayout &layout, const std::vector<uint64_t> &arenas, uint64_t address);
// "stm32f427", or what stands in for a board.
std::string BoardName(const Compilation &compilation);

}  // namespace onnx2mcu
