// The arithmetic that every kernel shares, against real arithmetic.
#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <vector>

#include "ops/o2m_fixedpoint.h"

namespace {

TEST(FixedPoint, RequantizeRoundsToNearestHalvesUp) {
  std::mt19937_64 random(1);
  for (int i = 0; i < 200000; ++i) {
    const auto acc = static_cast<int32_t>(random());
    const auto multiplier = static_cast<int32_t>(random() >> 33 | 1);
    const int32_t shift = 31 + static_cast<int32_t>(random() % 10);
    const long double real = std::ldexp(static_cast<long double>(acc) * multiplier, -shift);
    ASSERT_EQ(o2m_requantize(acc, multiplier, shift), static_cast<int32_t>(std::floor(real + 0.5L)));
  }
  EXPECT_EQ(o2m_requantize(1, 1, 1), 1);    // 0.5
  EXPECT_EQ(o2m_requantize(-1, 1, 1), 0);   // -0.5
  EXPECT_EQ(o2m_requantize(-3, 1, 1), -1);  // -1.5
  EXPECT_EQ(o2m_requantize(-3, 1 << 30, 31), -1);
  EXPECT_EQ(o2m_requantize(INT32_MAX, INT32_MAX, 31), INT32_MAX - 1);
  EXPECT_EQ(o2m_requantize(INT32_MIN, INT32_MAX, 31), INT32_MIN + 1);
}

TEST(FixedPoint, DivideRoundsToNearestHalvesUp) {
  for (int n = -100; n <= 100; ++n) {
    for (int d = 1; d <= 12; ++d) ASSERT_EQ(o2m_divide_round(n, d), std::floor(static_cast<double>(n) / d + 0.5));
  }
}

TEST(FixedPoint, Saturates) {
  EXPECT_EQ(o2m_saturate_s8(128), 127);
  EXPECT_EQ(o2m_saturate_s8(-129), -128);
  EXPECT_EQ(o2m_saturate_u8(-1), 0);
  EXPECT_EQ(o2m_saturate_u8(256), 255);
  EXPECT_EQ(o2m_saturate_s16(40000), 32767);
  EXPECT_EQ(o2m_saturate_s16(-40000), -32768);
  EXPECT_EQ(o2m_saturate_s32(int64_t{1} << 40), INT32_MAX);
  EXPECT_EQ(o2m_saturate_s32(-(int64_t{1} << 40)), INT32_MIN);
}

TEST(FixedPoint, ProductsByHalvesAreThoseOfLongMultiplication) {
  std::mt19937 random(1);
  const std::vector<int32_t> ends = {INT32_MIN, INT32_MAX, -1, 0, 1, 65535, 65536, -65535, -65536, 0x7fff8000};
  const auto check = [](int32_t a, int32_t b) {
    ASSERT_EQ(o2m_high_product_by_halves(a, b), static_cast<int32_t>((static_cast<int64_t>(a) * b) >> 32));
    const auto ua = static_cast<uint32_t>(a), ub = static_cast<uint32_t>(b);
    ASSERT_EQ(o2m_long_product_by_halves(ua, ub), uint64_t{ua} * ub);
    for (int32_t shift = 1; shift <= 62; ++shift) {
      const auto rounded = static_cast<uint64_t>(o2m_round_shift(static_cast<int64_t>(a) * b, shift));
      ASSERT_EQ(o2m_requantize_by_halves(a, b, shift), static_cast<int32_t>(rounded)) << a << " " << b << " " << shift;
    }
  };
  for (int32_t a : ends) {
    for (int32_t b : ends) check(a, b);
    check(a, static_cast<int32_t>(random()));
  }
  for (int i = 0; i < 200000; ++i) check(static_cast<int32_t>(random()), static_cast<int32_t>(random()));
}

TEST(FixedPoint, ProductOf16BitsIsTheFloor) {
  std::mt19937 random(2);
  for (int i = 0; i < 100000; ++i) {
    const auto a = static_cast<int32_t>(random());
    const int32_t b = static_cast<int32_t>(random() % 65536) - 32768;
    ASSERT_EQ(o2m_product_16(a, b), std::floor(static_cast<double>(a) * b / 65536));
    ASSERT_EQ(o2m_low_shift(int64_t{a} * b * 9999, i % 32), static_cast<uint32_t>((int64_t{a} * b * 9999) >> (i % 32)));
  }
}

TEST(FixedPoint, BitsCountsThem) {
  EXPECT_EQ(o2m_bits(0), 0);
  for (int n = 0; n < 64; ++n) {
    EXPECT_EQ(o2m_bits(uint64_t{1} << n), n + 1);
    EXPECT_EQ(o2m_bits((uint64_t{1} << n) - 1), n);
  }
}

TEST(FixedPoint, SquareRootIsTheExactFloor) {
  std::mt19937_64 random(2);
  for (int i = 0; i < 100000; ++i) {
    const uint64_t x = random() >> (i % 64), root = o2m_sqrt(x);
    ASSERT_LE(root * root, x);
    ASSERT_TRUE(root == UINT32_MAX || (root + 1) * (root + 1) > x) << x;
  }
  for (uint64_t r : {1u, 2u, 3u, 65535u, 65536u, 4294967295u}) {
    EXPECT_EQ(o2m_sqrt(r * r), r);
    EXPECT_EQ(o2m_sqrt(r * r - 1), r - 1);
  }
}

TEST(FixedPoint, ReciprocalSquareRootHas27Bits) {
  std::mt19937_64 random(3);
  double largest = 0;
  for (int i = 0; i < 500000; ++i) {
    const auto x = static_cast<uint32_t>((1u << 30) + random() % (3ull << 30));
    const double real = std::ldexp(1.0, 45) / std::sqrt(static_cast<double>(x));
    largest = std::fmax(largest, std::fabs(o2m_rsqrt(x) - real) / real);
  }
  for (uint32_t x : {1u << 30, 0xffffffffu}) {
    const double real = std::ldexp(1.0, 45) / std::sqrt(static_cast<double>(x));
    largest = std::fmax(largest, std::fabs(o2m_rsqrt(x) - real) / real);
  }
  EXPECT_LT(largest, std::ldexp(1.0, -27));
}

}  // namespace
