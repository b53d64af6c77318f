// What is kept between plans changes no plan, and a price is what compilation comes to.
#include "planner/price.h"

#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "planner/make_plan.h"
#include "tests/planner/place_problems.h"
#include "tests/planner/random_graph.h"
#include "tests/planner/relative_time.h"

namespace onnx2mcu {
namespace {

using fake::kTarget;

// Blocks of any of four hidden widths, with attention or without.
Graph MixedVit(std::mt19937 &random, int blocks, fake::VitSizes sizes = {}) {
  constexpr int64_t kHidden[] = {24, 40, 56, 96};
  Graph graph;
  graph.file = "mixed.onnx";
  TensorId x = fake::AddEmbedding(graph, sizes);
  for (int block = 0; block < blocks; block++) {
    const std::string name = "block" + std::to_string(block) + "_";
    sizes.hidden = kHidden[random() % 4] * sizes.dim / 12;
    if (random() % 4) x = fake::AddAttention(graph, name, x, sizes);
    x = fake::AddMlp(graph, name, x, sizes);
  }
  const TensorId token = fake::AddView(graph, x, {1, sizes.dim}, 0, {sizes.dim, 1});
  graph.outputs = {fake::AddRowwise(graph, "head", {token}, sizes.classes, 100)};
  return graph;
}

std::vector<Graph> Graphs() {
  std::mt19937 random(4);
  std::vector<Graph> graphs;
  for (int i = 0; i < 60 / kFewer; i++) graphs.push_back(MixedVit(random, 1 + i % 8));
  for (uint32_t seed = 0; seed < 60 / kFewer; seed++) graphs.push_back(RandomGraph().Make(seed));
  graphs.push_back(graphs[0]);  // the same again
  for (size_t i = 0; i < graphs.size(); i += 5) graphs[i].tensors[graphs[i].inputs[0]].in_arena = true;
  return graphs;
}

std::string Told(const Alternative &a) {
  std::string text = absl::StrCat(a.name, " ", a.instructions, " ", a.plan.arena_bytes, "\n", PlanCsv(a.graph, a.plan));
  for (const Stage &stage : a.plan.stages) {
    absl::StrAppend(&text, stage.steps, "/", stage.rows);
    for (const NodeId node : stage.nodes) absl::StrAppend(&text, " ", a.graph.nodes[node].name);
  }
  return text;
}

TEST(PlanCache, ChangesNoPlan) {
  PlanCache cache;
  Host host;
  for (const Graph &graph : Graphs()) {
    const auto cached = ChooseSchedule(graph, host, kTarget, {}, &cache),
               alone = ChooseSchedule(graph, host, kTarget, {});
    ASSERT_TRUE(cached.ok() && alone.ok()) << cached.status() << alone.status();
    ASSERT_EQ(cached->size(), alone->size());
    for (size_t i = 0; i < alone->size(); i++) ASSERT_EQ(Told((*cached)[i]), Told((*alone)[i]));
    EXPECT_EQ(ValidatePlan((*alone)[0].graph, kTarget, (*alone)[0].plan), absl::OkStatus());
  }
}

bool operator==(const Buffer &a, const Buffer &b) {
  return a.kind == b.kind && a.id == b.id && a.bytes == b.bytes && a.first == b.first && a.last == b.last &&
         a.first_stage == b.first_stage && a.last_stage == b.last_stage && a.tile == b.tile;
}

// The plan of the pieces against one that is made of the whole graph.
void ExpectWhole(const Alternative &a) {
  Contracts contracts = *ContractsOf(a.graph, kTarget);
  const Plan whole = PlanStages(a.graph, kTarget, contracts, a.plan.stages);
  ASSERT_EQ(a.plan.buffers.size(), whole.buffers.size());
  for (size_t i = 0; i < whole.buffers.size(); i++) {
    EXPECT_TRUE(a.plan.buffers[i] == whole.buffers[i]) << a.name << " buffer " << i;
    EXPECT_EQ(a.plan.buffers[i].offset, whole.buffers[i].offset);
  }
  ASSERT_EQ(a.plan.overwrites.size(), whole.overwrites.size());
  for (size_t i = 0; i < whole.overwrites.size(); i++) {
    const Overwrite &x = a.plan.overwrites[i], &y = whole.overwrites[i];
    EXPECT_TRUE(x.x == y.x && x.y == y.y && x.distance == y.distance) << a.name << " overwrite " << i;
  }
  EXPECT_EQ(a.plan.buffer_of, whole.buffer_of);
  EXPECT_EQ(a.plan.scratch_of, whole.scratch_of);
  EXPECT_EQ(a.plan.state_of, whole.state_of);
  EXPECT_EQ(a.plan.arena_bytes, whole.arena_bytes);
}

TEST(PriceSchedules, IsWhatTheWholePlanComesTo) {
  PlanCache cache;
  Host host;
  int optimal = 0, several = 0;
  for (const Graph &graph : Graphs()) {
    const std::vector<SegmentId> kinds = *KindsOf(cache, graph, host, kTarget, {});
    const std::vector<PricedSchedule> frontier = PriceSchedules(cache, kinds, {});
    const auto made = *ChooseSchedule(graph, host, kTarget, {});
    ASSERT_EQ(frontier.size(), made.size());
    several += frontier.size() > 2;
    for (const Alternative &a : made) {
      ExpectWhole(a);
      const auto same = [&](const PricedSchedule &s) { return s.price.arena_bytes == a.plan.arena_bytes; };
      const auto found = std::find_if(frontier.begin(), frontier.end(), same);
      ASSERT_NE(found, frontier.end());
      const Price price = PriceOf(cache, kinds, found->picks);
      EXPECT_EQ(price.arena_bytes, a.plan.arena_bytes);
      EXPECT_EQ(price.arena_optimal, a.plan.arena_optimal);
      EXPECT_EQ(price.lower_bound_bytes, a.plan.lower_bound_bytes);
      EXPECT_EQ(price.instructions, EstimateInstructions(a.graph, a.plan, kTarget));
      EXPECT_EQ(price.flash_bytes_read, FlashBytesRead(a.graph, a.plan, kTarget));
      optimal += price.arena_optimal;
    }
  }
  EXPECT_GT(several, 30 / kFewer);
  EXPECT_GT(optimal, 100 / kFewer);
}

// Where reads of flash take time, a schedule is found that loses less of it in the same RAM.
TEST(Price, WaitingForFlashCounts) {
  const o2m_target slow = {sizeof(o2m_target), kTarget.id, kTarget.features, 20000, 0};
  Host host;
  std::mt19937 random(7);
  int faster = 0;
  for (int i = 0; i < 40 / kFewer; i++) {
    const Graph graph = MixedVit(random, 1 + i % 8);
    PlanCache cache, waiting;
    const auto kinds = *KindsOf(cache, graph, host, kTarget, {}), others = *KindsOf(waiting, graph, host, slow, {});
    const std::vector<PricedSchedule> frontier = PriceSchedules(waiting, others, {});
    for (const auto &[picks, price] : PriceSchedules(cache, kinds, {})) {
      EXPECT_EQ(price.time, price.instructions);
      const int64_t time = TimeOf(price.instructions, price.flash_bytes_read, slow);
      int64_t best = std::numeric_limits<int64_t>::max();
      for (const PricedSchedule &other : frontier)
        if (other.price.arena_bytes <= price.arena_bytes * 102 / 100) best = std::min(best, other.price.time);
      EXPECT_LE(best, time + time / 100);
      faster += best < time - time / 100;
    }
    for (const PricedSchedule &other : frontier)
      EXPECT_EQ(other.price.time, TimeOf(other.price.instructions, other.price.flash_bytes_read, slow));
  }
  EXPECT_GT(faster, 10 / kFewer);
}

TEST(PlanCache, ServesOneTargetOnly) {
  PlanCache cache;
  Host host;
  const Graph graph = fake::Vit({});
  const o2m_target other = {sizeof(o2m_target), "cortex-m3", 0, 0, 0};
  EXPECT_TRUE(KindsOf(cache, graph, host, kTarget, {}).ok());
  EXPECT_TRUE(KindsOf(cache, graph, host, kTarget, {}).ok());
  EXPECT_EQ(KindsOf(cache, graph, host, other, {}).status().code(), absl::StatusCode::kFailedPrecondition);
  PlanOptions rows;
  rows.rows = 2;
  EXPECT_EQ(KindsOf(cache, graph, host, kTarget, rows).status().code(), absl::StatusCode::kFailedPrecondition);
}

TEST(PlanCache, KnowsBlocksAgainInAnotherOrder) {
  PlanCache cache;
  Host host;
  std::mt19937 random(5);
  for (int i = 0; i < 20; i++) ASSERT_TRUE(KindsOf(cache, MixedVit(random, 12), host, kTarget, {}).ok());
  const size_t kinds = cache.kinds.size(), answers = cache.answers.by_fields.size();
  for (int i = 0; i < 5; i++) ASSERT_TRUE(KindsOf(cache, MixedVit(random, 12), host, kTarget, {}).ok());
  EXPECT_EQ(cache.kinds.size(), kinds);
  EXPECT_EQ(cache.answers.by_fields.size(), answers);
}

// The promise is 1 ms for a network and 0.1 ms for a schedule, on a machine that sorts 100,000 numbers in 5 ms. Of
// networks none of which was planned before.
TEST(PlanningTime, TwelveBlocksInANewOrderTakeAMillisecond) {
  PlanCache cache;
  Host host;
  std::mt19937 random(6);
  std::vector<SegmentId> kinds;
  std::vector<PricedSchedule> schedules;
  const auto plan = [&](const Graph &graph) {
    kinds = KindsOf(cache, graph, host, kTarget, {}).value();
    schedules = PriceSchedules(cache, kinds, {});
  };
  std::vector<Graph> graphs;
  for (int i = 0; i < 60; i++) graphs.push_back(MixedVit(random, 12, fake::DeitTiny()));
  size_t next = 0;
  while (next < 40) plan(graphs[next++]);
  const double network = TimesOfSorting([&] { plan(graphs[next++]); }, 20);
  const Picks picks = schedules.back().picks;
  const double schedule = TimesOfSorting(
      [&] {
        for (int i = 0; i < 10; i++) PriceOf(cache, kinds, picks);
      },
      20);
  RecordProperty("times_of_sorting", absl::StrCat(network, " ", schedule / 10));
  EXPECT_LE(network, 1.0 / 5 * kSlow);
  EXPECT_LE(schedule / 10, 0.1 / 5 * kSlow);
}

}  // namespace
}  // namespace onnx2mcu
