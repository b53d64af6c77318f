// Rows pushed one by one give the bytes of the whole input, from a band that is small and where the validator says.
#include "planner/stream.h"

#include <gtest/gtest.h>

#include <random>

#include "planner/make_plan.h"
#include "tests/planner/fake_op.h"

namespace onnx2mcu {
namespace {

using fake::kTarget;
using Bytes = std::vector<uint8_t>;

struct Image {
  int64_t channels = 1, height = 1, width = 1;
  bool channels_last = false;
  int32_t axis() const { return channels_last ? 0 : 1; }
};

struct Window {
  int32_t step = 1, extent = 1, before = 0;
};

int32_t StepsOf(const Image &image, const Window &w, int32_t after) {
  return static_cast<int32_t>((image.height + w.before + after - w.extent) / w.step + 1);
}

Graph Start(const Image &image) {
  Graph graph;
  graph.file = "image.onnx";
  const std::vector<int64_t> first = {image.channels, image.height, image.width},
                             last = {image.height, image.width, image.channels};
  graph.inputs = {fake::AddBase(graph, "image", image.channels_last ? last : first)};
  return graph;
}

TensorId AddWindow(Graph &graph, const Image &image, const Window &w, int32_t steps, const std::string &name) {
  fake::Params p;
  p.steps = steps, p.scratch_fixed = 8, p.macs_per_row = 100;
  p.state = w.extent % 2 ? 3 : 0;
  p.inputs[0] = fake::Rows(image.axis(), w.step, w.extent, w.before), p.output = fake::Rows(0);
  const TensorId y = fake::AddBase(graph, name, {steps, 5});
  fake::AddNode(graph, name, {graph.inputs[0]}, y, p);
  return y;
}

// A constant-like first stage, a window over the image, rows, and a head that reads all.
Graph Stem(const Image &image, const Window &w) {
  Graph graph = Start(image);
  const TensorId token = fake::AddBase(graph, "token", {3});
  fake::AddNode(graph, "token", {}, token, {});
  const TensorId y = AddWindow(graph, image, w, StepsOf(image, w, w.before), "stem");
  const TensorId z = fake::AddRowwise(graph, "next", {y}, 7);
  const TensorId out = fake::AddBase(graph, "out", {6});
  fake::AddNode(graph, "head", {z, token}, out, {});
  graph.outputs = {out};
  return graph;
}

Bytes Noise(size_t count, uint32_t seed) {
  std::mt19937 random(seed);
  Bytes bytes(count);
  for (uint8_t &byte : bytes) byte = static_cast<uint8_t>(random());
  return bytes;
}

// Rows of pixels whose channels are innermost.
Bytes Interleaved(const Image &image, const Bytes &pixels) {
  if (image.channels_last) return pixels;
  Bytes rows(pixels.size());
  for (int64_t c = 0; c < image.channels; c++)
    for (int64_t y = 0; y < image.height; y++)
      for (int64_t x = 0; x < image.width; x++)
        rows[(y * image.width + x) * image.channels + c] = pixels[(c * image.height + y) * image.width + x];
  return rows;
}

Bytes Whole(const Graph &graph, const Plan &plan, const Bytes &pixels) {
  Bytes output(BytesOf(graph.tensors[graph.outputs[0]]));
  Executor(graph, plan, kTarget).Run({pixels.data()}, {output.data()});
  return output;
}

// Empty where NAME_push_rows or NAME_end say no.
Bytes Streamed(const Graph &graph, const Plan &plan, const Stream &stream, const Bytes &rows, int64_t at_once) {
  Graph moved = graph;
  MoveToBand(&moved, stream);
  const Plan streamed = StreamedPlan(graph, plan, stream);
  Executor executor(moved, streamed, kTarget);
  executor.Begin(stream);
  for (int64_t y = 0; y < stream.image_rows; y += at_once) {
    const auto count = static_cast<int32_t>(std::min(at_once, stream.image_rows - y));
    const Bytes pushed(rows.begin() + y * stream.row_bytes, rows.begin() + (y + count) * stream.row_bytes);
    if (!executor.PushRows(stream, pushed.data(), count)) return {};
  }
  Bytes output(BytesOf(graph.tensors[graph.outputs[0]]));
  return executor.End(stream, {output.data()}) ? output : Bytes{};
}

void ExpectSameBytes(const Graph &graph, const Image &image, const Plan &plan, const Stream &stream,
                     const std::string &what) {
  ASSERT_EQ(stream.why, "") << what;
  ASSERT_EQ(ValidatePlan(graph, kTarget, plan), absl::OkStatus()) << what;
  ASSERT_EQ(ValidateStream(graph, kTarget, plan, stream), absl::OkStatus()) << what;
  const Bytes pixels = Noise(BytesOf(graph.tensors[graph.inputs[0]]), 5), rows = Interleaved(image, pixels);
  const Bytes expected = Whole(graph, plan, pixels);
  for (int64_t at_once : {int64_t{1}, int64_t{3}, image.height})
    ASSERT_EQ(Streamed(graph, plan, stream, rows, at_once), expected) << what << ", " << at_once << " at once";
}

std::string Text(const Image &image, const Window &w, int32_t rows) {
  return testing::PrintToString(std::vector<int64_t>{image.channels, image.height, image.width, image.channels_last,
                                                     w.step, w.extent, w.before, rows});
}

// Patches, overlapping patches, padding at both ends, gaps between patches, rows left over at the end.
const Window kWindows[] = {{4, 4, 0}, {2, 3, 1}, {1, 3, 1}, {4, 7, 3}, {5, 3, 0}, {1, 1, 0}, {1, 5, 2}, {3, 4, 0}};

TEST(Stream, EveryWindowGivesTheBytesOfTheWholeImage) {
  for (const Image &image : {Image{3, 13, 6}, Image{3, 16, 4, true}, Image{1, 12, 9}, Image{2, 17, 1}}) {
    for (const Window &w : kWindows) {
      const Graph graph = Stem(image, w);
      for (int32_t rows : {0, 1, 2, 3}) {
        PlanOptions options;
        options.rows = rows;
        Plan plan = MakePlan(graph, kTarget, options).value();
        const Stream stream = AddStream(graph, kTarget, true, &plan);
        ExpectSameBytes(graph, image, plan, stream, Text(image, w, rows));
        EXPECT_LT(stream.band_rows, image.height);
      }
    }
  }
}

// The head needs room that the band finds free while the image is read.
Graph WideHead(const Image &image, const Window &w) {
  Graph graph = Start(image);
  const TensorId y = AddWindow(graph, image, w, StepsOf(image, w, w.before), "stem");
  fake::Params wide;
  wide.scratch_fixed = 4096;
  const TensorId out = fake::AddBase(graph, "out", {6});
  fake::AddNode(graph, "head", {y}, out, wide);
  graph.outputs = {out};
  return graph;
}

TEST(Stream, TheBandDoesNotRaiseTheArena) {
  const Image image{3, 24, 10};
  for (const Window &w : kWindows) {
    const Graph graph = WideHead(image, w);
    Plan plan = MakePlan(graph, kTarget, {}).value();
    const int64_t before = plan.arena_bytes;
    const Stream stream = AddStream(graph, kTarget, false, &plan);
    ExpectSameBytes(graph, image, plan, stream, Text(image, w, 0));
    EXPECT_EQ(plan.arena_bytes, before);
  }
}

TEST(Stream, WithoutRoomThereIsNoneUnlessTheArenaMayGrow) {
  const Image image{3, 24, 10};
  const Graph graph = Stem(image, {2, 3, 1});
  const Plan plan = MakePlan(graph, kTarget, {}).value();
  Plan refused = plan, raised = plan;
  const Stream no = AddStream(graph, kTarget, false, &refused), yes = AddStream(graph, kTarget, true, &raised);
  EXPECT_NE(no.why.find("would raise the arena by"), std::string::npos) << no.why;
  EXPECT_EQ(refused.arena_bytes, plan.arena_bytes);
  EXPECT_EQ(refused.buffers.size(), plan.buffers.size());
  EXPECT_TRUE(yes.possible());
  EXPECT_GT(raised.arena_bytes, plan.arena_bytes);
  EXPECT_LT(raised.arena_bytes, plan.arena_bytes + 3 * 24 * 10);
  EXPECT_LE(raised.lower_bound_bytes, raised.arena_bytes);
  EXPECT_GT(raised.lower_bound_bytes, plan.lower_bound_bytes);
}

// Two nodes of one loop, one of them a window of every second row from the third on.
TEST(Stream, SeveralReadersOfOneLoopShareTheBand) {
  const Image image{2, 15, 6, true};
  Graph graph = Start(image);
  const TensorId a = AddWindow(graph, image, {2, 5, 2}, 6, "a");
  const TensorId odd = fake::AddView(graph, graph.inputs[0], {6, 6, 2}, 3 * 12, {24, 2, 1});
  fake::Params p;
  p.steps = 6, p.inputs[0] = fake::Rows(0), p.inputs[1] = fake::Rows(0), p.output = fake::Rows(0);
  const TensorId b = fake::AddBase(graph, "b", {6, 4});
  fake::AddNode(graph, "b", {a, odd}, b, p);
  fake::Params all;
  const TensorId out = fake::AddBase(graph, "out", {6});
  fake::AddNode(graph, "head", {a, b}, out, all);
  graph.outputs = {out};
  Contracts contracts = ContractsOf(graph, kTarget).value();
  for (int32_t rows : {1, 2, 4, 6}) {
    Plan plan = PlanStages(graph, kTarget, contracts, {{{0, 1}, 6, rows}, {{2}, 0, 0}});
    const Stream stream = AddStream(graph, kTarget, true, &plan);
    ASSERT_EQ(plan.stages[stream.stage].nodes.size(), 2u);
    ExpectSameBytes(graph, image, plan, stream, Text(image, {}, rows));
  }
}

// Pieces of a kernel, each a convolution of its own over every fourth row, summed up: four loops by themselves.
TEST(Stream, LoopsThatReadTheInputBecomeOne) {
  const Image image{3, 16, 5};
  Graph graph = Start(image);
  fake::Params add, piece;
  piece.steps = 4, piece.inputs[0] = fake::Rows(1, 4, 2), piece.output = fake::Rows(0);
  const TensorId top = fake::AddBase(graph, "top", {4, 6}), bottom = fake::AddBase(graph, "bottom", {4, 6});
  const TensorId shifted = fake::AddView(graph, graph.inputs[0], {3, 14, 5}, 2 * 5, {16 * 5, 5, 1});
  fake::AddNode(graph, "top", {graph.inputs[0]}, top, piece);
  const TensorId half = fake::AddBase(graph, "half", {9}), sum = fake::AddBase(graph, "sum", {8});
  fake::AddNode(graph, "half", {top}, half, add);
  fake::AddNode(graph, "bottom", {shifted}, bottom, piece);
  fake::AddNode(graph, "sum", {half, bottom}, sum, add);
  graph.outputs = {sum};
  Contracts contracts = ContractsOf(graph, kTarget).value();
  for (int32_t rows : {1, 2, 4}) {
    Plan plan = PlanStages(graph, kTarget, contracts, {{{0}, 4, rows}, {{1}, 0, 0}, {{2}, 4, rows}, {{3}, 0, 0}});
    const Stream stream = AddStream(graph, kTarget, true, &plan);
    ASSERT_EQ(stream.why, "");
    EXPECT_EQ(plan.stages[stream.stage].nodes, (std::vector<NodeId>{0, 2}));
    ExpectSameBytes(graph, image, plan, stream, Text(image, {}, rows));
  }
}

TEST(Stream, MisuseIsRefused) {
  const Image image{1, 12, 9};
  const Graph graph = Stem(image, {4, 4, 0});
  Plan plan = MakePlan(graph, kTarget, {}).value();
  const Stream stream = AddStream(graph, kTarget, true, &plan);
  Graph moved = graph;
  MoveToBand(&moved, stream);
  const Plan streamed = StreamedPlan(graph, plan, stream);
  Executor executor(moved, streamed, kTarget);
  const Bytes rows = Noise(13 * 9, 1);
  Bytes output(6), again(6);
  executor.Begin(stream);
  EXPECT_FALSE(executor.PushRows(stream, rows.data(), 13));
  EXPECT_FALSE(executor.PushRows(stream, rows.data(), -1));
  EXPECT_TRUE(executor.PushRows(stream, rows.data(), 11));
  EXPECT_FALSE(executor.End(stream, {output.data()}));
  EXPECT_FALSE(executor.PushRows(stream, rows.data() + 11 * 9, 2));
  EXPECT_TRUE(executor.PushRows(stream, rows.data(), 0));
  EXPECT_TRUE(executor.PushRows(stream, rows.data() + 11 * 9, 1));
  EXPECT_TRUE(executor.End(stream, {output.data()}));
  EXPECT_EQ(output, Whole(graph, plan, rows));  // what was refused has changed nothing
}

TEST(Stream, SaysWhyNot) {
  const auto why = [](const Graph &graph) {
    Plan plan = MakePlan(graph, kTarget, {}).value();
    return AddStream(graph, kTarget, true, &plan).why;
  };
  const auto finish = [](Graph graph, std::vector<TensorId> read) {
    const TensorId out = fake::AddBase(graph, "out", {6});
    fake::AddNode(graph, "head", std::move(read), out, {});
    graph.outputs = {out};
    return graph;
  };
  const Image image{3, 12, 4};
  EXPECT_EQ(why(finish(Start(image), {0})), "'head' reads it whole");
  Graph twice = Start(image);
  const TensorId y = AddWindow(twice, image, {4, 4, 0}, 3, "a"), z = AddWindow(twice, image, {2, 2, 0}, 6, "b");
  EXPECT_NE(why(finish(twice, {y, z})).find("read it in different loops"), std::string::npos);
  Graph two = Start(image);
  two.inputs.push_back(fake::AddBase(two, "other", {12, 2}));
  EXPECT_EQ(why(finish(two, {0, 1})), "the model has 2 inputs");
  Graph early = Start(image);
  early.outputs = {AddWindow(early, image, {4, 4, 0}, 3, "a")};
  EXPECT_EQ(why(early), "output 'a' is written before all of it is read");
  Graph channels = Start(image);  // one step, one channel: three rows that are planes
  fake::Params p;
  p.steps = 1, p.inputs[0] = fake::Rows(1, 12), p.output = fake::Rows(0);
  const TensorId all = fake::AddBase(channels, "all", {1, 5});
  fake::AddNode(channels, "all", {0}, all, p);
  EXPECT_NE(why(finish(channels, {all})).find("one step reads all of it"), std::string::npos);
}

TEST(Stream, TheValidatorCatchesEveryFieldThatIsOff) {
  const Image image{3, 14, 5};
  const Graph graph = Stem(image, {2, 3, 1});
  Plan plan = MakePlan(graph, kTarget, {}).value();
  const Stream good = AddStream(graph, kTarget, true, &plan);
  ASSERT_EQ(ValidateStream(graph, kTarget, plan, good), absl::OkStatus());
  const auto refused = [&](auto change) {
    Stream bad = good;
    Plan changed = plan;
    change(bad, changed);
    return !ValidateStream(graph, kTarget, changed, bad).ok();
  };
  EXPECT_TRUE(refused([](Stream &s, Plan &) { s.before--; }));
  EXPECT_TRUE(refused([](Stream &s, Plan &) { s.extent--; }));
  EXPECT_TRUE(refused([](Stream &s, Plan &) { s.step++; }));
  EXPECT_TRUE(refused([](Stream &s, Plan &) { s.band_rows--; }));
  EXPECT_TRUE(refused([](Stream &s, Plan &) { s.rows++; }));
  EXPECT_TRUE(refused([](Stream &s, Plan &) { std::swap(s.strides[0], s.strides[2]); }));
  EXPECT_TRUE(refused([](Stream &s, Plan &) { s.count_at -= 4; }));
  EXPECT_TRUE(refused([](Stream &s, Plan &p) { p.buffers[s.band].bytes--; }));
  EXPECT_TRUE(refused([](Stream &s, Plan &p) { p.buffers[s.band].first++; }));
  EXPECT_TRUE(refused([](Stream &s, Plan &p) { p.buffers[s.band].offset += 4; }));
  EXPECT_TRUE(refused([](Stream &s, Plan &p) { p.buffers[s.band].offset = p.arena_bytes - 8; }));
  for (size_t i = 0; i < plan.buffers.size(); i++) {  // over any other that is alive with it
    const Buffer &band = plan.buffers[good.band], &other = plan.buffers[i];
    if (static_cast<int32_t>(i) == good.band || other.first > band.last || other.last < band.first) continue;
    EXPECT_TRUE(refused([&](Stream &s, Plan &p) { p.buffers[s.band].offset = other.offset; })) << i;
  }
}

TEST(ImageInArena, TokensOverwriteIt) {
  fake::VitSizes sizes;
  Graph graph = fake::Vit(sizes);
  const Bytes pixels = Noise(BytesOf(graph.tensors[graph.inputs[0]]), 3);
  const Plan outside = MakePlan(graph, kTarget, {}).value();
  const Bytes expected = Whole(graph, outside, pixels);
  graph.tensors[graph.inputs[0]].in_arena = true;
  for (int32_t rows : {0, 1, 2}) {
    PlanOptions options;
    options.rows = rows;
    Plan plan = MakePlan(graph, kTarget, options).value();
    OverwriteInput(graph, kTarget, &plan);
    ASSERT_EQ(ValidatePlan(graph, kTarget, plan), absl::OkStatus());
    EXPECT_EQ(Whole(graph, plan, pixels), expected);
    const Buffer &image = plan.buffers[plan.buffer_of[graph.inputs[0]]];
    EXPECT_EQ(image.first, 0);
    EXPECT_EQ(image.bytes, 3 * 32 * 32);
    const int64_t tokens = sizes.tokens() * sizes.dim;
    EXPECT_LT(plan.arena_bytes, 3 * 32 * 32 + tokens) << rows;  // tokens lie over consumed bands
    Plan late = plan;
    late.buffers[plan.buffer_of[graph.inputs[0]]].first = 1;
    EXPECT_FALSE(ValidatePlan(graph, kTarget, late).ok());
  }
}

}  // namespace
}  // namespace onnx2mcu
