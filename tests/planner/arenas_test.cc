// What a plan's line of offsets means in regions of RAM.
#include <gtest/gtest.h>

#include "tests/planner/fake_op.h"

namespace onnx2mcu {
namespace {

using fake::kTarget;

Plan LineOfBuffers(std::vector<int64_t> boundaries) {
  Plan plan;
  plan.boundaries = std::move(boundaries);
  plan.buffers.resize(3);
  plan.buffers[0].bytes = 100;
  plan.buffers[1].bytes = 40, plan.buffers[1].offset = 320;
  plan.buffers[2].bytes = 24, plan.buffers[2].offset = 368;
  plan.arena_bytes = 392;
  return plan;
}

TEST(ArenasOf, AreTheRegionsThatHoldABuffer) {
  const std::vector<Arena> one = ArenasOf(LineOfBuffers({}));
  ASSERT_EQ(one.size(), 1u);
  EXPECT_EQ(one[0].bytes, 392);
  const Plan plan = LineOfBuffers({128, 320});
  const std::vector<Arena> arenas = ArenasOf(plan);
  ASSERT_EQ(arenas.size(), 2u);
  EXPECT_EQ(arenas[0].bytes, 112);
  EXPECT_EQ(arenas[1].region, 2);
  EXPECT_EQ(arenas[1].begin, 320);
  EXPECT_EQ(arenas[1].bytes, 72);
  EXPECT_EQ(ArenaRam(plan), 184);
  EXPECT_EQ(PlaceOf(plan, 99).arena, 0);
  EXPECT_EQ(PlaceOf(plan, 368).arena, 1);
  EXPECT_EQ(PlaceOf(plan, 368).offset, 48);
}

// The search, the price and the stream in two regions: all of it checked by the validator.
TEST(ChooseSchedule, UsesTwoRegions) {
  const Graph graph = fake::Vit({});
  Host host;
  PlanOptions options;
  options.optimize = "ram";
  const auto whole = ChooseSchedule(graph, host, kTarget, options);
  ASSERT_EQ(whole.status(), absl::OkStatus());
  const int64_t arena = whole->at(0).plan.arena_bytes;
  options.boundaries = {arena * 3 / 4 / 16 * 16}, options.arena_budget = 2 * arena;
  const auto parts = ChooseSchedule(graph, host, kTarget, options);
  ASSERT_EQ(parts.status(), absl::OkStatus());
  for (const Alternative &alternative : *parts) {
    EXPECT_EQ(ValidatePlan(alternative.graph, kTarget, alternative.plan), absl::OkStatus());
    EXPECT_EQ(alternative.plan.boundaries, options.boundaries);
  }
  EXPECT_EQ(ArenasOf(parts->at(0).plan).size(), 2u);
  Plan across = parts->at(0).plan;
  for (Buffer &buffer : across.buffers) buffer.offset += buffer.offset >= options.boundaries[0] ? 0 : 16;
  across.arena_bytes += 16, across.boundaries[0] = across.buffers[0].offset + 8;
  EXPECT_FALSE(ValidatePlan(parts->at(0).graph, kTarget, across).ok());
}

TEST(ChooseSchedule, SaysWhichRegionIsShort) {
  const Graph graph = fake::Vit({});
  Host host;
  PlanOptions options;
  options.boundaries = {64}, options.arena_budget = 128, options.region_names = {"SRAM", "CCM"};
  const absl::Status status = ChooseSchedule(graph, host, kTarget, options).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  const std::string message(status.message());
  EXPECT_NE(message.find("CCM is to hold"), std::string::npos) << message;
  EXPECT_NE(message.find("B of 64: "), std::string::npos) << message;
  EXPECT_NE(message.find("B is larger than any region"), std::string::npos) << message;
}

}  // namespace
}  // namespace onnx2mcu
