// onnx2mcu-search: the verbs of `onnx2mcu` that stand on nas/. An executable of its own, so that compiling needs
// nothing of what training needs.
#include <map>

#include "importer/ir/exit_code.h"
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

}  // namespace
}  // namespace onnx2mcu

int main(int argc, char **argv) {
  using namespace onnx2mcu;
  return EndProgram(RunVerb(argc, argv));
}
