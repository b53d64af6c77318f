#include "nas/verbs.h"

#include "absl/strings/str_cat.h"
#include "planner/parse_bytes.h"

namespace onnx2mcu {

absl::StatusOr<std::string> ParseWords(CLI::App &app, const Words &words) {
  std::vector<std::string> reversed(words.rbegin(), words.rend());
  try {
    app.parse(reversed);
  } catch (const CLI::CallForHelp &) {
    return app.help();
  } catch (const CLI::ParseError &error) {
    return absl::InvalidArgumentError(absl::StrCat(error.what(), "; see ", app.get_name(), " --help"));
  }
  return std::string();
}

absl::Status ReadBudgets(const std::string &ram, const std::string &flash, PriceOptions &options) {
  if (!ram.empty()) {
    O2M_ASSIGN_OR_RETURN(options.ram, ParseBytes(ram, "--ram"));
  }
  if (!flash.empty()) {
    O2M_ASSIGN_OR_RETURN(options.flash, ParseBytes(flash, "--flash"));
  }
  return absl::OkStatus();
}

absl::StatusOr<Registry> LoadPlugins(const std::vector<std::string> &files) {
  Registry registry;
  for (const std::string &folder : DefaultPluginFolders()) registry.LoadFolder(folder);
  for (const std::string &file : files) O2M_RETURN_IF_ERROR(registry.Load(file));
  return registry;
}

}  // namespace onnx2mcu
