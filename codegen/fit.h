// codegen/fit.h - a program that fits a budget of flash, where one can be had by another schedule.
#pragma once
#include <vector>

#include "codegen/compiler.h"
#include "codegen/sizes.h"

namespace onnx2mcu {

struct Program {
  CompileOptions options;  // what it was compiled with: those asked for, or with less code
  Compilation compilation;
  std::vector<GeneratedFile> files;
  Sizes sizes;
};

// Compiles, emits and measures, with the tensors raised that --accuracy-drop asks for (codegen/accuracy.h). Where
// weights, constants and code exceed the flash, the input is not offered in rows, then schedules are charged for every
// call of a kernel, more and more, until one fits; where none does, the first.
absl::StatusOr<Program> CompileToFit(const CompileOptions &options, const Registry &registry, Host &host);

// The program's files, with the weights among them: the same bytes wherever they lie, and no emulated flash is at
// --weights-at.
absl::StatusOr<std::vector<GeneratedFile>> FilesToEmulate(const Program &program, Host &host);

}  // namespace onnx2mcu
