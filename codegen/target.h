// codegen/target.h - cores and boards. Adding one is one row in targets.cc (cores) or boards.cc (boards).
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "importer/ir/status.h"
#include "importer/ir/text.h"
#include "ops/onnx2mcu_op.h"

namespace onnx2mcu {

struct Region {
  std::string name;
  uint64_t base = 0;
  int64_t bytes = 0;
};

// The machine that stands in for a core: QEMU's, with the addresses where the board's flash and RAM go there, and
// memory outside the board for the harness, so that every byte on the board is the network's.
struct Emulator {
  std::string program, machine;  // "qemu-system-arm", "mps2-an386"; empty: none
  Region boot;                   // where the core starts: vector table and code of the harness
  Region harness;                // data and stack of the harness
  Region flash, ram;             // what the machine has for the network: the most a board may ask for
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
// The region that holds arena, .data, .bss and stack: the largest one. Bytes 0 where the board names none.
Region MainRam(const Board &board);

}  // namespace onnx2mcu
