// Against the sum of real values, element by element.
#include "o2m_add.h"
#include "op_test.hpp"

namespace o2m::testing {
namespace {

// Element n of `shape` in an operand that broadcasts into it.
int64_t BroadcastIndex(const o2m_tensor &shape, const o2m_tensor &t, int64_t n) {
  int64_t index = 0, size = 1;
  for (int32_t i = 1; i <= shape.rank; ++i) {
    const int64_t at = n % Dim(shape, i);
    n /= Dim(shape, i);
    if (Dim(t, i) > 1) index += at * size;
    size *= Dim(t, i);
  }
  return index;
}

// exact_constant: a constant operand as it is, else as the 8, 16 or 31 bits that the op chose hold it.
std::vector<double> Sums(const Sample &s, bool exact_constant) {
  const o2m_tensor &y = s.node->output(), &b = s.node->input(1);
  const auto *signs = static_cast<const int32_t *>(s.node->get()->params);
  double step = 0;
  if (b.is_constant && !exact_constant) {
    for (int64_t i = 0; i < ElementCount(b); ++i) step = std::fmax(step, std::fabs(Floats(b)[i]));
    const o2m_dtype held = s.node->get()->constants[0].dtype;
    step = static_cast<float>(step / (held == O2M_S8 ? 127.0 : held == O2M_S16 ? 32767.0 : 1073741824.0));
  }
  std::vector<double> sums;
  for (int64_t n = 0; n < ElementCount(y); ++n) {
    double addend = s.Real(1, BroadcastIndex(y, b, n));
    if (step > 0) addend = std::floor(addend / step + 0.5) * step;
    sums.push_back(signs[0] * s.Real(0, BroadcastIndex(y, s.node->input(0), n)) + signs[1] * addend);
  }
  return sums;
}

TEST(Add, CasesAreRoundedOnce) {
  CheckCases("o2m.add", 0.502, [](const Sample &s) { return Sums(s, false); });
}

TEST(Add, CasesAreWithinOneStepOfFloat) {
  CheckCases("o2m.add", 1.0, [](const Sample &s) { return Sums(s, true); });
}

TEST(Add, ErrorsOfRandomCases) {
  CheckRandomCases("o2m.add", [](const Sample &s) { return Sums(s, false); });
}

TEST(Add, ErrorsOfWorstCases) {
  CheckWorstCases("o2m.add", [](const Sample &s) { return Sums(s, false); });
}

TEST(Add, RefusesWhatLiesBeyondTheWorstCases) {
  for (const char *types : {"s8_s8_s8", "s8_s8_s16", "s8_s16_s16", "s16_s8_s16", "s16_s16_s8", "s16_s16_s16"})
    EXPECT_NE(RefusalOfFinerOutput("o2m.add", Str("finest_", types)).find("is too small beside"), std::string::npos)
        << types;
}

TEST(Add, InPlaceOverWhatIsNoNarrower) {
  const o2m_op *op = FindOp("o2m.add");
  const auto *cases = static_cast<const o2m_cases *>(op->get_extension("o2m.cases/1"));
  const auto in_place = [&](const std::string &name) {
    for (int32_t i = 0; i < cases->count; ++i) {
      if (cases->get(i)->name != name) continue;
      TestNode node(op, *cases->get(i));
      EXPECT_TRUE(node.Prepare());
      return static_cast<int>(node.Memory(1).in_place_inputs);
    }
    ADD_FAILURE() << "no case " << name;
    return -1;
  };
  EXPECT_EQ(in_place("s8 tokens"), 3);
  EXPECT_EQ(in_place("s16 residual, s8 branch"), 1);
  EXPECT_EQ(in_place("s16 ends in s8"), 3);
  EXPECT_EQ(in_place("s8 widens"), 0);
  EXPECT_EQ(in_place("repeated token"), 1);
  EXPECT_EQ(in_place("transposed operand"), 1);
  EXPECT_EQ(in_place("position embedding"), 1);
}

// An s8 row over the s16 row it came from: the kernel walks upward.
TEST(Add, NarrowerRowOverItsInput) {
  const o2m_add_params p = {4, 4, 1, 4, 1, 4, 1, 1 << 28, 1 << 20, 20, 1 << 19};
  int16_t a[8], copy[8];
  int8_t b[8], y[8];
  for (int i = 0; i < 8; ++i) {
    a[i] = copy[i] = static_cast<int16_t>(i * 3001 - 9000);
    b[i] = static_cast<int8_t>(i * 9 - 30);
  }
  o2m_add_s16_s8_s8(copy, b, y, 2, &p);
  o2m_add_s16_s8_s8(a, b, reinterpret_cast<int8_t *>(a), 2, &p);
  EXPECT_EQ(std::memcmp(a, y, 8), 0);
}

// With so small a shift every unit of the sum shows in the output.
TEST(Add, KernelsRoundDownTheVerySum) {
  const o2m_add_params p = {256, 256, 1, 0, 1, 256, 1, 1, -3, 1, 5};
  std::vector<int8_t> a(256), b(256), y(256);
  std::vector<int16_t> wide(256);
  for (int i = 0; i < 256; ++i) {
    a[i] = static_cast<int8_t>(i - 128);
    b[i] = static_cast<int8_t>(i * 7 % 41 - 20);
  }
  o2m_add_s8(a.data(), b.data(), y.data(), 1, &p);
  o2m_add_s8_s8_s16(a.data(), b.data(), wide.data(), 1, &p);
  for (int i = 0; i < 256; ++i) {
    const int expected = static_cast<int>(std::floor((a[i] - 3 * b[i] + 5) / 2.0));
    EXPECT_EQ(y[i], std::max(-128, std::min(127, expected)));
    EXPECT_EQ(wide[i], expected);
  }
}

TEST(Add, RefusesWhatItCannotDo) {
  const o2m_op *op = FindOp("o2m.add");
  const auto *cases = static_cast<const o2m_cases *>(op->get_extension("o2m.cases/1"));
  TestNode shape(op, *cases->get(0));
  shape.input(1).dims[2] = 63;
  EXPECT_EQ(shape.Infer(), O2M_INVALID_ARGUMENT);
  EXPECT_EQ(shape.host().message, "the inputs [1, 50, 64] and [1, 50, 63] do not broadcast into one shape");
  TestNode bytes(op, *cases->get(0));
  bytes.input(1).dtype = O2M_U8;
  EXPECT_EQ(bytes.Infer(), O2M_INVALID_ARGUMENT);
  EXPECT_EQ(bytes.host().message, "input 1 is u8; s8 or s16 or s32 would work");
  TestNode scale(op, *cases->get(0));
  const float tiny = 1e-9f;
  scale.output().quant.scale = &tiny;
  EXPECT_EQ(scale.Infer(), O2M_INVALID_ARGUMENT);
  EXPECT_NE(scale.host().message.find("is too small beside the inputs'"), std::string::npos);
}

}  // namespace
}  // namespace o2m::testing
