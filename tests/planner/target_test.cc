#include "planner/target.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
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
    EXPECT_GT(MainFlash(board).bytes, 0) << board.id;
    EXPECT_GT(board.clock_hz, 0) << board.id;
  }
}

TEST(Targets, EveryBoardFitsItsMachine) {
  for (const Board &board : Boards()) {
    const Emulator machine = FindTarget(board.target)->emulator;
    EXPECT_LE(MainRam(board).bytes, machine.ram.bytes) << board.id;
    EXPECT_LE(MainFlash(board).bytes, machine.flash.bytes) << board.id;
  }
}

TEST(Targets, MainRamIsTheLargestRegion) {
  EXPECT_EQ(MainRam(FindBoard("stm32l476").value()).bytes, 96 * 1024);
  EXPECT_EQ(MainRam(FindBoard("stm32f746").value()).bytes, 320 * 1024);
  EXPECT_EQ(MainRam(Board{}).bytes, 0);
}

TEST(Targets, TheBoardsOfTheDocuments) {
  const std::map<std::string, std::pair<int64_t, int64_t>> kib = {
      {"stm32f427", {192, 2048}}, {"stm32f746", {320, 1024}}, {"stm32h743", {512, 2048}}, {"stm32l476", {96, 1024}},
      {"nrf52840", {256, 1024}},  {"rp2040", {264, 2048}},    {"rp2350", {520, 4096}},    {"esp32c3", {384, 4096}}};
  EXPECT_EQ(Boards().size(), kib.size());
  for (const auto &[id, figures] : kib) {
    const auto board = FindBoard(id);
    ASSERT_TRUE(board.ok()) << board.status();
    EXPECT_EQ(MainRam(*board).bytes, figures.first * 1024) << id;
    EXPECT_EQ(MainFlash(*board).bytes, figures.second * 1024) << id;
  }
}

TEST(Targets, ExternalFlashHasASpeed) {
  for (const Board &board : Boards()) {
    for (size_t i = 1; i < board.flash.size(); i++) EXPECT_GT(board.flash[i].bytes_per_second, 0) << board.id;
    for (const Region &ram : board.ram) EXPECT_EQ(ram.bytes_per_second, 0) << board.id;
  }
  EXPECT_EQ(FindBoard("stm32f746")->flash[1].bytes, 16 * 1024 * 1024);
  for (const char *id : {"rp2040", "rp2350", "esp32c3"}) {
    const int64_t speed = MainFlash(FindBoard(id).value()).bytes_per_second;
    EXPECT_GT(speed, 20000000) << id;  // four lines: less than a byte per cycle of the core
    EXPECT_LT(speed, FindBoard(id)->clock_hz) << id;
  }
}

TEST(Targets, WeightsGoToTheFirstFlashThatHoldsThem) {
  const Board board = FindBoard("stm32f746").value();
  constexpr int64_t kMi = 1024 * 1024;
  EXPECT_EQ(FlashForWeights(board, kMi - 100, 100)->name, "flash");
  EXPECT_EQ(FlashForWeights(board, kMi - 99, 100)->name, "QSPI");
  EXPECT_EQ(FlashForWeights(board, 16 * kMi, kMi)->name, "QSPI");
  EXPECT_FALSE(FlashForWeights(board, 16 * kMi + 1, 100));
  EXPECT_FALSE(FlashForWeights(board, 10, kMi + 1));
  EXPECT_EQ(FlashForWeights(Board{}, 100 * kMi, 1)->bytes, 0);  // no board: no limit
  EXPECT_EQ(FlashText(board), "1048576 B + 16777216 B of QSPI");
}

TEST(Targets, ReadsOfExternalFlashTakeTheirTime) {
  const Board discovery = FindBoard("stm32f746").value();
  EXPECT_EQ(FlashWait(discovery, 1000), 0);                       // in the core's own
  EXPECT_EQ(FlashWait(discovery, 2000000), 4000);                 // 216 MHz, 54 MB/s
  EXPECT_EQ(FlashWait(FindBoard("rp2040").value(), 1000), 4000);  // it has no other
  EXPECT_EQ(FlashWait(Board{}, 2000000), 0);
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
