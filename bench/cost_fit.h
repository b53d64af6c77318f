// bench/cost_fit.h - what the terms of the cost model cost on a core, from counts of cases: the work behind bench/fit.
#pragma once
#include <map>
#include <string>
#include <tuple>
#include <vector>

#include "bench/measure.h"
#include "planner/cost.h"

namespace onnx2mcu {

// A case, the form it takes, and its steps per call (0: one call does all). Forms: "best", the core's kernel; "plain",
// scalar C whatever the core has; "variant1" .., the core's kernel for that variant of the op.
using FitKey = std::tuple<std::string, std::string, int32_t>;
// bench/fit_data/TARGET.csv: "case,form,rows,instructions" with that line as its head.
using FitData = std::map<FitKey, int64_t>;
absl::StatusOr<FitData> ReadFitData(const std::string &path);
absl::Status WriteFitData(const std::string &path, const FitData &data);

// Counts every case of every op at every number of rows on the emulator.
absl::StatusOr<FitData> MeasureFitData(const Registry &registry, const std::string &target);

struct Sample {
  std::string name;
  std::vector<Term> terms;
  double instructions = 0;
};
// Of all measured cases, as the ops state them now; plain ones in generic terms. InvalidArgument names a case that was
// not counted.
absl::StatusOr<std::vector<Sample>> SamplesOf(const Registry &registry, const std::string &target, const FitData &data);

// (kernel, term) -> thousandths of an instruction: the least sum of squared relative errors.
using Coefficients = std::map<std::pair<std::string, std::string>, int64_t>;
Coefficients FitSamples(const std::vector<Sample> &samples);
// kUnknownCost where that of a term is.
double Predict(const Coefficients &coefficients, const Sample &sample);

// The text of planner/cost_table.inc, from the coefficients of every core.
std::string CostTableText(const std::vector<Coefficients> &by_core);
// Those that the compiler was built with.
Coefficients BuiltCoefficients(int32_t core, const Coefficients &like);

}  // namespace onnx2mcu
