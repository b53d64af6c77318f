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
inline void WidenRows(const int8_t *x, int32_t rows, const o2m_linear_params *p, int16_t *wide) {
  const int32_t padded = (p->depth + 3) & ~3;
  for (int32_t r = 0; r < rows; ++r, wide += padded) {
    for (int32_t k = 0; k < p->depth; ++k) wide[k] = x[r * p->x_row + k * p->x_column];
    for (int32_t k = p->depth; k < padded; ++k) wide[k] = 0;
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

inline void StoreSums(const int32_t sums[][8], int32_t row, int32_t rows, int32_t n, void *y,
                      const o2m_linear_params *p) {
  for (int32_t c = n; c < n + 4 && c < p->columns; ++c) {
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
