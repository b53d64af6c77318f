#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "importer/quant/exact.h"
#include "importer/quant/histogram.h"
#include "importer/quant/quantize.h"

namespace onnx2mcu {
namespace {

Histogram HistogramOf(const std::vector<float> &values) {
  Histogram histogram;
  AddValues(histogram, values.data(), static_cast<int64_t>(values.size()));
  return histogram;
}

double RoundTripError(const std::vector<float> &values, const QuantParams &q) {
  double error = 0;
  for (float v : values) {
    const long n = std::clamp(std::lround(v / q.scale[0]) + q.zero_point[0], -128L, 127L);
    const double back = double{q.scale[0]} * static_cast<double>(n - q.zero_point[0]);
    error += (back - double{v}) * (back - double{v});
  }
  return error / static_cast<double>(values.size());
}

TEST(Histogram, KeepsEveryCountWhileItGrows) {
  Histogram h = HistogramOf({0.0001f, -0.0002f});
  const float later[] = {100.0f, -3.0f};
  AddValues(h, later, 2);
  int64_t sum = 0;
  for (int64_t bin : h.bins) sum += bin;
  EXPECT_EQ(sum, 4);
  EXPECT_EQ(h.count, 4);
  EXPECT_GT(h.limit, 100.0);
  EXPECT_EQ(h.min, -3.0f);
  EXPECT_EQ(h.max, 100.0f);
}

TEST(RangeS8, ZeroIsExactAndTheRangeIsUsed) {
  const QuantParams q = RangeS8(HistogramOf({1.0f, 2.0f, 3.0f, 5.1f}));
  EXPECT_EQ(q.zero_point[0], -128);  // all positive: zero is the lowest value
  EXPECT_NEAR(q.scale[0], 5.1 / 255, 1e-6);
}

TEST(RangeS8, CutsAnOutlierOfManyValues) {
  std::mt19937 random(3);
  std::normal_distribution<float> normal;
  std::vector<float> values(500000);
  for (float &v : values) v = normal(random);
  values[17] = 15.0f;
  const QuantParams cut = RangeS8(HistogramOf(values));
  EXPECT_LT(cut.scale[0] * 255, 12.0f);
  QuantParams whole = cut;
  whole.scale[0] = 20.0f / 255, whole.zero_point[0] = -64;
  EXPECT_LT(RoundTripError(values, cut), RoundTripError(values, whole));
}

TEST(RangeS8, OfNothingIsHarmless) {
  EXPECT_EQ(RangeS8(Histogram()).scale[0], 1.0f);
  EXPECT_GT(RangeS8(HistogramOf({0.0f, 0.0f})).scale[0], 0.0f);
}

TEST(RangeS8, LeavesRoomForWhatFewSamplesDidNotShow) {
  std::mt19937 random(5);
  std::normal_distribution<float> normal;
  std::vector<float> values(2000);
  for (float &v : values) v = normal(random);
  const Histogram h = HistogramOf(values);
  const float all = RangeS8(h).scale[0], many = RangeS8(h, 32).scale[0], one = RangeS8(h, 1).scale[0];
  EXPECT_LT(all, many);
  EXPECT_LT(many, one);
  EXPECT_LT(one, 2 * all);
  EXPECT_EQ(RangeS8(h, kEnoughSamples * 10).scale[0], all);
}

// Values of one sample go up and down together: how much its extremes vary says more than the tail of all values.
TEST(RangeS8, LeavesRoomForSamplesThatDiffer) {
  std::mt19937 random(6);
  std::normal_distribution<float> normal;
  Histogram even, uneven, pooled;
  for (int64_t n = 0; n < 16; n++) {
    std::vector<float> values(500);
    for (float &v : values) v = std::clamp(normal(random), -2.0f, 2.0f);
    AddSample(even, n, values.data(), 500);
    for (float &v : values) v *= 1 + static_cast<float>(n) / 8;
    AddSample(uneven, n, values.data(), 200);
    AddSample(uneven, n, values.data() + 200, 300);
    AddValues(pooled, values.data(), 500);
  }
  EXPECT_GT(RangeS8(uneven, 16).scale[0], 1.2f * RangeS8(pooled, 16).scale[0]);
  EXPECT_LT(RangeS8(even, 16).scale[0] * 255, 4.5f);
  EXPECT_EQ(RangeS8(uneven).scale[0], RangeS8(pooled).scale[0]);
}

TEST(Spread, IsOfTheLargestSampleAndTheMiddleOne) {
  Histogram h;
  EXPECT_EQ(Spread(h), 1);
  const float values[] = {-1.0f, 2.0f, 0.5f, -20.0f};
  AddSample(h, 0, values, 1);
  EXPECT_EQ(Spread(h), 1);
  AddSample(h, 1, values, 2);
  AddSample(h, 2, values, 4);
  EXPECT_EQ(Spread(h), 10);
}

// Of few samples more are to be expected, by how much these differ.
TEST(Spread, GrowsWhereSamplesAreFew) {
  Histogram alike, apart;
  for (int64_t n = 0; n < 16; n++) {
    const float peak = 1 + 0.01f * static_cast<float>(n), wide = 1 + 0.1f * static_cast<float>(n % 8);
    AddSample(alike, n, &peak, 1), AddSample(apart, n, &wide, 1);
  }
  EXPECT_NEAR(Spread(alike, 16), Spread(alike), 0.1);
  EXPECT_GT(Spread(apart, 16), Spread(apart) + 0.2);
  EXPECT_EQ(Spread(apart, 16 * kEnoughSamples), Spread(apart));
}

TEST(RangeS8, LeavesNoRoomBeyondABound) {
  std::vector<float> values(1000, 6.0f);
  for (size_t i = 0; i < 500; i++) values[i] = static_cast<float>(i) * 0.01f;  // ReLU6: nothing below 0, a pile at 6
  const QuantParams q = RangeS8(HistogramOf(values), 1);
  EXPECT_EQ(q.zero_point[0], -128);
  EXPECT_NEAR(q.scale[0] * 255, 6.0, 0.01);
}

// Of f(dequantised values) instead of the values themselves.
double ErrorThrough(const std::vector<float> &values, const QuantParams &q, float (*f)(float)) {
  double error = 0;
  for (float v : values) {
    const long n = std::clamp(std::lround(v / q.scale[0]) + q.zero_point[0], -128L, 127L);
    const double back = f(q.scale[0] * static_cast<float>(n - q.zero_point[0]));
    error += (back - double{f(v)}) * (back - double{f(v)});
  }
  return error / static_cast<double>(values.size());
}

std::vector<float> At(std::vector<float> x, float (*f)(float)) {
  for (float &v : x) v = f(v);
  return x;
}

TEST(RangeThrough, SpendsNoStepOnWhatTheFunctionFlattens) {
  std::mt19937 random(7);
  std::normal_distribution<float> normal(-1.0f, 2.0f);
  std::vector<float> values(20000);
  for (float &v : values) v = normal(random);
  const Histogram h = HistogramOf(values);
  const auto relu = [](float v) { return std::max(v, 0.0f); };
  const auto gelu = [](float v) { return 0.5f * v * (1 + std::erf(v / std::sqrt(2.0f))); };
  const QuantParams plain = RangeS8(h), r = RangeThrough(h, At(CentersOf(h), relu)),
                    g = RangeThrough(h, At(CentersOf(h), gelu));
  EXPECT_EQ(r.zero_point[0], -128);
  EXPECT_LT(ErrorThrough(values, r, relu), 0.4 * ErrorThrough(values, plain, relu));
  EXPECT_LT(ErrorThrough(values, g, gelu), 0.7 * ErrorThrough(values, plain, gelu));
  EXPECT_EQ(RangeThrough(h, {}).scale[0], plain.scale[0]);
}

TEST(RangeThrough, LeavesFunctionsThatJumpTheirWholeRange) {
  Histogram h;
  std::vector<float> values;
  for (int i = -200; i <= 200; i++) values.push_back(0.01f * static_cast<float>(i) + 0.003f);
  AddValues(h, values.data(), static_cast<int64_t>(values.size()));
  const auto sign = [](float x) { return x > 0 ? 1.0f : x < 0 ? -1.0f : 0.0f; };
  EXPECT_EQ(RangeThrough(h, At(CentersOf(h), sign)).scale[0], RangeS8(h).scale[0]);
}

TEST(RangeS16, IsSymmetricWithABitOfHeadroom) {
  const QuantParams q = RangeS16(HistogramOf({-4.0f, 1.0f}));
  EXPECT_EQ(q.zero_point[0], 0);
  EXPECT_NEAR(q.scale[0] * 32767, 8.0, 1e-4);
}

Graph ImageGraph() {
  Graph graph;
  graph.file = "m.onnx", graph.opset = 17;
  Tensor x;
  x.name = "image", x.dims = {1, 3, 4, 4};
  graph.inputs = {AddTensor(graph, x)};
  graph.outputs = graph.inputs;
  return graph;
}

PixelOptions Pixels(const std::string &mean, const std::string &std, const std::string &format = "") {
  PixelOptions options;
  options.mean = mean, options.std = std, options.input_format = format;
  return options;
}

Preprocessing Normalisation(const std::vector<float> &mean, const std::vector<float> &std) {
  Preprocessing p;
  p.mean = mean, p.std = std;
  return p;
}

TEST(RangeFine, SpendsAllOf16Bits) {
  const QuantParams q = RangeFine(HistogramOf({-1.0f, 4.0f}), 0);
  EXPECT_NEAR(q.scale[0], 5.0 / 65535, 1e-9);
  EXPECT_NEAR(q.zero_point[0], -32768 + 65535 / 5, 1);
}

TEST(RangeFine, LiesOnTheStepWhereItReachesFarEnough) {
  const Histogram h = HistogramOf({-1.0f, 4.0f});
  EXPECT_EQ(RangeFine(h, 0.001).scale[0], 0.001f);
  EXPECT_EQ(RangeFine(h, 0.001).zero_point[0], 0);
  EXPECT_LT(RangeFine(h, 0.0001).scale[0], 0.0001f);
}

// x [4,8] on a grid of 0.5; its mean, and what x is away from that.
TEST(ExactSteps, OfAMeanAndWhatItIsTakenOff) {
  Graph graph;
  for (const int64_t columns : {8, 1, 8, 8}) {
    Tensor tensor;
    tensor.dims = {4, columns};
    graph.tensors.push_back(tensor);
  }
  const std::vector<std::pair<const char *, std::vector<TensorId>>> made = {
      {"ReduceMean", {0}}, {"Sub", {0, 1}}, {"Mul", {2, 1}}};
  for (const auto &[type, inputs] : made) {
    FloatNode node;
    node.op_type = type;
    graph.float_nodes.push_back(node);
    Node op;
    op.inputs = inputs, op.outputs = {static_cast<TensorId>(graph.nodes.size() + 1)};
    op.float_nodes = {static_cast<NodeId>(graph.nodes.size())};
    graph.nodes.push_back(op);
  }
  GivenGrids given(4);
  given[0] = Grid{0.5f, 3, -128, 127};
  const std::vector<double> steps = ExactSteps(
      graph, [](TensorId id) { return id; }, given);
  EXPECT_EQ(steps[1], 0.5 / 8);
  EXPECT_EQ(steps[2], 0.5 / 8);
  EXPECT_EQ(steps[3], 0);
}

TEST(Preprocessing, ComesFromMetadataAndOptionsWin) {
  Graph graph = ImageGraph();
  graph.metadata = {{"onnx2mcu.mean", "0.5"}, {"onnx2mcu.std", "0.25"}};
  EXPECT_EQ(PreprocessingOf(graph, {})->mean, std::vector<float>{0.5f});
  EXPECT_EQ(PreprocessingOf(graph, Pixels("0.1", "0.2"))->std, std::vector<float>{0.2f});
  EXPECT_FALSE(PreprocessingOf(ImageGraph(), {})->known());
}

TEST(Preprocessing, RefusesWhatCannotBe) {
  EXPECT_FALSE(PreprocessingOf(ImageGraph(), Pixels("0.1,0.2", "0.5")).ok());
  EXPECT_FALSE(PreprocessingOf(ImageGraph(), Pixels("0.1", "0")).ok());
  EXPECT_FALSE(PreprocessingOf(ImageGraph(), Pixels("a", "1")).ok());
  Graph graph = ImageGraph();
  EXPECT_FALSE(ApplyPreprocessing(graph, Normalisation({0.1f, 0.2f}, {1.0f, 1.0f})).ok());
}

TEST(Preprocessing, PixelsGiveTheNormalisedImage) {
  Graph graph = ImageGraph();
  const TensorId old = graph.outputs[0];
  ASSERT_TRUE(ApplyPreprocessing(graph, Normalisation({0.5f, 0.25f, 0.0f}, {0.5f, 0.25f, 1.0f})).ok());
  EXPECT_NE(graph.inputs[0], old);
  EXPECT_EQ(graph.tensors[graph.inputs[0]].name, "image");
  const Value pixels{DType::kF32, {1, 3, 4, 4}, std::vector<float>(48, 255.0f), {}};
  const auto out = Evaluate(graph, {pixels});
  ASSERT_TRUE(out.ok()) << out.status();
  EXPECT_NEAR((*out)[0].f[0], 1.0, 1e-5);
  EXPECT_NEAR((*out)[0].f[16], 3.0, 1e-5);
  EXPECT_NEAR((*out)[0].f[47], 1.0, 1e-5);
}

// What the image graph makes of bytes that are 1, 2, 3, ... pixel plane by pixel plane, with plain pixels as its input.
std::vector<float> ImageOf(const PixelOptions &options) {
  Graph graph = ImageGraph();
  const auto p = PreprocessingOf(graph, options);
  if (!p.ok() || !ApplyPreprocessing(graph, *p).ok()) return {};
  Value bytes{DType::kF32, graph.tensors[graph.inputs[0]].dims, {}, {}};
  for (int64_t i = 0; i < ElementCount(bytes.dims); i++) bytes.f.push_back(static_cast<float>(i + 1));
  const auto out = Evaluate(graph, {bytes});
  return out.ok() ? (*out)[0].f : std::vector<float>{};
}

TEST(Preprocessing, PutsColoursInTheModelsOrder) {
  const std::string unit = "0.00392156862745098";  // 1/255: pixels stay what they are
  const std::vector<float> bgr = ImageOf(Pixels("0", unit, "bgr"));
  ASSERT_EQ(bgr.size(), 48u);
  EXPECT_FLOAT_EQ(bgr[0], 33);
  EXPECT_FLOAT_EQ(bgr[47], 16);
  PixelOptions both = Pixels("0", unit, "bgr");
  both.channels = "bgr";
  EXPECT_FLOAT_EQ(ImageOf(both)[0], 1);
  const std::vector<float> grey = ImageOf(Pixels("0", unit, "gray"));
  EXPECT_FLOAT_EQ(grey[0], 1);
  EXPECT_FLOAT_EQ(grey[47], 16);
  const std::vector<float> packed = ImageOf(Pixels("0", unit, "rgb565"));  // first pixel: bytes 1 and 17
  EXPECT_FLOAT_EQ(packed[0], 17 / 8 * 8 + 17 / 8 / 4);
  EXPECT_FLOAT_EQ(packed[32], 1 * 8 + 1 / 4);
}

TEST(Preprocessing, TakesAWindowAndScalesIt) {
  const std::string unit = "0.00392156862745098";
  PixelOptions options = Pixels("0", unit, "gray");
  options.input_size = "8x6", options.crop = "4x4+1+2";
  EXPECT_FLOAT_EQ(ImageOf(options)[0], 2 * 8 + 1 + 1);
  options.crop = "", options.input_size = "8x8";
  const std::vector<float> halved = ImageOf(options);
  ASSERT_EQ(halved.size(), 48u);
  EXPECT_NEAR(halved[5], (8 * 2.5 + 2.5 + 1), 0.6);  // the middle of pixels 2 and 3 of rows 2 and 3
}

TEST(Preprocessing, RefusesSizesThatCannotBe) {
  PixelOptions options = Pixels("0", "1", "gray");
  const auto refused = [&options] {
    Graph graph = ImageGraph();
    const auto p = PreprocessingOf(graph, options);
    return !p.ok() || !ApplyPreprocessing(graph, *p).ok();
  };
  EXPECT_FALSE(refused());
  for (const char *crop : {"5x5", "4x4+1+0", "0x4", "4", "4x4+1", "axb", "4x4+1+-1"}) {
    options.crop = crop;
    EXPECT_TRUE(refused()) << crop;
  }
  options.crop = "", options.resize = "3";
  EXPECT_TRUE(refused());
  options = Pixels("0", "1");
  options.input_size = "8x8";  // of what format?
  EXPECT_TRUE(refused());
  EXPECT_FALSE(PreprocessingOf(ImageGraph(), Pixels("0", "1", "yuv")).ok());
  EXPECT_FALSE(PreprocessingOf(ImageGraph(), Pixels("", "", "rgb565")).ok());
}

}  // namespace
}  // namespace onnx2mcu
