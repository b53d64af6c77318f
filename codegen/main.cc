// The tool's entry: parse, load the plugins, run the verb, turn its status into an exit code.
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <map>

#include "codegen/cli.h"
#include "codegen/search_program.h"
#include "importer/ir/exit_code.h"

namespace onnx2mcu {
namespace {

absl::StatusOr<Registry> LoadPlugins(const CommandLine &command) {
  Registry registry;
  for (const std::string &folder : DefaultPluginFolders()) registry.LoadFolder(folder);
  for (const std::string &path : command.plugins) O2M_RETURN_IF_ERROR(registry.Load(path));
  return registry;
}

absl::Status RunCommand(const CommandLine &command) {
  if (command.verb == "check") return CheckVerb(command);
  if (command.verb == "targets") return TargetsVerb(command);
  if (IsSearchVerb(command.verb))
    return absl::InvalidArgumentError(command.verb + ": is to be the first word, before all options");
  O2M_ASSIGN_OR_RETURN(const Registry registry, LoadPlugins(command));
  using VerbFn = absl::Status (*)(const CommandLine &, const Registry &);
  const std::map<std::string, VerbFn> verbs = {{"compile", CompileVerb},
                                               {"inspect", InspectVerb},
                                               {"run", RunVerb},
                                               {"validate", ValidateVerb},
                                               {"ops", OpsVerb}};
  return verbs.at(command.verb)(command, registry);
}

// An interrupt ends the program with 130 (143 for SIGTERM). What must not be left half done holds the signals back
// (SignalGuard), so nothing needs cleaning here.
void EndOnInterrupt() {
  std::signal(
      SIGINT, +[](int) { _exit(130); });
  std::signal(
      SIGTERM, +[](int) { _exit(143); });
}

}  // namespace
}  // namespace onnx2mcu

int main(int argc, char **argv) {
  using namespace onnx2mcu;
  EndOnInterrupt();
  if (argc > 1 && IsSearchVerb(argv[1])) return EndProgram(BecomeSearchProgram(argv));
  const auto parsed = ParseCommandLine(argc, argv);
  if (!parsed.ok()) return EndProgram(parsed.status());
  if (!parsed->early_text.empty()) return std::fputs(parsed->early_text.c_str(), stdout), 0;
  return EndProgram(RunCommand(parsed->command));
}
