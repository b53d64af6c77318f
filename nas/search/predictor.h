// nas/search/predictor.h - where accuracies and weights come from: a trained supernet (nas/train), or a table.
#pragma once
#include <functional>
#include <map>
#include <string>

#include "importer/ir/status.h"
#include "nas/space.h"
#include "nas/vit.h"

namespace onnx2mcu {

using AccuracyOf = std::function<absl::StatusOr<double>(const VitConfig &)>;  // 0..1

struct Predictor {
  std::string source;                                            // what it is, for the record
  AccuracyOf accuracy;                                           // pure
  std::function<absl::StatusOr<Vit>(const VitConfig &)> subnet;  // what is written as ONNX
};

struct PredictorOptions {
  std::string inputs, labels;  // images to train on, as --inputs and --labels have them
  int64_t held_out = 5000;     // of them, for the accuracies
  int64_t train_steps = 0;     // of the supernet; reproducible
  double train_seconds = 0;    // instead: ends at another step each time
  uint64_t seed = 1;
  std::string checkpoint;  // of the supernet's training; "": none
  bool resume = false;
};

using FileMetadata = std::map<std::string, std::string>;

// What a build can train. The metadata are known before: they decide whether a network is fed pixels, which its price
// counts.
struct Supernet {
  std::function<absl::StatusOr<FileMetadata>(const Space &, const PredictorOptions &)> metadata;  // of the files
  std::function<absl::StatusOr<Predictor>(const Space &, const PredictorOptions &)> train;        // or goes on
};

// Of a build without libtorch: InvalidArgument, what to install.
Supernet NoSupernet();

// Accuracies of a table over the space (nas/search/table.h) and random weights: nothing is trained.
absl::StatusOr<Predictor> TablePredictor(const Space &space, const std::string &path);

}  // namespace onnx2mcu
