// The Armv6-M kernel on this machine, where it is plain C over the same packed words: the bytes of scalar C, at random
// and where two products come nearest to what a half of a word holds.
#include <gtest/gtest.h>

#include <random>
#include <vector>

extern "C" {
#include "o2m_attention_s8_armv6m.c"
#include "o2m_attention_scalar.h"
#include "o2m_dot_armv6m.c"
}

namespace o2m::testing {
namespace {

using Bytes = std::vector<int8_t>;

// Values at random, or all `fixed` but for some at random.
struct Source {
  std::mt19937 random;
  int32_t Below(int32_t n) { return static_cast<int32_t>(random() % static_cast<uint32_t>(n)); }
  Bytes Take(int32_t count, const int32_t *fixed) {
    Bytes bytes(static_cast<size_t>(count));
    for (int8_t &b : bytes) b = static_cast<int8_t>(fixed && Below(8) > 0 ? *fixed : Below(256) - 128);
    return bytes;
  }
};

o2m_attention_params ParamsFor(Source &source, int32_t rows) {
  o2m_attention_params p = {};
  p.groups = p.heads = 1;
  p.keys = 1 + source.Below(30), p.depth = 1 + source.Below(24), p.columns = 1 + source.Below(12);
  p.q = {0, 0, p.depth, 1}, p.k = {0, 0, p.depth, 1}, p.v = {0, 0, p.columns, 1}, p.y = {0, 0, 1, rows};
  if (source.Below(2) > 0) p.q = {0, 0, 1, rows}, p.k = {0, 0, 1, p.keys}, p.v = {0, 0, 1, p.keys};
  p.q_zero = source.Below(256) - 128, p.k_zero = source.Below(256) - 128, p.v_zero = source.Below(256) - 128;
  p.y_zero = source.Below(20), p.y_bytes = 1 + source.Below(2);
  p.score_multiplier = 2 * source.Below(source.Below(2) > 0 ? 1 << 22 : 1 << 28) + 1, p.score_shift = 31;
  p.y_multiplier = (1 << 30) + source.Below(1 << 30), p.y_shift = 31;
  return p;
}

void Compare(Source &source, const int32_t *q_is, const int32_t *k_is, const int32_t *v_is) {
  const int32_t rows = 1 + source.Below(20);
  const o2m_attention_params p = ParamsFor(source, rows);
  const Bytes q = source.Take(rows * p.depth, q_is), k = source.Take(p.keys * p.depth, k_is),
              v = source.Take(p.keys * p.columns, v_is);
  std::vector<uint32_t> scratch(static_cast<size_t>(8 * (p.keys + p.depth + 6) + p.keys + p.depth + 6));
  std::vector<int16_t> scalar(static_cast<size_t>(rows * p.columns)), packed = scalar;
  O2M_SYM(o2m_attention_s8_armv6m)(q.data(), k.data(), v.data(), packed.data(), 0, rows, scratch.data(), &p);
  o2m_attention_scalar(q.data(), k.data(), v.data(), scalar.data(), 0, rows, scratch.data(), &p);
  ASSERT_EQ(packed, scalar) << rows << " x " << p.keys << " x " << p.depth << " x " << p.columns;
}

TEST(AttentionArmv6m, GivesTheBytesOfScalarC) {
  Source source = {std::mt19937(11)};
  for (int i = 0; i < 300; ++i) Compare(source, nullptr, nullptr, nullptr);
}

TEST(AttentionArmv6m, GivesTheBytesOfScalarCAtTheEndsOfTheRange) {
  Source source = {std::mt19937(12)};
  const int32_t ends[] = {-128, 127, -127};
  for (int i = 0; i < 540; ++i) Compare(source, ends + i % 3, ends + i / 3 % 3, ends + i / 9 % 3);
}

// Two rows of x in a word, w at the ends of s8: sums of both kinds.
TEST(DotArmv6m, SumsAreExactAtTheEndsOfTheRange) {
  const int32_t ends[] = {-127, -126, 0, 126, 127}, weights[] = {-127, 127, 1};
  for (const int32_t low : ends) {
    for (const int32_t high : ends) {
      for (const int32_t w : weights) {
        for (const int32_t kind : {O2M_DOT_ARMV6M_NARROW, O2M_DOT_ARMV6M_WIDE}) {
          const std::vector<uint32_t> panel(8, static_cast<uint32_t>(low - 1 + (high - 1) * 65536));
          const std::vector<int32_t> line(8, w);
          int32_t sums[2];
          O2M_SYM(o2m_dot_armv6m)(panel.data(), 1, line.data(), 8, 5, kind, sums);
          ASSERT_EQ(sums[0], 5 + 8 * (low - 1) * w);
          ASSERT_EQ(sums[1], 5 + 8 * (high - 1) * w);
        }
      }
    }
  }
}

}  // namespace
}  // namespace o2m::testing
