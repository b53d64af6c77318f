// The validator refuses plans that were changed into a conflict.
#include <gtest/gtest.h>

#include <random>

#include "tests/planner/fake_op.h"

namespace onnx2mcu {
namespace {

using fake::kTarget;

struct Planned {
  Graph graph;
  Plan plan;
};

Planned PlannedVit(int32_t rows) {
  fake::VitSizes sizes;
  PlanOptions options;
  options.rows = rows;
  Planned planned{fake::Vit(sizes), {}};
  planned.plan = *MakePlan(planned.graph, kTarget, options);
  return planned;
}

// Moves buffer i onto one that is alive with it and that it may not share a byte with.
bool MoveIntoConflict(Plan &plan, size_t i, size_t j) {
  Buffer &a = plan.buffers[i];
  const Buffer &b = plan.buffers[j];
  if (i == j || a.first > b.last || b.first > a.last) return false;
  for (const Overwrite &o : plan.overwrites)
    if ((o.x == static_cast<int32_t>(i) && o.y == static_cast<int32_t>(j)) ||
        (o.y == static_cast<int32_t>(i) && o.x == static_cast<int32_t>(j)))
      return false;
  a.offset = b.offset;
  return a.offset + a.bytes <= plan.arena_bytes;
}

TEST(ValidatePlan, RejectsMovedBuffers) {
  std::mt19937 random(5);
  int tried = 0;
  for (int32_t rows : {0, 1, 4}) {
    const Planned planned = PlannedVit(rows);
    ASSERT_EQ(ValidatePlan(planned.graph, kTarget, planned.plan), absl::OkStatus());
    for (int trial = 0; trial < 800; trial++) {
      Plan plan = planned.plan;
      if (!MoveIntoConflict(plan, random() % plan.buffers.size(), random() % plan.buffers.size())) continue;
      tried++;
      EXPECT_FALSE(ValidatePlan(planned.graph, kTarget, plan).ok());
    }
  }
  EXPECT_GT(tried, 200);
}

TEST(ValidatePlan, RejectsShortenedLifetimes) {
  for (int32_t rows : {0, 1, 4}) {
    const Planned planned = PlannedVit(rows);
    for (size_t i = 0; i < planned.plan.buffers.size(); i++) {
      for (bool front : {false, true}) {
        Plan plan = planned.plan;
        Buffer &buffer = plan.buffers[i];
        front ? buffer.first++ : buffer.last--;
        EXPECT_FALSE(ValidatePlan(planned.graph, kTarget, plan).ok()) << i;
      }
    }
  }
}

TEST(ValidatePlan, RejectsSmallerBuffers) {
  const Planned planned = PlannedVit(4);
  for (size_t i = 0; i < planned.plan.buffers.size(); i++) {
    Plan plan = planned.plan;
    plan.buffers[i].bytes--;
    EXPECT_FALSE(ValidatePlan(planned.graph, kTarget, plan).ok()) << i;
  }
}

// Whatever is written over something else at its least distance is one byte from a conflict; the planner's own
// distances are not trusted.
TEST(ValidatePlan, RejectsAnOverwriteThatComesTooClose) {
  int tried = 0;
  for (int32_t rows : {1, 3, 4}) {
    const Planned planned = PlannedVit(rows);
    for (size_t i = 0; i < planned.plan.overwrites.size(); i++) {
      Plan plan = planned.plan;
      Overwrite &o = plan.overwrites[i];
      const int64_t gap = plan.buffers[o.x].offset - plan.buffers[o.y].offset;
      if (gap != o.distance) continue;
      plan.buffers[o.y].offset++;
      o.distance = 0;
      plan.arena_bytes++;
      tried++;
      EXPECT_FALSE(ValidatePlan(planned.graph, kTarget, plan).ok()) << i;
    }
  }
  EXPECT_GT(tried, 3);
}

TEST(ValidatePlan, RejectsOtherStages) {
  const Planned planned = PlannedVit(4);
  Plan swapped = planned.plan;
  std::swap(swapped.stages.front().nodes, swapped.stages.back().nodes);
  EXPECT_FALSE(ValidatePlan(planned.graph, kTarget, swapped).ok());
  for (size_t s = 0; s < planned.plan.stages.size(); s++) {
    for (size_t i = 1; i < planned.plan.stages[s].nodes.size(); i++) {
      Plan plan = planned.plan;
      std::swap(plan.stages[s].nodes[i], plan.stages[s].nodes[i - 1]);
      const bool independent = planned.graph.nodes[plan.stages[s].nodes[i]].inputs ==
                               planned.graph.nodes[plan.stages[s].nodes[i - 1]].inputs;
      EXPECT_TRUE(independent || !ValidatePlan(planned.graph, kTarget, plan).ok()) << s << " " << i;
    }
    Plan twice = planned.plan;
    twice.stages.push_back(twice.stages[s]);
    EXPECT_FALSE(ValidatePlan(planned.graph, kTarget, twice).ok());
    Plan other = planned.plan;
    other.stages[s].steps++;
    EXPECT_FALSE(ValidatePlan(planned.graph, kTarget, other).ok());
  }
}

}  // namespace
}  // namespace onnx2mcu
