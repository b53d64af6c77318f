// codegen/cli.h - the command line: what was asked for, and one function per verb.
#pragma once
#include <string>
#include <vector>

#include "codegen/compiler.h"
#include "planner/parse_bytes.h"
#include "plugins/registry.h"

namespace onnx2mcu {

struct CommandLine {
  std::string verb;  // "compile", "inspect" ...
  CompileOptions compile;
  std::string ram, flash, prefetch;  // "320K", as given
  std::vector<std::string> inputs;   // --inputs
  std::string labels, engine;
  int64_t limit = 0;                 // 0: all
  int64_t baud = 115200;             // of an engine that is a port
  double timeout = 10;               // seconds; of one inference there
  std::string plugin_to_check;       // of `check`
  std::vector<std::string> plugins;  // --plugin
  bool json = false, quiet = false, verbose = false, onnx_coverage = false, profile = false;
  bool pareto = false;  // of compile and inspect
};

// Parses argv. `-h` and `--version` answer in `early_text`; InvalidArgument names the nearest option or verb.
struct ParsedCommandLine {
  CommandLine command;
  std::string early_text;  // not empty: print it and exit 0
};
absl::StatusOr<ParsedCommandLine> ParseCommandLine(int argc, const char *const *argv);

// "192K+64K": the first into `ram`, the others into `more_ram`; "all": all_ram.
absl::Status ParseRam(const std::string &text, CompileOptions *options);

// Each prints results to stdout and logs to stderr.
absl::Status CompileVerb(const CommandLine &command, const Registry &registry);
absl::Status InspectVerb(const CommandLine &command, const Registry &registry);
absl::Status RunVerb(const CommandLine &command, const Registry &registry);
absl::Status ValidateVerb(const CommandLine &command, const Registry &registry);
absl::Status OpsVerb(const CommandLine &command, const Registry &registry);
absl::Status CheckVerb(const CommandLine &command);
absl::Status TargetsVerb(const CommandLine &command);

// Shared by the verbs.
void PrintWarnings(const Graph &graph, const CommandLine &command);
std::string Kib(int64_t bytes);  // "12,345 B (12.1 KiB)"

}  // namespace onnx2mcu
