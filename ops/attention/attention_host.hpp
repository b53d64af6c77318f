// attention_host.hpp - attention for the machine that validates: the bits of o2m_attention_scalar.h, whose steps it
// shares; the two products 16 elements at a time where the processor has AVX2 and k and v are dense in one
// direction.
#pragma once
#if defined(__x86_64__)
#include <immintrin.h>
#endif
#include <cstring>
#include <vector>

#include "o2m_attention_scalar.h"

namespace o2m {

#if defined(__x86_64__)

// 16 elements of which `count` exist, the others zero.
__attribute__((target("avx2"))) inline void LoadSixteen(const int8_t *from, int32_t count, __m256i *wide) {
  __m128i bytes = _mm_setzero_si128();
  if (count < 16) {
    std::memcpy(&bytes, from, static_cast<size_t>(count));
  } else {
    bytes = _mm_loadu_si128(reinterpret_cast<const __m128i *>(from));
  }
  *wide = _mm256_cvtepi8_epi16(bytes);
}

// sums[r][i] = sum_n a[r][n] * b[i * line + n] for four lines of b; a is padded to 16 with zeros.
__attribute__((target("avx2"))) inline void DotsOfHost(const int16_t *const a[2], const int8_t *b, int32_t line,
                                                       int32_t count, int32_t sums[2][4]) {
  __m256i acc[2][4] = {};
  for (int32_t n = 0; n < count; n += 16) {
    const __m256i first = _mm256_loadu_si256(reinterpret_cast<const __m256i *>(a[0] + n));
    const __m256i second = _mm256_loadu_si256(reinterpret_cast<const __m256i *>(a[1] + n));
    for (int32_t i = 0; i < 4; ++i) {
      __m256i wide;
      LoadSixteen(b + i * line + n, count - n, &wide);
      acc[0][i] = _mm256_add_epi32(acc[0][i], _mm256_madd_epi16(first, wide));
      acc[1][i] = _mm256_add_epi32(acc[1][i], _mm256_madd_epi16(second, wide));
    }
  }
  for (int32_t r = 0; r < 2; ++r) {
    const __m256i halves =
        _mm256_hadd_epi32(_mm256_hadd_epi32(acc[r][0], acc[r][1]), _mm256_hadd_epi32(acc[r][2], acc[r][3]));
    const __m128i sum = _mm_add_epi32(_mm256_castsi256_si128(halves), _mm256_extracti128_si256(halves, 1));
    _mm_storeu_si128(reinterpret_cast<__m128i *>(sums[r]), sum);
  }
}

// sums[r][c] = sum_n a[r][n] * b[n * step + c]: 16 lines side by side, of which `lines` exist.
__attribute__((target("avx2"))) inline void AdjacentDotsOfHost(const int16_t *const a[2], const int8_t *b, int32_t step,
                                                               int32_t count, int32_t lines, int32_t sums[2][16]) {
  __m256i acc[2][2] = {};
  for (int32_t n = 0; n < count; n += 2) {
    const bool two = n + 1 < count;
    __m256i even, odd = _mm256_setzero_si256();
    LoadSixteen(b + n * step, lines, &even);
    if (two) LoadSixteen(b + (n + 1) * step, lines, &odd);
    const __m256i low = _mm256_unpacklo_epi16(even, odd), high = _mm256_unpackhi_epi16(even, odd);
    for (int32_t r = 0; r < 2; ++r) {
      int32_t pair;  // rows of a are padded to 16
      std::memcpy(&pair, a[r] + n, sizeof pair);
      acc[r][0] = _mm256_add_epi32(acc[r][0], _mm256_madd_epi16(low, _mm256_set1_epi32(pair)));
      acc[r][1] = _mm256_add_epi32(acc[r][1], _mm256_madd_epi16(high, _mm256_set1_epi32(pair)));
    }
  }
  for (int32_t r = 0; r < 2; ++r) {  // `low` holds lines 0 to 3 and 8 to 11, `high` 4 to 7 and 12 to 15
    auto *const to = reinterpret_cast<__m128i *>(sums[r]);
    for (int32_t half = 0; half < 2; ++half) {
      _mm_storeu_si128(to + half, _mm256_castsi256_si128(acc[r][half]));
      _mm_storeu_si128(to + 2 + half, _mm256_extracti128_si256(acc[r][half], 1));
    }
  }
}

// Up to 16 lines, which lie side by side (line 1) or are dense themselves (step 1).
inline void ProductsOnHost(const int16_t *const a[2], const int8_t *b, int32_t line, int32_t step, int32_t count,
                           int32_t lines, int32_t sums[2][16]) {
  if (line == 1) return AdjacentDotsOfHost(a, b, step, count, lines, sums);
  for (int32_t i = 0; i < lines;) {
    const int32_t taken = i + 4 <= lines ? 4 : 1;
    int32_t four[2][4];
    DotsOfHost(a, b + i * line, taken == 4 ? line : 0, count, four);
    for (int32_t r = 0; r < 2; ++r) std::memcpy(sums[r] + i, four[r], sizeof(int32_t) * static_cast<size_t>(taken));
    i += taken;
  }
}

inline void WriteScoresOnHost(const o2m_attention_pair &two, const int8_t *k, const o2m_attention_params *p) {
  const int16_t *const queries[2] = {two.query[0], two.query[1]};
  for (int32_t m = 0; m < p->keys; m += 16) {
    const int32_t keys = o2m_min(16, p->keys - m);
    int32_t sums[2][16];
    ProductsOnHost(queries, k + m * p->k.row, p->k.row, p->k.column, p->depth, keys, sums);
    for (int32_t r = 0; r < two.count; ++r) {
      for (int32_t i = 0; i < keys; ++i) {
        const int32_t score = o2m_requantize(two.start[r] + sums[r][i], p->score_multiplier, p->score_shift);
        two.scores[r][m + i] = o2m_attention_add_mask(score, two.mask[r], m + i);
      }
    }
  }
}

inline void WriteRowsOnHost(const o2m_attention_pair &two, const o2m_attention_average of[2], const int8_t *v, void *y,
                            int32_t y_at, const o2m_attention_params *p) {
  const int16_t *const weights[2] = {two.scores[0], two.scores[1]};
  for (int32_t c = 0; c < p->columns; c += 16) {
    const int32_t columns = o2m_min(16, p->columns - c);
    int32_t sums[2][16];
    ProductsOnHost(weights, v + c * p->v.column, p->v.column, p->v.row, p->keys, columns, sums);
    for (int32_t r = 0; r < two.count; ++r) {
      for (int32_t i = 0; i < columns; ++i)
        o2m_attention_store(y, y_at + r * p->y.row + (c + i) * p->y.column, of[r].start + sums[r][i], of + r, p);
    }
  }
}

// o2m_attention_head() with these products. buffer: two queries, then two rows of scores, each padded to 16 with zeros.
inline void HeadOnHost(const int8_t *q, const int8_t *k, const int8_t *v, void *y, int32_t y_at, const int16_t *mask,
                       int32_t rows, int16_t *buffer, const o2m_attention_params *p) {
  const int32_t query = (p->depth + 15) & ~15, scores = (p->keys + 15) & ~15;
  for (int32_t n = 0; n < rows; n += 2) {
    o2m_attention_pair two;
    o2m_attention_average of[2];
    two.count = o2m_min(2, rows - n);
    for (int32_t r = 0; r < 2; ++r) {
      const int32_t own = r < two.count ? r : 0;
      two.query[r] = buffer + own * query;
      two.scores[r] = buffer + 2 * query + own * scores;
      two.mask[r] = mask ? mask + (n + r) * p->mask_layout.row : nullptr;
      two.start[r] = r < two.count ? o2m_attention_load_query(q + (n + r) * p->q.row, two.query[r], p) : 0;
    }
    WriteScoresOnHost(two, k, p);
    for (int32_t r = 0; r < two.count; ++r)
      of[r] = o2m_attention_average_of(o2m_attention_exponentiate(two.scores[r], p->keys), p);
    WriteRowsOnHost(two, of, v, y, y_at + n * p->y.row, p);
  }
}

inline void AttentionAvx2(const int8_t *q, const int8_t *k, const int8_t *v, void *y, int32_t first, int32_t rows,
                          const o2m_attention_params *p) {
  std::vector<int16_t> buffer(static_cast<size_t>(2 * (((p->depth + 15) & ~15) + ((p->keys + 15) & ~15))), 0);
  const o2m_attention_layout &m = p->mask_layout;
  for (int32_t g = 0; g < p->groups; ++g) {
    for (int32_t h = 0; h < p->heads; ++h) {
      const int16_t *const mask = p->mask ? p->mask + g * m.group + h * m.head + first * m.row : nullptr;
      HeadOnHost(q + g * p->q.group + h * p->q.head, k + g * p->k.group + h * p->k.head,
                 v + g * p->v.group + h * p->v.head, y, g * p->y.group + h * p->y.head, mask, rows, buffer.data(), p);
    }
  }
}

#endif

inline void AttentionOnHost(const int8_t *q, const int8_t *k, const int8_t *v, void *y, int32_t first, int32_t rows,
                            void *scratch, const o2m_attention_params *p) {
#if defined(__x86_64__)
  const bool dense = (p->k.row == 1 || p->k.column == 1) && (p->v.row == 1 || p->v.column == 1);
  if (dense && __builtin_cpu_supports("avx2")) return AttentionAvx2(q, k, v, y, first, rows, p);
#endif
  O2M_SYM(o2m_attention_s8)(q, k, v, y, first, rows, scratch, p);
}

}  // namespace o2m
