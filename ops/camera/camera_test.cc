// Against the definition: pixels as real numbers, the triangle filter over all of the image.
#include "op_test.hpp"

namespace o2m::testing {
namespace {

struct Params {
  int32_t format, planes, reversed, height, width, full_height, full_width, top, left;
};

// Red, green and blue of a pixel, as whole numbers.
std::vector<double> ColoursOf(const Sample &s, int h, int w) {
  const o2m_tensor &x = s.node->input(0);
  const int format = static_cast<const Params *>(s.node->get()->params)->format;
  const auto byte = [&](int k) {
    return static_cast<int>(std::lround(s.Real(0, (k * x.dims[2] + h) * x.dims[3] + w)));
  };
  if (format == 0) return {1.0 * byte(0), 1.0 * byte(0), 1.0 * byte(0)};
  if (format == 1) return {1.0 * byte(0), 1.0 * byte(1), 1.0 * byte(2)};
  if (format == 2) return {1.0 * byte(2), 1.0 * byte(1), 1.0 * byte(0)};
  const int word = format == 3 ? byte(0) + 256 * byte(1) : 256 * byte(0) + byte(1);
  const int red = word / 2048, green = word / 32 % 64, blue = word % 32;
  return {8.0 * red + red / 4, 4.0 * green + green / 16, 8.0 * blue + blue / 4};  // the high bits again below
}

double ValueOf(const Sample &s, int k, int h, int w) {
  const auto &p = *static_cast<const Params *>(s.node->get()->params);
  const std::vector<double> c = ColoursOf(s, h, w);
  if (p.planes == 1 && p.format == 0) return c[0];
  if (p.planes == 1) return std::floor((19595 * c[0] + 38470 * c[1] + 7471 * c[2]) / 65536 + 0.5);
  return c[static_cast<size_t>(p.reversed ? 2 - k : k)];
}

// The weight of position j for place i.
double Triangle(int i, int j, int size, int full) {
  const double scale = 1.0 * size / full, reach = std::fmax(scale, 1), center = (i + 0.5) * scale;
  return std::fmax(0, 1 - std::fabs(j + 0.5 - center) / reach);
}

double Scaled(const Sample &s, int k, int r, int t) {
  const o2m_tensor &x = s.node->input(0);
  const auto &p = *static_cast<const Params *>(s.node->get()->params);
  if (p.full_height == 0) return ValueOf(s, k, r, t);
  double sum = 0, total = 0;
  for (int h = 0; h < x.dims[2]; ++h) {
    const double down = Triangle(r + p.top, h, x.dims[2], p.full_height);
    for (int w = 0; down > 0 && w < x.dims[3]; ++w) {
      const double weight = down * Triangle(t + p.left, w, x.dims[3], p.full_width);
      if (weight == 0) continue;
      total += weight;
      sum += weight * ValueOf(s, k, h, w);
    }
  }
  return sum / total;
}

std::vector<double> Naive(const Sample &s) {
  const o2m_tensor &y = s.node->output();
  std::vector<double> image;
  for (int k = 0; k < y.dims[1]; ++k) {
    for (int r = 0; r < y.dims[2]; ++r) {
      for (int t = 0; t < y.dims[3]; ++t) image.push_back(Scaled(s, k, r, t));
    }
  }
  return image;
}

TEST(Camera, CasesAreAsDefined) { CheckCases("o2m.camera", 0.6, Naive); }

TEST(Camera, ErrorsOfRandomCases) { CheckRandomCases("o2m.camera", Naive); }

// What is said of a case by its name where its parameters are changed.
std::string Said(const std::string &name, const std::function<void(Params &)> &change) {
  const o2m_op *op = FindOp("o2m.camera");
  const auto *cases = static_cast<const o2m_cases *>(op->get_extension("o2m.cases/1"));
  for (int32_t i = 0; i < cases->count; ++i) {
    if (cases->get(i)->name != name) continue;
    TestNode node(op, *cases->get(i));
    change(*static_cast<Params *>(node.get()->params));
    return node.Infer() == O2M_OK ? "" : node.host().message;
  }
  return "no such case";
}

TEST(Camera, RefusesWhatItCannotRead) {
  EXPECT_EQ(Said("rgb565", [](Params &p) { p.format = 1; }), "the input is [1, 2, 6, 9]; [1, 3, H, W] would work");
  EXPECT_EQ(Said("grey, smaller", [](Params &p) { p.left = 1; }), "the window lies outside of the scaled image");
  EXPECT_EQ(Said("rgb565", [](Params &p) { p.width = 8; }), "an image [1, 2, 6, 9] of another size is to be scaled");
}

}  // namespace
}  // namespace o2m::testing
