// codegen/recompute.h - schedules that round otherwise: projections taken out of the products that would hold them
// whole, for less RAM than any exact schedule needs. Never chosen without a budget or the option that asks for it.
#pragma once
#include "codegen/compiler.h"

namespace onnx2mcu {

// After no exact schedule met the budget (`status`): the numeric one that does, with a warning; else `status` with the
// arenas that other options would need.
absl::StatusOr<Compilation> CompileWithin(const absl::Status &status, const CompileOptions &options,
                                          const Registry &registry, Host &host);

// Adds the numeric schedules that need less RAM than every exact one, for --pareto. They cannot be compiled from here:
// their graphs hold shapes only.
absl::Status AddNumericAlternatives(const CompileOptions &options, const Registry &registry, Host &host,
                                    Compilation *compilation);

}  // namespace onnx2mcu
