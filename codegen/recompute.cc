#include "codegen/recompute.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "codegen/fidelity.h"
#include "importer/ir/text.h"
#include "planner/rewrites.h"

namespace onnx2mcu {
namespace {

// The same model in the least RAM, whatever the board has.
absl::StatusOr<Compilation> CompileLeast(CompileOptions options, const std::string &target, const Registry &registry,
                                         Host &host) {
  options.ram = 0, options.flash = 0, options.board.clear(), options.target = target;
  options.more_ram.clear(), options.all_ram = false;
  options.optimize = "ram", options.dump.clear(), options.stream = "off";
  return Compile(options, registry, host);
}

absl::StatusOr<Compilation> CompileShapes(CompileOptions options, const std::string &target, const Registry &registry,
                                          Host &host) {
  options.shapes_only = true;
  return CompileLeast(options, target, registry, host);
}

absl::StatusOr<std::string> TargetOf(const CompileOptions &options) {
  if (options.board.empty()) return options.target;
  O2M_ASSIGN_OR_RETURN(const Board board, FindBoard(options.board));
  return board.target;
}

// What other options would need, as the end of a message.
std::string WhatHelps(const CompileOptions &options, const std::string &target, const Registry &registry, Host &host) {
  std::string help;
  const auto add = [&](const std::string &option, const CompileOptions &other) {
    const auto compilation = CompileShapes(other, target, registry, host);
    if (compilation.ok() && (compilation->numeric || !other.recompute))
      absl::StrAppend(&help, help.empty() ? "; " : ", ", option, " an arena of ",
                      Grouped(compilation->plan.arena_bytes), " B");
  };
  CompileOptions narrow = options, tiles = options;
  narrow.residual = "s8", tiles.rows = 0;
  if (options.residual != "s8") add("with --residual=s8", narrow);
  if (options.rows > 0) add("without --rows", tiles);
  narrow.recompute = true;
  if (!options.recompute) add("with --residual=s8 --recompute", narrow);
  return help;
}

std::string RecomputeWarning(const Compilation &numeric, const Compilation &exact) {
  return absl::StrCat(
      "no exact schedule fits the budget, so projections are taken out of the products that hold them (--recompute): "
      "other rounding than in the model's own order (",
      numeric.rounding ? RoundingText(*numeric.rounding) : "--calibrate=FILE would show what that costs",
      "), and about ", Grouped(numeric.alternatives[0].instructions), " instructions; the least exact arena is ",
      Grouped(exact.plan.arena_bytes), " B, with about ", Grouped(exact.alternatives[0].instructions));
}

}  // namespace

absl::StatusOr<Compilation> CompileWithin(const absl::Status &status, const CompileOptions &options,
                                          const Registry &registry, Host &host) {
  O2M_ASSIGN_OR_RETURN(const std::string target, TargetOf(options));
  CompileOptions recompute = options;
  recompute.recompute = true;
  absl::StatusOr<Compilation> numeric = status;
  if (!options.recompute) numeric = Compile(recompute, registry, host);
  if (!numeric.ok() || !numeric->numeric)
    return absl::Status(status.code(),
                        absl::StrCat(std::string(status.message()), WhatHelps(options, target, registry, host)));
  const absl::StatusOr<Compilation> exact = CompileLeast(options, target, registry, host);
  if (!exact.ok()) return exact.status();  // it was planned before
  if (!options.shapes_only) {
    O2M_ASSIGN_OR_RETURN(numeric->rounding, MeasureRounding(*exact, *numeric, options));
  }
  numeric->graph.warnings.push_back(RecomputeWarning(*numeric, *exact));
  return numeric;
}

absl::Status AddNumericAlternatives(const CompileOptions &options, const Registry &registry, Host &host,
                                    Compilation *compilation) {
  if (options.recompute) return absl::OkStatus();
  CompileOptions recompute = options;
  recompute.recompute = true;
  auto numeric = CompileLeast(recompute, compilation->target.id, registry, host);
  if (!numeric.ok() || !numeric->numeric) return absl::OkStatus();  // this model has none
  if (!options.shapes_only) {
    O2M_ASSIGN_OR_RETURN(compilation->rounding, MeasureRounding(*compilation, *numeric, options));
  }
  numeric->alternatives[0].graph = WithoutData(numeric->graph);
  const auto arena = [](const Alternative &a) { return ArenaRam(a.plan); };
  int64_t least = INT64_MAX;
  for (const Alternative &exact : compilation->alternatives) least = std::min(least, arena(exact));
  for (Alternative &alternative : numeric->alternatives)
    if (arena(alternative) < least) compilation->alternatives.push_back(std::move(alternative));
  return absl::OkStatus();
}

}  // namespace onnx2mcu
