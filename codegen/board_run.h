// codegen/board_run.h - a real board as an engine: the program of --example=serial, asked over a serial port.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "codegen/engines.h"

namespace onnx2mcu {

struct BoardOptions {
  std::string port;  // "/dev/ttyACM0"
  int64_t baud = 115200;
  double timeout_seconds = 10;  // for one inference
};

// Where the board first left other bytes than the host.
struct Divergence {
  int64_t input = 0;
  int32_t stage = kNone;            // kNone: in the outputs alone, so in what writes them
  std::string layer;                // whose bytes differ
  std::vector<std::string> inside;  // all of its stage: whose bytes exist for some rows at a time only, unseen
};

struct BoardRun {
  EngineRun engine;
  int64_t cycles = 0;  // of one inference (median), by the board's own counter; 0: it has none
  std::string version;
  std::optional<Divergence> divergence;
};

// True for what --engine takes as a port: a path.
bool IsPort(const std::string &engine);

// Inputs [0, count). `reference`: the host's bytes; the first input whose outputs differ is asked for again with
// checksums, and the first input is in any case. InvalidArgument: SerialLink's, another model, another compilation.
absl::StatusOr<BoardRun> RunOnBoard(const Compilation &compilation, const BoardOptions &options,
                                    const std::vector<InputSet> &sets, int64_t count, const EngineRun *reference,
                                    Progress *progress = nullptr);

}  // namespace onnx2mcu
