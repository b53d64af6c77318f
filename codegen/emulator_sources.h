// codegen/emulator_sources.h - the folder that an emulated run is built in.
#pragma once
#include <string>
#include <vector>

#include "codegen/emulator_layout.h"

namespace onnx2mcu {

// The generated C at the top, boot/: the harness, libc/: its headers, in.bin: the samples.
absl::Status WriteEmulatorSources(const Compilation &compilation, const EmulatorLayout &layout,
                                  const std::vector<GeneratedFile> &files,
                                  const std::vector<std::vector<uint8_t>> &samples, const std::string &folder);

}  // namespace onnx2mcu
