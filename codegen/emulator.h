// codegen/emulator.h - builds the generated C for a core and runs it under QEMU, on the board's exact RAM and flash. On
// cores with memory protection a network that touches anything but its arena, stack, weights, code and operands ends
// the run with an error that names the address.
#pragma once
#include <string>
#include <vector>

#include "codegen/compiler.h"
#include "codegen/profile.h"

namespace onnx2mcu {

struct EmulatorRun {
  std::vector<std::vector<uint8_t>> outputs;        // per sample: all outputs' bytes, in graph order
  int64_t instructions = 0;                         // of one NAME_run, exact (median sample)
  Profile profile;                                  // of the first sample
  int64_t arena = 0, data = 0, bss = 0, stack = 0;  // bytes; stack painted and read back
  int64_t text = 0, rodata = 0, weights = 0;        // from the ELF
  int guards = 0;                                   // memory protection regions in force; 0: the core has none
  int selftest = -1;                                // result of NAME_selftest, -1 if absent
};

struct EmulatorOptions {
  // Guards in whole pages of the emulator from the first sample on: many times faster, a byte past the end of the arena
  // is found afterwards instead of when it is written.
  bool page_guards = false;
  // Kernels are compiled as ever, what calls them without optimisation: a program of a thousand calls builds in a tenth
  // of the time. Its instructions are not those of what ships.
  bool quick_build = false;
  // Instructions and profile are wanted; a fifth of the emulator's time goes there.
  bool count = true;
};

// samples: per sample, all inputs' bytes in graph order, concatenated. The host target builds with cc and runs
// directly.
absl::StatusOr<EmulatorRun> RunOnEmulator(const Compilation &compilation, const std::vector<GeneratedFile> &files,
                                          const std::vector<std::vector<uint8_t>> &samples,
                                          const EmulatorOptions &options = {});

}  // namespace onnx2mcu
