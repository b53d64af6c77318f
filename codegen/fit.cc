#include "codegen/fit.h"

#include <algorithm>

namespace onnx2mcu {
namespace {

absl::StatusOr<Program> Make(const CompileOptions &options, const Registry &registry, Host &host) {
  Program program;
  program.options = options;
  O2M_ASSIGN_OR_RETURN(program.compilation, Compile(options, registry, host));
  O2M_ASSIGN_OR_RETURN(program.files, EmitProgram(program.compilation, options, host));
  O2M_ASSIGN_OR_RETURN(program.sizes, MeasureSizes(program.compilation, program.files));
  return program;
}

bool Fits(const Program &program) {
  const Sizes &sizes = program.sizes;
  if (!sizes.measured) return true;  // no code is known that could be less
  return FlashForWeights(program.compilation.board, sizes.weights, sizes.text + sizes.rodata + sizes.data).has_value();
}

// Arenas of the schedules that call fewer kernels than any quicker one, the quickest first.
std::vector<int64_t> SmallerArenas(const Compilation &chosen) {
  std::vector<const Alternative *> others;
  for (size_t i = 1; i < chosen.alternatives.size(); i++) {
    const Alternative &other = chosen.alternatives[i];
    if (other.exact && other.plan.arena_bytes < chosen.plan.arena_bytes) others.push_back(&other);
  }
  std::sort(others.begin(), others.end(),
            [](const Alternative *a, const Alternative *b) { return a->plan.arena_bytes > b->plan.arena_bytes; });
  std::vector<int64_t> arenas;
  size_t fewest = chosen.graph.nodes.size();
  for (const Alternative *other : others) {
    if (other->graph.nodes.size() >= fewest) continue;
    fewest = other->graph.nodes.size();
    arenas.push_back(other->plan.arena_bytes);
  }
  return arenas;
}

}  // namespace

absl::StatusOr<Program> CompileToFit(const CompileOptions &options, const Registry &registry, Host &host) {
  O2M_ASSIGN_OR_RETURN(Program first, Make(options, registry, host));
  if (Fits(first)) return first;
  std::vector<int64_t> arenas = SmallerArenas(first.compilation);
  arenas.insert(arenas.begin(), options.arena_limit);
  for (const int64_t arena : arenas) {
    for (const char *stream : {"auto", "off"}) {
      CompileOptions other = options;
      other.arena_limit = arena;
      if (options.stream == "auto") other.stream = stream;
      if (arena == options.arena_limit && other.stream == options.stream) continue;  // that was the first
      O2M_ASSIGN_OR_RETURN(Program program, Make(other, registry, host));
      if (Fits(program)) return program;
      if (options.stream != "auto") break;
    }
  }
  return first;
}

}  // namespace onnx2mcu
