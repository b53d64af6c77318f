// onnx2mcu-search: the verbs of `onnx2mcu` that stand on nas/. An executable of its own, so that compiling needs
// nothing of what training needs.
#include <cstdio>
#include <map>

#include "nas/verb_search.h"
#include "nas/verbs.h"
#if O2M_TRAIN
#include "nas/train/predictor.h"
#endif

namespace onnx2mcu {
namespace {

absl::Status TrainAndSearch(const Words &words) {
#if O2M_TRAIN
  return SearchVerb(words, TrainedSupernet());
#else
  return SearchVerb(words, NoSupernet());
#endif
}

using VerbFn = absl::Status (*)(const Words &);

const std::map<std::string, VerbFn> &Verbs() {
  static const std::map<std::string, VerbFn> verbs = {{"price", PriceVerb}, {"search", TrainAndSearch}};
  return verbs;
}

absl::Status RunVerb(int argc, char **argv) {
  const auto verb = argc > 1 ? Verbs().find(argv[1]) : Verbs().end();
  if (verb != Verbs().end()) return verb->second(Words(argv + 2, argv + argc));
  std::string names;
  for (const auto &[name, unused] : Verbs()) names += (names.empty() ? "" : ", ") + name;
  return absl::InvalidArgumentError("a verb of this program is needed first: " + names +
                                    "; `onnx2mcu VERB` starts it as well");
}

// 1: the user's input; 2: our bug.
int ExitCode(const absl::Status &status) {
  if (status.ok()) return 0;
  std::fprintf(stderr, "onnx2mcu: error: %s\n", std::string(status.message()).c_str());
  if (status.code() != absl::StatusCode::kInternal) return 1;
  std::fprintf(stderr, "onnx2mcu: this is a bug of onnx2mcu; please report it with the command and the model\n");
  return 2;
}

}  // namespace
}  // namespace onnx2mcu

int main(int argc, char **argv) {
  using namespace onnx2mcu;
  absl::Status status = RunVerb(argc, argv);
  if (status.ok() && (std::fflush(stdout) != 0 || std::ferror(stdout) != 0))
    status =
        absl::InvalidArgumentError("standard output: cannot be written; free space on the disk or print elsewhere");
  return ExitCode(status);
}
