// What the planner makes of a transformer of which it knows only the memory contracts.
#include "planner/plan.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "tests/planner/fake_op.h"

namespace onnx2mcu {
namespace {

using fake::kTarget;

Alternative Chosen(const Graph &graph, const PlanOptions &options) {
  Host host;
  auto alternatives = ChooseSchedule(graph, host, kTarget, options);
  EXPECT_TRUE(alternatives.ok()) << alternatives.status();
  return std::move((*alternatives)[0]);
}

const Buffer *BufferNamed(const Alternative &a, const std::string &name) {
  for (const Buffer &buffer : a.plan.buffers)
    if (buffer.kind == BufferKind::kTensor && a.graph.tensors[buffer.id].name == name) return &buffer;
  return nullptr;
}

std::vector<std::string> StageNames(const Alternative &a) {
  std::vector<std::string> stages;
  for (const Stage &stage : a.plan.stages) {
    std::string &names = stages.emplace_back();
    for (NodeId node : stage.nodes) names += (names.empty() ? "" : " ") + a.graph.nodes[node].name;
  }
  return stages;
}

// x + K + V, one query row of everything else, one row of scores.
TEST(ChooseSchedule, DeitTinyNeedsXKAndV) {
  PlanOptions options;
  options.optimize = "ram";
  const Graph graph = fake::Vit(fake::DeitTiny());
  const Alternative a = Chosen(graph, options);
  EXPECT_LE(a.plan.arena_bytes, 3 * 197 * 192 + 1000);
  EXPECT_LE(a.plan.arena_bytes * 100, a.plan.lower_bound_bytes * 101);
  EXPECT_EQ(ValidatePlan(a.graph, kTarget, a.plan), absl::OkStatus());
  for (int block = 0; block < 12; block++)
    for (const char *hidden : {"fc1", "gelu"}) {
      const Buffer *buffer = BufferNamed(a, "block" + std::to_string(block) + "_" + hidden);
      ASSERT_NE(buffer, nullptr);
      EXPECT_TRUE(buffer->tile);
      EXPECT_LE(buffer->bytes, 197 * 768 / 3);  // as many rows as fit where k and v were
    }
}

TEST(ChooseSchedule, BalancedStaysWithinATenthOfTheLeastArena) {
  const Graph graph = fake::Vit(fake::DeitTiny());
  PlanOptions ram;
  ram.optimize = "ram";
  const Alternative least = Chosen(graph, ram), balanced = Chosen(graph, {});
  EXPECT_LE(balanced.plan.arena_bytes * 10, least.plan.arena_bytes * 11);
  EXPECT_LT(balanced.instructions, least.instructions);
  PlanOptions speed;
  speed.optimize = "speed";
  EXPECT_LE(Chosen(graph, speed).instructions, balanced.instructions);
}

TEST(ChooseSchedule, ABlockIsThreeLoopsOverOneResidual) {
  PlanOptions options;
  options.optimize = "ram", options.rows = 1;
  fake::VitSizes sizes;
  sizes.blocks = 1;
  const Alternative a = Chosen(fake::Vit(sizes), options);
  EXPECT_EQ(StageNames(a),
            (std::vector<std::string>{"class_token", "patch_embed", "position", "block0_norm1 block0_k block0_v",
                                      "block0_norm1 block0_q block0_attn block0_proj block0_add1",
                                      "block0_norm2 block0_fc1 block0_gelu block0_fc2 block0_add2", "norm head"}));
  EXPECT_EQ(BufferNamed(a, "position")->offset, BufferNamed(a, "block0_add1")->offset);
  EXPECT_EQ(BufferNamed(a, "position")->offset, BufferNamed(a, "block0_add2")->offset);
  EXPECT_TRUE(a.exact);
}

TEST(ChooseSchedule, NoAlternativeIsDominated) {
  Host host;
  const auto alternatives = *ChooseSchedule(fake::Vit({}), host, kTarget, {});
  EXPECT_GE(alternatives.size(), 3u);
  for (const Alternative &a : alternatives)
    for (const Alternative &b : alternatives) {
      if (&a == &b) continue;
      EXPECT_FALSE(a.plan.arena_bytes <= b.plan.arena_bytes && a.instructions <= b.instructions) << a.name << b.name;
    }
}

TEST(ChooseSchedule, ABudgetGivesTheFastestThatFits) {
  const Graph graph = fake::Vit(fake::DeitTiny());
  PlanOptions options;
  options.arena_budget = 150000;
  Host host;
  const auto alternatives = *ChooseSchedule(graph, host, kTarget, options);
  EXPECT_LE(alternatives[0].plan.arena_bytes, 150000);
  for (const Alternative &a : alternatives)
    EXPECT_TRUE(a.plan.arena_bytes > 150000 || a.instructions >= alternatives[0].instructions);
}

TEST(ChooseSchedule, ABudgetThatCannotBeMetNamesTheStageAndTheLeast) {
  PlanOptions options;
  options.arena_budget = 100000;
  Host host;
  const auto alternatives = ChooseSchedule(fake::Vit(fake::DeitTiny()), host, kTarget, options);
  ASSERT_EQ(alternatives.status().code(), absl::StatusCode::kResourceExhausted);
  const std::string message(alternatives.status().message());
  for (const char *part : {"vit.onnx: arena 114,", " exceeds the budget of 100,000 B; largest: '", "block0_k' 37,824 B",
                           "the least of all schedules", "try a budget of 114,"})
    EXPECT_NE(message.find(part), std::string::npos) << message;
  EXPECT_EQ(message.find('\n'), std::string::npos);
}

TEST(ChooseSchedule, KeepsTheDataOfTheChosenGraphOnly) {
  Graph graph = fake::Vit({});
  const TensorId constant = AddFloats(graph, "w", {2}, {1, 2});
  graph.nodes[0].inputs.push_back(constant);
  Host host;
  const auto alternatives = *ChooseSchedule(graph, host, kTarget, {});
  EXPECT_EQ(alternatives[0].graph.tensors[constant].data.size(), 8u);
  for (size_t i = 1; i < alternatives.size(); i++) EXPECT_TRUE(alternatives[i].graph.tensors[constant].data.empty());
}

// The same graph with its nodes listed in another topological order and the operands of each sum swapped.
Graph Shuffled(const Graph &graph, uint32_t seed) {
  std::mt19937 random(seed);
  Graph shuffled = graph;
  std::vector<bool> done(graph.nodes.size());
  const auto ready = [&](size_t id) {
    for (size_t writer = 0; writer < graph.nodes.size(); writer++)
      for (TensorId input : graph.nodes[id].inputs)
        if (!done[writer] && BaseOf(graph, graph.nodes[writer].outputs[0]) == BaseOf(graph, input)) return false;
    return true;
  };
  shuffled.nodes.clear();
  while (shuffled.nodes.size() < graph.nodes.size()) {
    const size_t id = random() % graph.nodes.size();
    if (done[id] || !ready(id)) continue;
    done[id] = true;
    Node node = graph.nodes[id];
    if (node.name.find("add") != std::string::npos) std::swap(node.inputs[0], node.inputs[1]);
    shuffled.nodes.push_back(node);
  }
  return shuffled;
}

TEST(MakePlan, DoesNotDependOnTheOrderOfNodesAndOperands) {
  const Graph graph = fake::Vit({});
  const Alternative expected = Chosen(graph, {});
  for (uint32_t seed = 0; seed < 3; seed++) {
    const Alternative a = Chosen(Shuffled(graph, seed), {});
    EXPECT_EQ(PlanCsv(a.graph, a.plan), PlanCsv(expected.graph, expected.plan));
    EXPECT_EQ(StageNames(a), StageNames(expected));
  }
}

TEST(MakePlan, IsTheSameTwice) {
  const Graph graph = fake::Vit({});
  EXPECT_EQ(PlanCsv(graph, *MakePlan(graph, kTarget, {})), PlanCsv(graph, *MakePlan(graph, kTarget, {})));
}

TEST(MakePlan, LeavesOutWhatNoOutputNeeds) {
  Graph graph = fake::Vit({});
  fake::AddRowwise(graph, "dead", {graph.inputs[0]}, 3);
  const Plan plan = *MakePlan(graph, kTarget, {});
  EXPECT_EQ(ValidatePlan(graph, kTarget, plan), absl::OkStatus());
  for (const Stage &stage : plan.stages)
    for (NodeId node : stage.nodes) EXPECT_NE(graph.nodes[node].name, "dead");
}

struct BadContract {
  const char *what;
  void (*spoil)(fake::Params &);
};

TEST(MakePlan, NamesTheOpWhoseContractMakesNoSense) {
  const BadContract kBad[] = {
      {"has -1 steps", [](fake::Params &p) { p.steps = -1; }},
      {"negative step, extent", [](fake::Params &p) { p.inputs[0].extent = -1; }},
      {"negative step, extent", [](fake::Params &p) { p.output.before = -3; }},
      {"walks axis 7 of a tensor of rank 2", [](fake::Params &p) { p.inputs[0].axis = 7; }},
      {"walks axis -1", [](fake::Params &p) { p.output.axis = -1; }},
      {"walks past the 9 rows", [](fake::Params &p) { p.steps = 12; }},
      {"writes fewer than the 9 rows", [](fake::Params &p) { p.steps = 5; }},
      {"writes rows twice", [](fake::Params &p) { p.output.extent = 2; }},
      {"negative memory", [](fake::Params &p) { p.scratch_fixed = -100; }},
      {"negative memory", [](fake::Params &p) { p.state = -1; }},
      {"an input it has not got", [](fake::Params &p) { p.in_place = 2; }},
      {"a layout that does not exist", [](fake::Params &p) { p.inputs[0].layout = 9; }},
  };
  for (const BadContract &bad : kBad) {
    Graph graph;
    graph.file = "bad.onnx";
    graph.inputs = {fake::AddBase(graph, "x", {9, 4})};
    const TensorId y = fake::AddBase(graph, "y", {9, 4});
    fake::Params p;
    p.steps = 9, p.inputs[0] = p.output = fake::Rows(0);
    bad.spoil(p);
    fake::AddNode(graph, "node", graph.inputs, y, p);
    graph.outputs = {y};
    const auto plan = MakePlan(graph, kTarget, {});
    ASSERT_EQ(plan.status().code(), absl::StatusCode::kInvalidArgument) << bad.what;
    const std::string message(plan.status().message());
    EXPECT_NE(message.find("bad.onnx: node 'node' (fake.op): its memory contract"), std::string::npos) << message;
    EXPECT_NE(message.find(bad.what), std::string::npos) << message;
  }
}

TEST(PlanCsv, HasALinePerBuffer) {
  const Graph graph = fake::Vit({});
  const Plan plan = *MakePlan(graph, kTarget, {});
  const std::string csv = PlanCsv(graph, plan);
  EXPECT_EQ(csv.rfind("id,lower,upper,size,offset\n", 0), 0u);
  EXPECT_EQ(static_cast<size_t>(std::count(csv.begin(), csv.end(), '\n')), plan.buffers.size() + 1);
  const std::string map = MemoryMap(graph, plan);
  EXPECT_EQ(static_cast<size_t>(std::count(map.begin(), map.end(), '\n')), plan.buffers.size() + 2);
}

TEST(LiveBytes, AreTheBytesOfTheArenaThatSomeBufferHolds) {
  const Graph graph = fake::Vit({});
  const Plan plan = *MakePlan(graph, kTarget, {});
  int32_t begin = 0;
  for (int32_t s = 0; s < static_cast<int32_t>(plan.stages.size()); s++) {
    const int32_t end = begin + static_cast<int32_t>(plan.stages[s].nodes.size());
    int64_t most = 0;
    for (int32_t time = begin; time < end; time++) {
      std::vector<bool> held(plan.arena_bytes);
      for (const Buffer &b : plan.buffers)
        if (b.first <= time && b.last >= time) std::fill_n(held.begin() + b.offset, b.bytes, true);
      most = std::max<int64_t>(most, std::count(held.begin(), held.end(), true));
    }
    EXPECT_EQ(LiveBytes(plan, s), most) << "stage " << s;
    begin = end;
  }
}

}  // namespace
}  // namespace onnx2mcu
