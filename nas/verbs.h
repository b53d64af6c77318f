// nas/verbs.h - the verbs of onnx2mcu-search, which `onnx2mcu VERB ...` starts.
#pragma once
#include <CLI/CLI.hpp>
#include <string>
#include <vector>

#include "importer/ir/status.h"
#include "nas/lowered_vit.h"
#include "plugins/registry.h"

namespace onnx2mcu {

// Words after the verb. Results go to stdout, logs to stderr.
using Words = std::vector<std::string>;

absl::Status PriceVerb(const Words &words);

// What the verbs share. The text of --help where that was asked for, else empty; InvalidArgument: what CLI11 refuses.
absl::StatusOr<std::string> ParseWords(CLI::App &app, const Words &words);
// "8K" and the like, as --ram and --flash have them; empty: as it is.
absl::Status ReadBudgets(const std::string &ram, const std::string &flash, PriceOptions &options);
// Ours, and those named by --plugin.
absl::StatusOr<Registry> LoadPlugins(const std::vector<std::string> &files);

}  // namespace onnx2mcu
