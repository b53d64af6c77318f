// Against a naive convolution in double over weights that the test quantises itself.
#include "op_test.hpp"

namespace o2m::testing {
namespace {

struct Strides {
  int32_t h, w;
};
Strides StridesOf(const TestNode &node) {
  return *static_cast<const Strides *>(const_cast<TestNode &>(node).get()->params);
}

// The float weights as s8 per output channel holds them, [O][K].
std::vector<double> QuantisedWeights(const o2m_tensor &w) {
  std::vector<double> result;
  const int64_t depth = ElementCount(w) / w.dims[0];
  for (int64_t o = 0; o < w.dims[0]; ++o) {
    double largest = 0;
    for (int64_t k = 0; k < depth; ++k) largest = std::fmax(largest, std::fabs(Floats(w)[o * depth + k]));
    for (int64_t k = 0; k < depth; ++k) {
      const double weight = Floats(w)[o * depth + k];
      result.push_back(largest > 0 ? std::floor(weight * 127 / largest + 0.5) * largest / 127 : 0);
    }
  }
  return result;
}

std::vector<double> NaivePatches(const Sample &s, const std::vector<double> &weights) {
  const o2m_tensor &x = s.node->input(0), &w = s.node->input(1), &y = s.node->output();
  const Strides stride = StridesOf(*s.node);
  std::vector<double> result;
  for (int o = 0; o < y.dims[1]; ++o) {
    for (int r = 0; r < y.dims[2]; ++r) {
      for (int t = 0; t < y.dims[3]; ++t) {
        double sum = Floats(s.node->input(2))[o];
        for (int c = 0; c < w.dims[1]; ++c) {
          for (int i = 0; i < w.dims[2]; ++i) {
            for (int j = 0; j < w.dims[3]; ++j) {
              const int row = r * stride.h + i, column = t * stride.w + j;
              sum += s.Real(0, (c * x.dims[2] + row) * x.dims[3] + column) *
                     weights[((o * w.dims[1] + c) * w.dims[2] + i) * w.dims[3] + j];
            }
          }
        }
        result.push_back(sum);
      }
    }
  }
  return result;
}

// Beside the output's rounding there is that of the bias and of the multipliers: a few thousandths of an LSB.
TEST(PatchEmbed, CasesAreRoundedOnce) {
  CheckCases("o2m.patch_embed", 0.52,
             [](const Sample &s) { return NaivePatches(s, QuantisedWeights(s.node->input(1))); });
}

TEST(PatchEmbed, ErrorsOfRandomCases) {
  CheckRandomCases("o2m.patch_embed",
                   [](const Sample &s) { return NaivePatches(s, QuantisedWeights(s.node->input(1))); });
}

TEST(PatchEmbed, ErrorsOfWorstCases) {
  CheckWorstCases("o2m.patch_embed",
                  [](const Sample &s) { return NaivePatches(s, QuantisedWeights(s.node->input(1))); });
}

TEST(PatchEmbed, RefusesWhatLiesBeyondTheWorstCases) {
  EXPECT_EQ(Refusal("o2m.patch_embed", "deepest",
                    [](TestNode &node) {
                      node.input(0).dims[1] = node.input(1).dims[1] = 4;
                      node.input(1).data = nullptr;
                    }),
            "the kernel sums 40000 products; at most 30000 would work");
  for (const char *name : {"deepest_finest", "shallow_finest", "rounded_bias"})
    EXPECT_NE(RefusalOfFinerOutput("o2m.patch_embed", name).find("is too small for these weights"), std::string::npos);
}

// With the float weights the error is that of 8-bit weights: 24 steps of an s16 output, 1.2 of an s8 one.
TEST(PatchEmbed, CasesAreCloseToFloat) {
  CheckCases("o2m.patch_embed", 30, [](const Sample &s) {
    const o2m_tensor &w = s.node->input(1);
    return NaivePatches(s, std::vector<double>(Floats(w), Floats(w) + ElementCount(w)));
  });
}

TEST(PatchEmbed, PiecesDoNotChangeBytes) {
  const o2m_op *op = FindOp("o2m.patch_embed");
  const auto *cases = static_cast<const o2m_cases *>(op->get_extension("o2m.cases/1"));
  TestNode a(op, *cases->get(2)), b(op, *cases->get(3));
  ASSERT_TRUE(a.Prepare() && b.Prepare());
  const Values x = RandomValues(a.input(0), 5);
  EXPECT_EQ(a.Run({x}), b.Run({x}));
  EXPECT_EQ(a.Memory(1).scratch_bytes, 4 * 10 + 2 * 4 * 4 * 3);
}

TEST(PatchEmbed, ScratchOfADeitPatchIsThatOfAPiece) {
  std::vector<float> weights(192 * 3 * 16 * 16, 0.01f), bias(192);
  CaseList list;
  const int32_t params[16] = {16, 16};
  list.Add("",
           {{O2M_U8, {1, 3, 224, 224}, 0.01f, 128},
            {O2M_F32, {192, 3, 16, 16}, 0, 0, weights},
            {O2M_F32, {192}, 0, 0, bias}},
           {{O2M_S8, {1, 192, 14, 14}, 0.03f, 0}}, params);
  TestNode node(FindOp("o2m.patch_embed"), *list.get(0));
  ASSERT_TRUE(node.Prepare());
  const o2m_memory memory = node.Memory(1);
  EXPECT_EQ(memory.scratch_bytes, 192 * 4 + 2 * 48);
  EXPECT_EQ(memory.steps, 14);
  EXPECT_EQ(memory.inputs[0].step, 16);
  EXPECT_EQ(memory.inputs[0].extent, 16);
}

TEST(PatchEmbed, RefusesWhatItCannotDo) {
  const o2m_op *op = FindOp("o2m.patch_embed");
  const auto *cases = static_cast<const o2m_cases *>(op->get_extension("o2m.cases/1"));
  TestNode small(op, *cases->get(0));
  small.input(0).dims[2] = 3;
  EXPECT_EQ(small.Infer(), O2M_INVALID_ARGUMENT);
  EXPECT_EQ(small.host().message, "the image [1, 1, 3, 28] is smaller than one patch of 4 x 4");
  TestNode channels(op, *cases->get(0));
  channels.input(0).dims[1] = 2;
  EXPECT_EQ(channels.Infer(), O2M_INVALID_ARGUMENT);
  EXPECT_NE(channels.host().message.find("do not fit the input"), std::string::npos);
}

}  // namespace
}  // namespace o2m::testing
