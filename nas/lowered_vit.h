// nas/lowered_vit.h - a config as the graph that compilation would schedule: every pass from folding to the choice of
// how weights are held.
#pragma once
#include <cstdint>
#include <string>

#include "importer/ir/graph.h"
#include "importer/ir/status.h"
#include "nas/vit_onnx.h"
#include "plugins/registry.h"

namespace onnx2mcu {

// As for `onnx2mcu compile`, whose options they are. With a budget of RAM the quickest schedule that fits is priced,
// and the smallest where none does.
struct PriceOptions {
  std::string target = "cortex-m4", board = {};  // a board sets target, RAM and flash
  int64_t ram = 0, flash = 0;                    // bytes; 0: the board's, or none
  std::string optimize = "balanced", residual = "auto";
  Metadata metadata = {};  // of the files to be written: "onnx2mcu.mean" and "onnx2mcu.std" make the input u8 pixels
};

// Weights are random and without zeros, scales made up. Errors of ops that refuse a shape.
absl::StatusOr<Graph> LoweredVit(const VitConfig &config, const PriceOptions &options, const Registry &registry,
                                 Host &host, const o2m_target &target);

}  // namespace onnx2mcu
