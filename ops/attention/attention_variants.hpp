// attention_variants.hpp - what the kernel for an instruction set needs: scratch, files, and its instructions.
#pragma once
#include <algorithm>
#include <string>
#include <vector>

#include "attention_heads.hpp"
#include "isa.hpp"

namespace o2m {

constexpr int32_t kDspTileRows = 16;  // as in o2m_attention_s8_dsp.c

inline int64_t RoundUp4(int64_t x) { return (x + 3) / 4 * 4; }

// int16_t [min(rows, 2)][P + M]
inline int64_t ScalarScratch(const o2m_node *node, int32_t rows) {
  return int64_t{2} * std::min(rows, 2) * (Depth(node) + Keys(node));
}

// Pairs of rows of exponentials, each with 8 words for its epilogue; beside them pairs of queries, each with 2 words,
// and four keys, or, after them, four columns of v, piece by piece where there is one pair. All s16.
inline int64_t DspScratch(const o2m_node *node, int32_t rows) {
  const int64_t pairs = (std::min(rows, kDspTileRows) + 1) / 2;
  const int64_t keys = RoundUp4(Keys(node)), depth = RoundUp4(Depth(node));
  return 4 * (pairs * (keys + 8) + std::max(pairs * (depth + 2) + 2 * depth, pairs > 1 ? 2 * keys : 0));
}

// Of one head and one tile of rows; fitted to counts on the emulated core over shapes, within 2 %.
inline int64_t DspTileInstructions(const o2m_node *node, int64_t rows) {
  const int64_t keys = (Keys(node) + 3) / 4, depth = (Depth(node) + 3) / 4, columns = (Columns(node) + 3) / 4;
  const int64_t pairs = (rows + 1) / 2;
  const auto tile = [&](int64_t groups, int64_t epilogue) {
    return pairs * (22 * groups + 3 * ((groups + 2) / 4 + 1) + epilogue);
  };
  const int64_t scores = keys * (16 * depth + 85 + tile(depth, 29)) + pairs * (9 * depth + 45);
  const int64_t exponentials = pairs * (47 * keys + 190);
  const int64_t rows_of_y = columns * (26 * keys + (pairs > 1 ? 110 : 500) + tile(keys, 40));
  return scores + exponentials + rows_of_y + 150;
}

inline int64_t DspInstructions(const o2m_node *node, int64_t heads, int32_t rows) {
  int64_t head = 0;
  for (int32_t done = 0; done < rows; done += kDspTileRows)
    head += DspTileInstructions(node, std::min(rows - done, kDspTileRows));
  return heads * head;
}

}  // namespace o2m
