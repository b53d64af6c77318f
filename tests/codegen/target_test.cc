#include "codegen/target.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

namespace onnx2mcu {
namespace {

using ::testing::HasSubstr;

TEST(Targets, EveryBoardHasItsTarget) {
  std::set<std::string> ids;
  for (const Board &board : Boards()) {
    EXPECT_TRUE(ids.insert(board.id).second) << board.id;
    EXPECT_TRUE(FindTarget(board.target).ok()) << board.id;
    EXPECT_GT(MainRam(board).bytes, 0) << board.id;
    EXPECT_GT(board.flash_bytes, 0) << board.id;
    EXPECT_GT(board.clock_hz, 0) << board.id;
  }
}

TEST(Targets, EveryBoardFitsItsMachine) {
  for (const Board &board : Boards()) {
    const Emulator machine = FindTarget(board.target)->emulator;
    EXPECT_LE(MainRam(board).bytes, machine.ram.bytes) << board.id;
    EXPECT_LE(board.flash_bytes, machine.flash.bytes) << board.id;
  }
}

TEST(Targets, MainRamIsTheLargestRegion) {
  EXPECT_EQ(MainRam(FindBoard("stm32l476").value()).bytes, 96 * 1024);
  EXPECT_EQ(MainRam(FindBoard("stm32f746").value()).bytes, 320 * 1024);
  EXPECT_EQ(MainRam(Board{}).bytes, 0);
}

TEST(Targets, UnknownNamesGetTheNearest) {
  const auto target = FindTarget("cortexm4");
  EXPECT_EQ(target.status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(target.status().message()), HasSubstr("'cortex-m4'"));
  const auto board = FindBoard("stm32f74");
  EXPECT_EQ(board.status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(board.status().message()), HasSubstr("'stm32f746'"));
}

TEST(Nearest, CountsEdits) {
  EXPECT_EQ(Nearest("kitten", {"mitten", "sitting", "kit"}), "mitten");
  EXPECT_EQ(Nearest("", {"ab", "c"}), "c");
  EXPECT_EQ(Nearest("x", {}), "");
}

}  // namespace
}  // namespace onnx2mcu
