// planner/target.h - cores and boards. Adding one is one row in targets.cc (cores) or boards.cc (boards).
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "importer/ir/status.h"
#include "importer/ir/text.h"
#include "ops/onnx2mcu_op.h"

namespace onnx2mcu {

// What --ram counts for the stack of NAME_run, until it is walked; the emulated run measures it.
inline constexpr int64_t kStackAllowance = 1024;
inline constexpr int64_t kKi = 1024, kMi = 1024 * kKi;  // bytes

struct Region {
  std::string name;
  uint64_t base = 0;
  int64_t bytes = 0;
  int64_t bytes_per_second = 0;  // sequential reads of external memory at its usual clock; 0: the core does not wait
};

// Of memory, against a network that touches more than it may: codegen/guards.h.
enum class Protection : uint8_t { kAbsent, kPmsav7, kPmsav8, kPmp };

// The machine that stands in for a core: QEMU's, with the addresses where the board's flash and RAM go there, and
// memory outside the board for the harness, so that every byte on the board is the network's.
struct Emulator {
  std::string program, machine;  // "qemu-system-arm", "mps2-an386"; empty: none
  Region boot;                   // where the core starts: vector table and code of the harness
  Region harness;                // data and stack of the harness, inputs, outputs, and the network's stack
  Region flash, ram;             // what the machine has for the network: the most a board may ask for; bases aligned
  Protection protection = Protection::kAbsent;
  int protection_regions = 0;
};

struct Target {
  std::string id;        // "cortex-m4"
  std::string compiler;  // "arm-none-eabi-gcc"
  std::vector<std::string> flags;
  uint32_t features = 0;  // O2M_FEATURE_*
  Emulator emulator;
  int32_t flash_wait = 0;  // of a board whose weights lie in external flash: see o2m_target
  int32_t call_price = 0;  // of a network whose code is to be less: see o2m_target
  o2m_target abi() const;  // id stays owned by this
};

struct Board {
  std::string id, description, target;
  std::vector<Region> ram;    // data sheet cited in boards.cc; the arena lies in one
  std::vector<Region> flash;  // the first holds the code, and the weights where they fit; else they lie in the next
  int64_t clock_hz = 0;
};

const std::vector<Target> &Targets();
const std::vector<Board> &Boards();
// NotFound names the nearest id.
absl::StatusOr<Target> FindTarget(const std::string &id);
absl::StatusOr<Board> FindBoard(const std::string &id);
// The region that holds arena, .data, .bss and stack: the largest one. Bytes 0 where the board names none.
Region MainRam(const Board &board);
// The region that holds the code. Bytes 0 where the board names none.
Region MainFlash(const Board &board);
// Where weights lie beside `other` bytes of code, constants and .data: the first flash region that holds them. Nothing
// where they or the others fit nowhere; MainFlash() where the board names no flash.
std::optional<Region> FlashForWeights(const Board &board, int64_t weights, int64_t other);
// o2m_target.flash_wait of a network on a board: a read of external flash takes its time, one of the core's own none.
int32_t FlashWait(const Board &board, int64_t weights);
// "1048576 B", or "1048576 B + 16777216 B of QSPI" of a board with external flash beside.
std::string FlashText(const Board &board);

}  // namespace onnx2mcu
