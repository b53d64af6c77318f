// The validator against plans with one offset or lifetime changed into a conflict. What a conflict is, byte_owners.h
// decides, which follows every byte of the arena and shares nothing with the planner or the validator.
#include <gtest/gtest.h>

#include <functional>

#include "planner/contract.h"
#include "planner/place.h"
#include "planner/prefetch.h"
#include "tests/planner/byte_owners.h"
#include "tests/planner/random_graph.h"

namespace onnx2mcu {
namespace {

using fake::kTarget;

int32_t Upto(std::mt19937 &random, size_t n) { return static_cast<int32_t>(random() % n); }

bool Accepted(const Graph &graph, const Plan &plan) { return ValidatePlan(graph, kTarget, plan).ok(); }

// So that neither the arena's size nor its bound gives a mutation away.
void FitArena(Plan &plan) {
  plan.lower_bound_bytes = 0;
  for (const Buffer &b : plan.buffers) plan.arena_bytes = std::max(plan.arena_bytes, b.offset + b.bytes);
}

int64_t AlignOf(const Buffer &b) { return b.kind == BufferKind::kTensor ? kTensorAlign : kBlockAlign; }

// One buffer somewhere else: anywhere, onto another one, or a little to the side.
Plan MoveOne(std::mt19937 &random, Plan plan) {
  Buffer &moved = plan.buffers[Upto(random, plan.buffers.size())];
  const int64_t align = AlignOf(moved), before = moved.offset;
  while (moved.offset == before) {
    const Buffer &other = plan.buffers[Upto(random, plan.buffers.size())];
    const int kind = Upto(random, 3);
    moved.offset = kind == 0   ? Upto(random, plan.arena_bytes + 1)
                   : kind == 1 ? other.offset
                               : before - 24 + Upto(random, 49);
    moved.offset = std::max<int64_t>(moved.offset, 0) / align * align;
  }
  FitArena(plan);
  return plan;
}

// As above, and the plan claims that all that overlaps may be written over each other.
Plan MoveOneAndClaimIt(std::mt19937 &random, const Plan &original) {
  Plan plan = MoveOne(random, original);
  for (int32_t i = 0; i < static_cast<int32_t>(plan.buffers.size()); i++)
    for (int32_t j = 0; j < static_cast<int32_t>(plan.buffers.size()); j++) {
      const Buffer &a = plan.buffers[i], &b = plan.buffers[j];
      if (i != j && a.offset < b.offset + b.bytes && b.offset < a.offset + a.bytes && a.offset >= b.offset)
        plan.overwrites.push_back({i, j, 0});
    }
  return plan;
}

// One buffer dies early or is born late, and the placer believes it.
Plan ShortenOne(std::mt19937 &random, Plan plan) {
  Buffer &shortened = plan.buffers[Upto(random, plan.buffers.size())];
  if (shortened.first == shortened.last) return plan;
  const int32_t by = 1 + Upto(random, shortened.last - shortened.first);
  Upto(random, 2) ? shortened.first += by : shortened.last -= by;
  std::vector<int32_t> stage_of;
  for (size_t s = 0; s < plan.stages.size(); s++)
    stage_of.insert(stage_of.end(), plan.stages[s].nodes.size(), static_cast<int32_t>(s));
  shortened.first_stage = stage_of[shortened.first], shortened.last_stage = stage_of[shortened.last];
  Problem problem;
  problem.work_limit = 2000;
  for (const Buffer &b : plan.buffers) problem.blocks.push_back({"", b.bytes, AlignOf(b), b.first, b.last});
  for (const Overwrite &o : plan.overwrites) problem.distances.push_back({o.x, o.y, o.distance});
  const Solution solution = PlaceBlocks(problem);
  for (size_t i = 0; i < plan.buffers.size(); i++) plan.buffers[i].offset = solution.offsets[i];
  FitArena(plan);
  return plan;
}

// Two buffers may pass closer by each other than they should, and the placer believes it.
Plan LoosenOne(std::mt19937 &random, Plan plan) {
  if (plan.overwrites.empty()) return plan;
  Overwrite &o = plan.overwrites[Upto(random, plan.overwrites.size())];
  plan.buffers[o.y].offset += 8 * (1 + Upto(random, 3));
  o.distance = 0;
  FitArena(plan);
  return plan;
}

// A loop takes other steps at a time than its tiles are made for.
Plan ChangeRows(std::mt19937 &random, Plan plan) {
  Stage &stage = plan.stages[Upto(random, plan.stages.size())];
  if (stage.steps > 0) stage.rows = 1 + Upto(random, stage.steps);
  return plan;
}

// A tensor is taken for a tile, or a tile for a tensor.
Plan ChangeTile(std::mt19937 &random, Plan plan) {
  Buffer &buffer = plan.buffers[Upto(random, plan.buffers.size())];
  if (buffer.kind == BufferKind::kTensor) buffer.tile = !buffer.tile;
  return plan;
}

// Two nodes change places.
Plan SwapNodes(std::mt19937 &random, Plan plan) {
  const auto node = [&]() -> NodeId & {
    Stage &stage = plan.stages[Upto(random, plan.stages.size())];
    return stage.nodes[Upto(random, stage.nodes.size())];
  };
  std::swap(node(), node());
  return plan;
}

struct Subject {
  Graph graph;
  Plan plan;
};

void AddAlternatives(const Graph &graph, std::vector<Subject> &subjects) {
  Host host;
  const auto alternatives = ChooseSchedule(graph, host, kTarget, {});
  EXPECT_EQ(alternatives.status(), absl::OkStatus());
  if (!alternatives.ok()) return;
  for (const Alternative &a : *alternatives) subjects.push_back({a.graph, a.plan});
}

// Small transformers and random graphs, in loops of several lengths; the input elsewhere or in the arena, where it is
// overwritten; and whatever schedules the search finds.
std::vector<Subject> Subjects() {
  std::vector<Graph> graphs;
  for (int64_t dim : {6, 8}) {
    fake::VitSizes sizes;
    sizes.image = 24, sizes.dim = dim, sizes.hidden = 2 * dim + 1, sizes.blocks = 1 + dim % 4;
    graphs.push_back(fake::Vit(sizes));
  }
  for (uint32_t seed = 0; seed < 40; seed++) graphs.push_back(RandomGraph{}.Make(seed));
  for (size_t i = 0; i < 8; i++) {
    graphs.push_back(graphs[i]);
    graphs.back().tensors[graphs.back().inputs[0]].in_arena = true;
  }
  std::vector<Subject> subjects;
  for (size_t i = 0; i < 4; i++) AddAlternatives(graphs[i], subjects);
  for (const Graph &graph : graphs)
    for (int32_t rows : {0, 1, 3}) {
      PlanOptions options;
      options.rows = rows;
      const auto plan = MakePlan(graph, kTarget, options);
      EXPECT_EQ(plan.status(), absl::OkStatus());
      if (plan.ok() && plan->buffers.size() > 2) subjects.push_back({graph, *plan});
    }
  return subjects;
}

struct MutationTally {
  int conflicts = 0, harmless = 0, harmless_accepted = 0;
};

MutationTally Try(const std::vector<Subject> &subjects, const std::function<Plan(std::mt19937 &, const Plan &)> &mutate,
                  int each) {
  std::mt19937 random(1);
  MutationTally tally;
  for (size_t s = 0; s < subjects.size(); s++) {
    for (int trial = 0; trial < each; trial++) {
      const Plan plan = mutate(random, subjects[s].plan);
      const std::string wrong = ByteOwners(subjects[s].graph, plan, kTarget).Play();
      const bool accepted = Accepted(subjects[s].graph, plan);
      EXPECT_FALSE(accepted && !wrong.empty()) << "subject " << s << " trial " << trial << ": " << wrong;
      tally.conflicts += !wrong.empty(), tally.harmless += wrong.empty();
      tally.harmless_accepted += wrong.empty() && accepted;
    }
  }
  return tally;
}

// The same with constants of many sizes, as many of them on their way in the arena as may be.
std::vector<Subject> PrefetchSubjects() {
  std::mt19937 random(7);
  std::vector<Subject> subjects;
  for (Subject &subject : Subjects()) {
    for (Node &node : subject.graph.nodes) {
      for (int32_t slot = Upto(random, 3); slot-- > 0;) {
        Constant &constant = node.constants.emplace_back();
        constant.dtype = DType::kS8, constant.count = 64 + Upto(random, 80);
        constant.data.resize(static_cast<size_t>(constant.count));
      }
    }
    AddPrefetch(subject.graph, 64 * (1 + Upto(random, 12)), 0, &subject.plan);
    if (!subject.plan.prefetches.empty()) subjects.push_back(std::move(subject));
  }
  return subjects;
}

Prefetch &AnyPrefetch(std::mt19937 &random, Plan &plan) {
  return plan.prefetches[Upto(random, plan.prefetches.size())];
}

// What is prefetched lies somewhere else, has less room, or does not live from before the transfer to after the reader.
Plan ChangePrefetchBuffer(std::mt19937 &random, Plan plan) {
  Buffer &buffer = plan.buffers[AnyPrefetch(random, plan).buffer];
  const Buffer &other = plan.buffers[Upto(random, plan.buffers.size())];
  const int kind = Upto(random, 4);
  if (kind == 0) buffer.offset = other.offset / kBlockAlign * kBlockAlign;
  if (kind == 1) buffer.offset = std::max<int64_t>(buffer.offset - 32 + Upto(random, 65), 0);
  if (kind == 2) buffer.bytes -= 1 + Upto(random, buffer.bytes);
  if (kind == 3) return ShortenOne(random, plan);
  FitArena(plan);
  return plan;
}

// It comes for another stage, or into the buffer of another constant.
Plan ChangePrefetch(std::mt19937 &random, Plan plan) {
  Prefetch &prefetch = AnyPrefetch(random, plan);
  if (Upto(random, 2))
    prefetch.stage += Upto(random, 2) ? 1 : -1;
  else
    std::swap(prefetch.buffer, AnyPrefetch(random, plan).buffer);
  return plan;
}

TEST(ValidatePlan, AcceptsWhatHasNoConflict) {
  for (const Subject &subject : Subjects()) {
    EXPECT_EQ(ByteOwners(subject.graph, subject.plan, kTarget).Play(), "");
    EXPECT_EQ(ValidatePlan(subject.graph, kTarget, subject.plan), absl::OkStatus());
  }
}

TEST(ValidatePlan, RejectsEveryMutationThatIsAConflict) {
  const std::vector<Subject> subjects = Subjects();
  ASSERT_GT(subjects.size(), 100u);
  const MutationTally moved = Try(subjects, MoveOne, 16), claimed = Try(subjects, MoveOneAndClaimIt, 16);
  const MutationTally shortened = Try(subjects, ShortenOne, 16), loosened = Try(subjects, LoosenOne, 6);
  EXPECT_GE(moved.conflicts, 500);
  EXPECT_GE(claimed.conflicts, 500);
  EXPECT_GE(shortened.conflicts, 400);
  EXPECT_GE(loosened.conflicts, 100);
  EXPECT_GE(moved.harmless_accepted, 100);  // it does not reject for the sake of it
}

TEST(ValidatePlan, RejectsOtherLoopsTilesAndOrdersThatAreConflicts) {
  const std::vector<Subject> subjects = Subjects();
  const MutationTally rows = Try(subjects, ChangeRows, 6), tiles = Try(subjects, ChangeTile, 6);
  const MutationTally nodes = Try(subjects, SwapNodes, 6);
  EXPECT_GE(rows.conflicts, 150);
  EXPECT_GE(tiles.conflicts, 300);
  EXPECT_GE(nodes.conflicts, 400);
  EXPECT_GE(nodes.harmless_accepted, 50);
}

TEST(ValidatePlan, RejectsEveryMutationOfAPrefetchThatIsAConflict) {
  const std::vector<Subject> subjects = PrefetchSubjects();
  ASSERT_GT(subjects.size(), 100u);
  for (const Subject &subject : subjects) {
    EXPECT_EQ(ByteOwners(subject.graph, subject.plan, kTarget).Play(), "");
    EXPECT_EQ(ValidatePlan(subject.graph, kTarget, subject.plan), absl::OkStatus());
  }
  const MutationTally moved = Try(subjects, MoveOne, 4), placed = Try(subjects, ChangePrefetchBuffer, 16);
  const MutationTally changed = Try(subjects, ChangePrefetch, 8);
  EXPECT_GE(moved.conflicts, 200);
  EXPECT_GE(placed.conflicts, 500);
  EXPECT_GE(changed.conflicts, 300);
  EXPECT_GE(placed.harmless_accepted, 50);
}

// An op that walks its row upward may not find it spread out: y's columns are two bytes apart, x's one.
TEST(ValidatePlan, RejectsWritingARowFasterThanItIsRead) {
  Graph graph;
  graph.inputs = {fake::AddBase(graph, "in", {6, 4})};
  const TensorId x = fake::AddBase(graph, "x", {6, 8}), y = fake::AddBase(graph, "y", {6, 8});
  const TensorId out = fake::AddBase(graph, "out", {6, 8});
  graph.outputs = {out};
  fake::Params p;
  p.steps = 6, p.inputs[0] = p.output = fake::Rows(0);
  fake::AddNode(graph, "write_x", {graph.inputs[0]}, x, p);
  fake::Params walk = p;
  walk.in_place = 1;
  const TensorId half = fake::AddView(graph, x, {6, 4}, 0, {8, 1});
  fake::AddNode(graph, "walk", {half}, fake::AddView(graph, y, {6, 4}, 0, {8, 2}), walk);
  fake::AddNode(graph, "fill", {graph.inputs[0]}, fake::AddView(graph, y, {6, 4}, 1, {8, 2}), p);
  fake::AddNode(graph, "read_y", {y}, out, p);
  for (int64_t offset : {0, 8}) {
    Plan plan;
    plan.stages = {{{0}, 6, 2}, {{1}, 6, 2}, {{2}, 6, 2}, {{3}, 6, 2}};
    plan.buffers = {{BufferKind::kTensor, x, 48, offset, 0, 1, 0, 1}, {BufferKind::kTensor, y, 48, 0, 1, 3, 1, 3}};
    plan.overwrites = {{0, 1, 0}};
    plan.buffer_of.assign(graph.tensors.size(), kNone);
    plan.buffer_of[x] = 0, plan.buffer_of[y] = 1;
    plan.scratch_of.assign(graph.nodes.size(), kNone), plan.state_of = plan.scratch_of;
    plan.arena_bytes = 56;
    const std::string wrong = ByteOwners(graph, plan, kTarget).Play();
    EXPECT_EQ(wrong, offset == 0 ? "walk overwrites the rest of its row" : "");
    EXPECT_EQ(ValidatePlan(graph, kTarget, plan).ok(), offset == 8);
  }
}

}  // namespace
}  // namespace onnx2mcu
