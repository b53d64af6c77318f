// codegen/sizes.h - what the generated C needs on the target, and whether that fits.
#pragma once
#include "codegen/call_graph.h"
#include "codegen/compiler.h"
#include "codegen/elf.h"

namespace onnx2mcu {

// Bytes of the model's own objects and of what they call of the compiler's library (libgcc) and the C library (the one
// of codegen/runtime). stack: the deepest call chain of NAME_run by -fstack-usage.
struct Sizes {
  int64_t text = 0, rodata = 0, data = 0, bss = 0, weights = 0, stack = 0;
  bool measured = false;  // false: no compiler for the target is installed, weights and arena only
};
// Files that are compiled for it keep their objects.
absl::StatusOr<Sizes> MeasureSizes(const Compilation &compilation, std::vector<GeneratedFile> &files);

// The C files of a program but its weights, compiled in a folder: SOURCE.o lies beside each. NotFound: no compiler.
struct Objects {
  std::vector<std::string> sources;
  CallGraph calls;
};
absl::StatusOr<Objects> CompileObjects(const Compilation &compilation, const std::vector<GeneratedFile> &files,
                                       const std::string &folder);
// What such files come to when they are joined, with what they call of the libraries.
absl::StatusOr<ElfBytes> JoinedBytes(const Compilation &compilation, const std::string &folder,
                                     const std::vector<std::string> &sources);

// Bytes; 0: none. --ram and --flash, else the board's main RAM region and flash. Of several regions the sum.
struct Budget {
  int64_t ram = 0, flash = 0;
};
Budget BudgetOf(const Compilation &compilation, const CompileOptions &options);
// ResourceExhausted says of which region, by how much, and what would help.
absl::Status CheckBudget(const Compilation &compilation, const Sizes &sizes);

}  // namespace onnx2mcu
