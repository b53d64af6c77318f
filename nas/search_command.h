// nas/search_command.h - what the command line of `onnx2mcu search` says.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "nas/cost.h"
#include "nas/search/predictor.h"
#include "nas/search/strategy.h"

namespace onnx2mcu {

// How the space is chosen that is then searched.
struct OuterCommand {
  std::string by;           // "evolution", "random", "maximal"; "": all values are searched
  int64_t steps = 0;        // of a round of a candidate space's training
  int32_t iterations = 10;  // tau
  size_t candidates = 5;    // n
  size_t samples = 20;      // legal networks whose mean accuracy is the space's
};

struct SearchCommand {
  std::string model;  // to cut; empty: a space is searched
  std::string space, ram, flash, accuracies, strategy = "evolution", folder = "search";
  std::vector<std::string> plugins;
  PriceOptions price;
  int64_t instructions = 0;
  StrategyOptions strategy_options;
  OuterCommand outer;
  PredictorOptions predictor;
  std::string mean, std;       // of a model that states none
  int64_t calibration = 2000;  // images that cuts are fitted to and ordered by, half each
  int64_t finalists = 8;       // cuts that are compared on what is held out
  FineTuning finetuning;       // of each of them
  uint64_t seed = 1;
  bool resume = false, tensorboard = false, quiet = false, verbose = false, json = false;
  std::string help;  // not empty: print it, and that is all
};

}  // namespace onnx2mcu
