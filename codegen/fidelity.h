// codegen/fidelity.h - how far the integers of a program are from the float model: what another rounding costs.
#pragma once
#include <optional>
#include <string>

#include "importer/ir/status.h"

namespace onnx2mcu {

struct Compilation;
struct CompileOptions;

// Of every exact schedule alike, and of every numeric one: only the order of roundings makes a difference.
struct Fidelity {
  int64_t inputs = 0;
  double sqnr_db = 0, cosine = 0;  // of the outputs, against the float model
  double agreement = 0;            // share of inputs whose top class is the float model's
};

// What the same inputs give with and without the projections taken out of products.
struct RoundingChange {
  Fidelity exact, numeric;
  double cosine = 0;  // of the numeric outputs, against the exact ones
};

// Runs both on the first calibration inputs. Nothing where no inputs were given. Both compilations hold their data.
absl::StatusOr<std::optional<RoundingChange>> MeasureRounding(const Compilation &exact, const Compilation &numeric,
                                                              const CompileOptions &options);
// "SQNR 30.1 dB instead of 30.3, top-1 as the float model on 98.4 % of 64 inputs instead of 98.5 %"
std::string RoundingText(const RoundingChange &change);

}  // namespace onnx2mcu
