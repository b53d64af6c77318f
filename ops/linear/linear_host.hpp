// linear_host.hpp - the s8 linear layer for the machine that validates: the bits of o2m_linear_s8.c, 16 products at a
// time where the processor has AVX2.
#pragma once
#if defined(__x86_64__)
#include <immintrin.h>
#endif
#include <cstring>
#include <vector>

#include "o2m_linear.h"

namespace o2m {

#if defined(__x86_64__)

inline constexpr int32_t kHostRows = 8;  // that share one widening of the weights

// x as s16, [rows][blocks][4], zeros behind the depth.
__attribute__((target("avx2"))) inline void WidenRows(const int8_t *x, int32_t rows, const o2m_linear_params *p,
                                                      int16_t *wide) {
  const int32_t padded = (p->depth + 3) & ~3;
  for (int32_t r = 0; r < rows; ++r, wide += padded) {
    const int8_t *const row = x + r * p->x_row;
    int32_t k = 0;
    for (; p->x_column == 1 && k + 8 <= p->depth; k += 8)
      _mm_storeu_si128(reinterpret_cast<__m128i *>(wide + k),
                       _mm_cvtepi8_epi16(_mm_loadl_epi64(reinterpret_cast<const __m128i *>(row + k))));
    for (; k < p->depth; ++k) wide[k] = row[k * p->x_column];
    for (; k < padded; ++k) wide[k] = 0;
  }
}

// sums[r][2 * c], [2 * c + 1]: two halves of the sum of row r and column c. A block of weights is [4 columns][4 k].
template <int32_t kRows>
__attribute__((target("avx2"))) void SumsOf(const int16_t *wide, const int8_t *group, int32_t blocks,
                                            int32_t sums[][8]) {
  __m256i sum[kRows];
  for (int32_t r = 0; r < kRows; ++r) sum[r] = _mm256_setzero_si256();
  for (int32_t b = 0; b < blocks; ++b) {
    const __m256i w = _mm256_cvtepi8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i *>(group + 16 * b)));
    for (int32_t r = 0; r < kRows; ++r) {
      int64_t four;
      std::memcpy(&four, wide + 4 * (r * blocks + b), sizeof four);
      sum[r] = _mm256_add_epi32(sum[r], _mm256_madd_epi16(w, _mm256_set1_epi64x(four)));
    }
  }
  for (int32_t r = 0; r < kRows; ++r) _mm256_storeu_si256(reinterpret_cast<__m256i *>(sums[r]), sum[r]);
}

// q of columns n .. n + 3, which exist, of two rows: y_zero + floor(acc * multiplier / 2^shift + 1/2) of eight. The
// shift is at most 32, so that the lower half of the shifted product is all of it.
__attribute__((target("avx2"))) inline void QuotientsOf(const int32_t sums[][8], int32_t n, const o2m_linear_params *p,
                                                        int32_t q[8]) {
  const auto *row = reinterpret_cast<const __m256i *>(sums[0]), *next = reinterpret_cast<const __m256i *>(sums[1]);
  const auto *bias = reinterpret_cast<const __m128i *>(p->bias + n);
  const auto *multiplier = reinterpret_cast<const __m128i *>(p->multiplier + n);
  const __m256i added = _mm256_hadd_epi32(_mm256_loadu_si256(row), _mm256_loadu_si256(next));
  const __m256i sum = _mm256_permute4x64_epi64(added, 0xD8);  // columns of the row, then of the next
  const __m256i acc = _mm256_add_epi32(sum, _mm256_broadcastsi128_si256(_mm_loadu_si128(bias)));
  const __m256i m = _mm256_broadcastsi128_si256(_mm_loadu_si128(multiplier));
  const __m256i half = _mm256_set1_epi64x(int64_t{1} << (p->shift - 1));
  const __m256i even = _mm256_add_epi64(_mm256_mul_epi32(acc, m), half);
  const __m256i products = _mm256_mul_epi32(_mm256_srli_epi64(acc, 32), _mm256_srli_epi64(m, 32));
  const __m256i odd = _mm256_slli_epi64(_mm256_srli_epi64(_mm256_add_epi64(products, half), p->shift), 32);
  const __m256i scaled = _mm256_blend_epi32(_mm256_srli_epi64(even, p->shift), odd, 0xAA);
  _mm256_storeu_si256(reinterpret_cast<__m256i *>(q), _mm256_add_epi32(scaled, _mm256_set1_epi32(p->y_zero)));
}

inline void StoreFour(const o2m_linear_params *p, void *y, int32_t at, const int32_t q[4]) {
  if (p->y_bytes != 1 || p->table) {
    for (int32_t i = 0; i < 4; ++i) o2m_linear_store_q(p, y, at + i * p->y_column, q[i]);
  } else {
    for (int32_t i = 0; i < 4; ++i) static_cast<int8_t *>(y)[at + i * p->y_column] = o2m_saturate_s8(q[i]);
  }
}

inline void StoreSums(const int32_t sums[][8], int32_t row, int32_t rows, int32_t n, void *y,
                      const o2m_linear_params *p) {
  const bool by_vector = p->shift <= 32 && n + 4 <= p->columns;
  for (int32_t r = 0; r < rows && by_vector; r += 2) {
    int32_t q[8];
    QuotientsOf(sums + r, n, p, q);  // the second row may be none of ours: its sums are there
    for (int32_t i = 0; i < o2m_min(2, rows - r); ++i)
      StoreFour(p, y, (row + r + i) * p->y_row + n * p->y_column, q + 4 * i);
  }
  for (int32_t c = n; c < n + 4 && c < p->columns && !by_vector; ++c) {
    for (int32_t r = 0; r < rows; ++r) {
      const int32_t acc = p->bias[c] + sums[r][2 * (c - n)] + sums[r][2 * (c - n) + 1];
      o2m_linear_store(p, y, (row + r) * p->y_row + c * p->y_column, c, acc);
    }
  }
}

inline void LinearS8Avx2(const int8_t *x, void *y, int32_t rows, const o2m_linear_params *p) {
  const int32_t blocks = (p->depth + 3) / 4;
  std::vector<int16_t> wide(static_cast<size_t>(kHostRows) * 4 * blocks);
  for (int32_t row = 0; row < rows; row += kHostRows) {
    const int32_t count = o2m_min(kHostRows, rows - row);
    WidenRows(x + row * p->x_row, count, p, wide.data());
    for (int32_t n = 0; n < p->columns; n += 4) {
      int32_t sums[kHostRows][8];
      const int8_t *const group = o2m_linear_group(p, n);
      if (count > 2) {
        SumsOf<kHostRows>(wide.data(), group, blocks, sums);  // rows that do not exist: whatever lies there
      } else {
        SumsOf<2>(wide.data(), group, blocks, sums);
      }
      StoreSums(sums, row, count, n, y, p);
    }
  }
}

#endif

inline void LinearS8OnHost(const int8_t *x, void *y, int32_t rows, const o2m_linear_params *p, void *scratch) {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx2")) return LinearS8Avx2(x, y, rows, p);
#endif
  O2M_SYM(o2m_linear_s8)(x, y, rows, p, scratch);
}

}  // namespace o2m
