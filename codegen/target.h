// codegen/target.h - cores and boards. Adding one is one row in targets.cc (cores) or boards.cc (boards).
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "importer/ir/status.h"
#include "ops/onnx2mcu_op.h"

namespace onnx2mcu {

struct Region {
  std::string name;
  uint64_t base = 0;
  int64_t bytes = 0;
};

// The machine that stands in for a core: QEMU's, with the addresses where flash, RAM and harness data go there.
struct Emulator {
  std::string program, machine;  // "qemu-system-arm", "mps2-an386"; empty: none
  uint64_t flash_base = 0, ram_base = 0;
  int64_t flash_bytes = 0, ram_bytes = 0;  // what the machine has there
  uint64_t harness_base = 0;               // memory outside the board: inputs and outputs of the harness
  int64_t harness_bytes = 0;
};

struct Target {
  std::string id;        // "cortex-m4"
  std::string compiler;  // "arm-none-eabi-gcc"
  std::vector<std::string> flags;
  uint32_t features = 0;  // O2M_FEATURE_*
  Emulator emulator;
  o2m_target abi() const;  // id stays owned by this
};

struct Board {
  std::string id, description, target;
  std::vector<Region> ram;  // data sheet cited in boards.cc; the arena lies in one
  int64_t flash_bytes = 0;
  int64_t clock_hz = 0;
};

const std::vector<Target> &Targets();
const std::vector<Board> &Boards();
// NotFound names the nearest id.
absl::StatusOr<Target> FindTarget(const std::string &id);
absl::StatusOr<Board> FindBoard(const std::string &id);
// The candidate with the least edit distance; for messages.
std::string Nearest(const std::string &word, const std::vector<std::string> &candidates);

}  // namespace onnx2mcu
