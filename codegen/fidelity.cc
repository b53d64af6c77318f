#include "codegen/fidelity.h"

#include <algorithm>

#include "absl/strings/str_format.h"
#include "codegen/engines.h"
#include "codegen/metrics.h"

namespace onnx2mcu {
namespace {

constexpr int64_t kMostInputs = 64;

Accuracy Compare(const EngineRun &reference, const EngineRun &run) {
  Accuracy accuracy;
  for (size_t n = 0; n < reference.outputs.size(); n++)
    for (size_t o = 0; o < reference.outputs[n].size(); o++)
      Accumulate(accuracy, reference.outputs[n][o], run.outputs[n][o]);
  return accuracy;
}

Fidelity FidelityOf(const EngineRun &real, const EngineRun &integer) {
  const Accuracy accuracy = Compare(real, integer);
  return {static_cast<int64_t>(real.outputs.size()), SqnrDb(accuracy), Cosine(accuracy), Agreement(real, integer)};
}

}  // namespace

absl::StatusOr<std::optional<RoundingChange>> MeasureRounding(const Compilation &exact, const Compilation &numeric,
                                                              const CompileOptions &options) {
  if (options.calibrate.empty()) return std::nullopt;
  O2M_ASSIGN_OR_RETURN(const Preprocessing preprocessing, PreprocessingOf(exact.graph, options.pixels));
  O2M_ASSIGN_OR_RETURN(const std::vector<InputSet> sets,
                       ReadAllInputs(options.calibrate, exact.graph, preprocessing, kMostInputs));
  O2M_ASSIGN_OR_RETURN(const EngineRun real, RunFloat(exact.graph, sets, sets[0].count));
  const EngineRun as_written = RunInteger(exact, sets, sets[0].count),
                  otherwise = RunInteger(numeric, sets, sets[0].count);
  return RoundingChange{FidelityOf(real, as_written), FidelityOf(real, otherwise),
                        Cosine(Compare(as_written, otherwise))};
}

std::string RoundingText(const RoundingChange &change) {
  return absl::StrFormat(
      "SQNR %.1f dB instead of %.1f, top-1 as the float model on %.1f %% of %d inputs instead of %.1f %%",
      change.numeric.sqnr_db, change.exact.sqnr_db, 100 * change.numeric.agreement, change.numeric.inputs,
      100 * change.exact.agreement);
}

}  // namespace onnx2mcu
