// boards.cc - the boards, one row each, with the data sheet that each figure comes from. RAM regions that the core sees
// as one contiguous range are one region here. External flash is memory-mapped; its speed is that of four data lines at
// the clock named beside it, half a byte per cycle.
#include "absl/strings/str_cat.h"
#include "planner/target.h"

namespace onnx2mcu {
namespace {

constexpr int64_t kMHz = 1000000;

Region Quad(const std::string &name, uint64_t base, int64_t bytes, int64_t hertz) {
  return {name, base, bytes, hertz / 2};
}

std::vector<Board> MakeBoards() {
  return {
      // ST DS9484, table 2 and memory map: SRAM1..3 112 + 16 + 64 KiB contiguous, CCM data RAM, 2 MiB flash (xI).
      {"stm32f427",
       "STM32F427xI, Cortex-M4 at 180 MHz",
       "cortex-m4",
       {{"SRAM", 0x20000000, 192 * kKi}, {"CCM", 0x10000000, 64 * kKi}},
       {{"flash", 0x08000000, 2 * kMi}},
       180 * kMHz},
      // ST DS10916, table 2 and memory map: DTCM 64 + SRAM1 240 + SRAM2 16 KiB contiguous, ITCM, 1 MiB flash (xG);
      // QUADSPI at 108 MHz. ST UM1907 (32F746GDISCOVERY), section "Quad-SPI NOR Flash memory": 128 Mbit.
      {"stm32f746",
       "STM32F746xG (Discovery kit: 16 MiB QSPI flash), Cortex-M7 at 216 MHz",
       "cortex-m7",
       {{"DTCM+SRAM", 0x20000000, 320 * kKi}, {"ITCM", 0x00000000, 16 * kKi}},
       {{"flash", 0x08000000, 1 * kMi}, Quad("QSPI", 0x90000000, 16 * kMi, 108 * kMHz)},
       216 * kMHz},
      // ST DS12110, table 1 and memory map: AXI SRAM, SRAM1..3 128 + 128 + 32 KiB contiguous, 2 MiB flash (xI).
      {"stm32h743",
       "STM32H743xI, Cortex-M7 at 480 MHz",
       "cortex-m7",
       {{"AXI SRAM", 0x24000000, 512 * kKi},
        {"SRAM1-3", 0x30000000, 288 * kKi},
        {"DTCM", 0x20000000, 128 * kKi},
        {"SRAM4", 0x38000000, 64 * kKi},
        {"ITCM", 0x00000000, 64 * kKi}},
       {{"flash", 0x08000000, 2 * kMi}},
       480 * kMHz},
      // ST DS10198, table 2: SRAM1 and SRAM2, 1 MiB flash (xG).
      {"stm32l476",
       "STM32L476xG, Cortex-M4 at 80 MHz",
       "cortex-m4",
       {{"SRAM1", 0x20000000, 96 * kKi}, {"SRAM2", 0x10000000, 32 * kKi}},
       {{"flash", 0x08000000, 1 * kMi}},
       80 * kMHz},
      // Nordic nRF52840 product specification, section "Memory".
      {"nrf52840",
       "nRF52840, Cortex-M4 at 64 MHz",
       "cortex-m4",
       {{"RAM", 0x20000000, 256 * kKi}},
       {{"flash", 0x00000000, 1 * kMi}},
       64 * kMHz},
      // RP2040 datasheet, section 2.6: six banks, contiguous 264 KiB; flash is external, cached, read at half the
      // core's
      // clock. Raspberry Pi Pico datasheet: 2 MiB.
      {"rp2040",
       "RP2040 (Pico: 2 MiB QSPI flash), Cortex-M0+ at 133 MHz",
       "cortex-m0",
       {{"SRAM", 0x20000000, 264 * kKi}},
       {Quad("QSPI", 0x10000000, 2 * kMi, 133 * kMHz / 2)},
       133 * kMHz},
      // RP2350 datasheet, section 4.2: ten banks, contiguous 520 KiB; flash as above. Raspberry Pi Pico 2 datasheet: 4
      // MiB.
      {"rp2350",
       "RP2350 (Pico 2: 4 MiB QSPI flash), Cortex-M33 at 150 MHz",
       "cortex-m33",
       {{"SRAM", 0x20000000, 520 * kKi}},
       {Quad("QSPI", 0x10000000, 4 * kMi, 150 * kMHz / 2)},
       150 * kMHz},
      // ESP32-C3 series datasheet, section "Internal Memory": 400 KiB SRAM, 16 KiB of it cache; 4 MiB flash in the
      // package
      // (FH4), cached, four lines at 80 MHz.
      {"esp32c3",
       "ESP32-C3FH4 (4 MiB SPI flash in the package), RV32IMC at 160 MHz",
       "rv32imc",
       {{"SRAM1", 0x3fc80000, 384 * kKi}},
       {Quad("SPI flash", 0x3c000000, 4 * kMi, 80 * kMHz)},
       160 * kMHz},
  };
}

}  // namespace

const std::vector<Board> &Boards() {
  static const std::vector<Board> boards = MakeBoards();
  return boards;
}

absl::StatusOr<Board> FindBoard(const std::string &id) {
  std::vector<std::string> ids;
  for (const Board &board : Boards()) {
    if (board.id == id) return board;
    ids.push_back(board.id);
  }
  return absl::NotFoundError(
      absl::StrCat("board '", id, "': no such board; did you mean '", Nearest(id, ids),
                   "'? 'onnx2mcu targets' lists them all, --ram and --flash describe any other"));
}

Region MainRam(const Board &board) {
  Region main;
  for (const Region &region : board.ram) {
    if (region.bytes > main.bytes) main = region;
  }
  return main;
}

Region MainFlash(const Board &board) { return board.flash.empty() ? Region{} : board.flash[0]; }

std::optional<Region> FlashForWeights(const Board &board, int64_t weights, int64_t other) {
  const Region main = MainFlash(board);
  if (main.bytes == 0) return main;
  if (other > main.bytes) return std::nullopt;
  if (other + weights <= main.bytes) return main;
  for (size_t i = 1; i < board.flash.size(); i++) {
    if (weights <= board.flash[i].bytes) return board.flash[i];
  }
  return std::nullopt;
}

int32_t FlashWait(const Board &board, int64_t weights) {
  const std::optional<Region> region = FlashForWeights(board, weights, 0);
  if (!region || region->bytes_per_second == 0) return 0;
  return static_cast<int32_t>(1000 * board.clock_hz / region->bytes_per_second);
}

std::string FlashText(const Board &board) {
  std::string text;
  for (size_t i = 0; i < board.flash.size(); i++) {
    absl::StrAppend(&text, i > 0 ? " + " : "", board.flash[i].bytes, " B");
    if (i > 0) absl::StrAppend(&text, " of ", board.flash[i].name);
  }
  return text;
}

}  // namespace onnx2mcu
