#include "codegen/regions.h"

#include <gtest/gtest.h>

namespace onnx2mcu {
namespace {

TEST(ChooseRegions, TakesTheLargestUnlessToldOtherwise) {
  const Board board = FindBoard("stm32f427").value();
  const auto one = ChooseRegions({}, board);
  ASSERT_EQ(one->size(), 1u);
  EXPECT_EQ(one->at(0).name, "SRAM");
  CompileOptions options;
  options.all_ram = true;
  const auto all = ChooseRegions(options, board);
  ASSERT_EQ(all->size(), 2u);
  EXPECT_EQ(all->at(1).name, "CCM");
  EXPECT_EQ(all->at(1).bytes, 64 * 1024);
  options.all_ram = false, options.ram = 100 * 1024, options.more_ram = {32 * 1024};
  const auto sizes = ChooseRegions(options, board);
  ASSERT_EQ(sizes->size(), 2u);
  EXPECT_EQ(sizes->at(0).name, "SRAM");
  EXPECT_EQ(sizes->at(0).bytes, 100 * 1024);
  EXPECT_EQ(ChooseRegions(options, {})->at(1).name, "RAM1");
}

// A null pointer is no arena, and protection tells no more than so many apart.
TEST(ChooseRegions, LeavesOutWhatCannotHoldAnArena) {
  CompileOptions options;
  options.all_ram = true;
  EXPECT_EQ(ChooseRegions(options, FindBoard("stm32f746").value())->size(), 1u);
  EXPECT_EQ(ChooseRegions(options, FindBoard("stm32h743").value())->size(), static_cast<size_t>(kMostRegions));
  EXPECT_FALSE(ChooseRegions(options, {}).ok());
}

TEST(LineOf, KeepsTheStackOutOfTheFirst) {
  const RegionLine one = LineOf({{"RAM", 0, 5000}}, 1024);
  EXPECT_TRUE(one.boundaries.empty());
  EXPECT_EQ(one.end, 3976);
  const RegionLine two = LineOf({{"RAM", 0, 5000}, {"RAM1", 0, 1000}, {"RAM2", 0, 100}}, 1024);
  EXPECT_EQ(two.boundaries, (std::vector<int64_t>{3968, 4960}));
  EXPECT_EQ(two.end, 5060);
  EXPECT_EQ(LineOf({{"", 0, 0}}, 1024).end, 0);
}

}  // namespace
}  // namespace onnx2mcu
