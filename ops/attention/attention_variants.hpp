// attention_variants.hpp - what the kernel for an instruction set needs: scratch, files, and its instructions.
#pragma once
#include <algorithm>
#include <string>
#include <vector>

#include "attention_heads.hpp"
#include "isa.hpp"

namespace o2m {

constexpr int32_t kTileRows = 16;  // as in the kernels

// int16_t [min(rows, 2)][P + M]
inline int64_t ScalarScratch(const o2m_node *node, int32_t rows) {
  return int64_t{2} * std::min(rows, 2) * (Depth(node) + Keys(node));
}

// ---- Armv7E-M with DSP: groups of four ------------------------------------------------------------------------------

inline int64_t RoundUp4(int64_t x) { return (x + 3) / 4 * 4; }

// Pairs of rows of exponentials, each with 8 words for its epilogue; beside them pairs of queries, each with 2 words,
// and four keys, or, after them, four columns of v, piece by piece where there is one pair. All s16.
inline int64_t DspScratch(const o2m_node *node, int32_t rows) {
  const int64_t pairs = (std::min(rows, kTileRows) + 1) / 2;
  const int64_t keys = RoundUp4(Keys(node)), depth = RoundUp4(Depth(node));
  return 4 * (pairs * (keys + 8) + std::max(pairs * (depth + 2) + 2 * depth, pairs > 1 ? 2 * keys : 0));
}

// Instructions of one head and one tile of rows, after counts on the emulated cores.
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

// ---- Helium: blocks of 16 -------------------------------------------------------------------------------------------

inline int64_t RoundUp16(int64_t x) { return (x + 15) / 16 * 16; }

// Pairs of rows of s16 scores, in place of which come exponentials and 20 bytes for their epilogue; beside them queries
// with 16 bytes each, and four keys, or, after them, four columns of v.
inline int64_t MveScratch(const o2m_node *node, int32_t rows) {
  const int64_t padded = (std::min(rows, kTileRows) + 1) / 2 * 2;
  const int64_t keys = RoundUp16(Keys(node)), depth = RoundUp16(Depth(node));
  return padded * (keys + std::max<int64_t>(keys, 32)) + std::max(padded * (depth + 16) + 4 * depth, 4 * keys);
}

inline int64_t MveTileInstructions(const o2m_node *node, int64_t rows) {
  const int64_t keys = RoundUp16(Keys(node)) / 16, depth = RoundUp16(Depth(node)) / 16;
  const int64_t four_keys = (Keys(node) + 3) / 4, four_columns = (Columns(node) + 3) / 4, pairs = (rows + 1) / 2;
  const int64_t scores = four_keys * (15 * depth + 100 + pairs * (16 * depth + 26)) + 110 * pairs;
  const int64_t exponentials = 2 * pairs * (11 * ((Keys(node) + 7) / 8) + 68);
  return scores + exponentials + four_columns * (47 * keys + 400 + pairs * (16 * keys + 31)) + 150;
}

// ---- RV32IM: four rows at a time ------------------------------------------------------------------------------------

// int16_t [M][4] scores, in place of which come exponentials, and [P][4] queries
inline int64_t Rv32Scratch(const o2m_node *node) { return int64_t{8} * (Keys(node) + Depth(node)); }

inline int64_t Rv32TileInstructions(const o2m_node *node, int64_t rows) {
  const int64_t keys = Keys(node), depth = Depth(node), columns = Columns(node);
  const int64_t four_keys = (keys + 3) / 4, four_columns = (columns + 3) / 4;
  const int64_t scores = four_keys * (42 * depth + 420) + 36 * depth, exponentials = 4 * (16 * keys + 200);
  return (rows + 3) / 4 * (scores + exponentials + four_columns * (42 * keys + 320) + 200);
}

// ---- Armv7-M: three rows at a time ----------------------------------------------------------------------------------

// int32_t [M][3] scores, in place of which come exponentials, and [P][3] queries; of one or two rows int16_t [..][2]
inline int64_t Armv7mScratch(const o2m_node *node, int32_t rows) {
  return int64_t{rows < 3 ? 4 : 12} * (Keys(node) + Depth(node));
}

inline int64_t Armv7mTileInstructions(const o2m_node *node, int64_t rows) {
  const int64_t keys = Keys(node), depth = Depth(node), columns = Columns(node);
  const int64_t scores = (keys + 2) / 3 * (12 * depth + 160) + 20 * depth, exponentials = 2 * (13 * keys + 150);
  const int64_t pair = scores + exponentials + (columns + 3) / 4 * (16 * keys + 250) + 100;
  const int64_t three = (keys + 1) / 2 * (10 * depth + 65) + 30 * depth + 3 * (13 * keys + 150) +
                        (columns + 1) / 2 * (11 * keys + 90) + 150;
  return rows / 3 * three + (rows % 3 + 1) / 2 * pair;
}

// ---- Armv6-M: pairs of rows that share a multiplication -------------------------------------------------------------

// Pairs of rows, of s16 scores, in place of which come exponentials, and of queries; a key or a column of v as s32.
inline int64_t Armv6mScratch(const o2m_node *node, int32_t rows) {
  const int64_t pairs = (std::min(rows, kTileRows) + 1) / 2, keys = RoundUp4(Keys(node)), depth = RoundUp4(Depth(node));
  return 4 * (pairs * (keys + depth) + std::max(keys, depth));
}

// ---- By suffix ------------------------------------------------------------------------------------------------------

inline int64_t ScratchOf(const std::string &variant, const o2m_node *node, int32_t rows) {
  if (variant == "_dsp") return DspScratch(node, rows);
  if (variant == "_mve") return MveScratch(node, rows);
  if (variant == "_rv32") return Rv32Scratch(node);
  if (variant == "_armv6m") return Armv6mScratch(node, rows);
  return variant == "_armv7m" ? Armv7mScratch(node, rows) : ScalarScratch(node, rows);
}

// Below 0: nothing is known.
inline int64_t InstructionsOf(const std::string &variant, const o2m_node *node, int64_t heads, int32_t rows) {
  const auto tile = variant == "_dsp"      ? DspTileInstructions
                    : variant == "_mve"    ? MveTileInstructions
                    : variant == "_rv32"   ? Rv32TileInstructions
                    : variant == "_armv7m" ? Armv7mTileInstructions
                                           : nullptr;
  if (!tile) return -1;
  int64_t head = 0;
  for (int32_t done = 0; done < rows; done += kTileRows) head += tile(node, std::min(rows - done, kTileRows));
  return heads * head;
}

}  // namespace o2m
