// nas/search/predictor.h - where accuracies and weights come from: a trained supernet (nas/train), or a table.
#pragma once
#include <functional>
#include <map>
#include <string>

#include "importer/data/inputs.h"
#include "importer/ir/status.h"
#include "nas/peers.h"
#include "nas/space.h"
#include "nas/vit.h"

namespace onnx2mcu {

using AccuracyOf = std::function<absl::StatusOr<double>(const VitConfig &)>;  // 0..1

// Of one network, from its parent's answers where it has one, and from labels where there are some.
struct FineTuning {
  int64_t steps = 0;  // reproducible
  double seconds = 0;
  uint64_t seed = 1;
  std::string checkpoint;  // "": none
  bool resume = false;
  bool wanted() const { return steps > 0 || seconds > 0; }
};

// A network that was trained by itself, and its accuracy on the images that a search looks at.
struct Tuned {
  Vit vit;
  double accuracy = 0;
};

struct Predictor {
  std::string source;                                            // what it is, for the record
  AccuracyOf accuracy;                                           // pure
  std::function<absl::StatusOr<Vit>(const VitConfig &)> subnet;  // what is written as ONNX
  // From the weights of the subnet; empty where nothing is trained.
  std::function<absl::StatusOr<Tuned>(const VitConfig &, const FineTuning &)> tune = {};
};

struct PredictorOptions {
  std::string inputs, labels;  // images to train on, as --inputs and --labels have them
  int64_t held_out = 5000;     // of them, for the accuracies
  int64_t train_steps = 0;     // of the supernet; reproducible
  double train_seconds = 0;    // instead: ends at another step each time
  int64_t train_rounds = 1;    // so often, one after the other
  uint64_t seed = 1;
  std::string checkpoint;  // of the supernet's training; "": none
  bool resume = false;
  Peers peers;  // that train the supernet together
};

using FileMetadata = std::map<std::string, std::string>;

// What a build can train. The metadata are known before: they decide whether a network is fed pixels, which its price
// counts.
struct Supernet {
  std::function<absl::StatusOr<FileMetadata>(const Space &, const PredictorOptions &)> metadata;  // of the files
  std::function<absl::StatusOr<Predictor>(const Space &, const PredictorOptions &)> train;        // or goes on
  // pixels are fed as `preprocessing` says; images.labels may be empty
  std::function<absl::StatusOr<Vit>(const Vit &vit, const Vit &parent, const InputSet &images,
                                    const Preprocessing &preprocessing, const FineTuning &)>
      finetune;
};

// Of a build without libtorch: InvalidArgument, what to install.
Supernet NoSupernet();

// Accuracies of a table over the space (nas/search/table.h) and random weights: nothing is trained.
absl::StatusOr<Predictor> TablePredictor(const Space &space, const std::string &path);

}  // namespace onnx2mcu
