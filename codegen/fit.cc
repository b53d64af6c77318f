#include "codegen/fit.h"

#include <algorithm>

#include "codegen/accuracy.h"
#include "planner/cost.h"

namespace onnx2mcu {
namespace {

absl::StatusOr<Program> Make(const CompileOptions &options, const std::optional<AccuracyReached> &accuracy,
                             const Registry &registry, Host &host) {
  Program program;
  program.options = options;
  O2M_ASSIGN_OR_RETURN(program.compilation, Compile(options, registry, host));
  program.compilation.accuracy = accuracy;
  O2M_ASSIGN_OR_RETURN(program.files, EmitProgram(program.compilation, options, host));
  O2M_ASSIGN_OR_RETURN(program.sizes, MeasureSizes(program.compilation, program.files));
  return program;
}

bool Fits(const Program &program) {
  const Sizes &sizes = program.sizes;
  if (!sizes.measured) return true;  // no code is known that could be less
  return FlashForWeights(program.compilation.board, sizes.weights, sizes.text + sizes.rodata + sizes.data).has_value();
}

// What schedules are charged for each call of a kernel, in turn, as parts of the instructions of the first: a call is
// some 80 B of code, and 1 / 250 more instructions for it is much.
constexpr int64_t kCallsForAll[] = {2000, 500, 250};

}  // namespace

absl::StatusOr<Program> CompileToFit(const CompileOptions &asked, const Registry &registry, Host &host) {
  O2M_ASSIGN_OR_RETURN(const Raised raised, RaiseForAccuracy(asked, registry, host));
  const CompileOptions &options = raised.options;
  std::optional<AccuracyReached> accuracy;
  if (options.accuracy_drop >= 0) accuracy = raised.reached;
  O2M_ASSIGN_OR_RETURN(Program first, Make(options, accuracy, registry, host));
  if (Fits(first)) return first;
  CompileOptions other = options;
  if (options.stream == "auto") {
    other.stream = "off";
    O2M_ASSIGN_OR_RETURN(Program program, Make(other, accuracy, registry, host));
    if (Fits(program)) return program;
  }
  const Compilation &c = first.compilation;
  const int64_t instructions = EstimateInstructions(c.graph, c.plan, c.target.abi());
  for (const int64_t calls : kCallsForAll) {
    other.call_price = static_cast<int32_t>(std::min<int64_t>(instructions / calls, 1 << 30));
    O2M_ASSIGN_OR_RETURN(Program program, Make(other, accuracy, registry, host));
    if (Fits(program)) return program;
  }
  return first;
}

absl::StatusOr<std::vector<GeneratedFile>> FilesToEmulate(const Program &program, Host &host) {
  if (program.options.weights_at == 0) return program.files;
  CompileOptions linked = program.options;
  linked.weights_at = 0;
  return EmitProgram(program.compilation, linked, host);
}

}  // namespace onnx2mcu
