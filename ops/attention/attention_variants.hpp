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

// ---- Helium: blocks of 16 -------------------------------------------------------------------------------------------

inline int64_t RoundUp16(int64_t x) { return (x + 15) / 16 * 16; }

// Pairs of rows of s16 scores, in place of which come exponentials and 20 bytes for their epilogue; beside them queries
// with 16 bytes each, and four keys, or, after them, four columns of v.
inline int64_t MveScratch(const o2m_node *node, int32_t rows) {
  const int64_t padded = (std::min(rows, kTileRows) + 1) / 2 * 2;
  const int64_t keys = RoundUp16(Keys(node)), depth = RoundUp16(Depth(node));
  return padded * (keys + std::max<int64_t>(keys, 32)) + std::max(padded * (depth + 16) + 4 * depth, 4 * keys);
}

// ---- RV32IM: four rows at a time ------------------------------------------------------------------------------------

// int16_t [M][4] scores, in place of which come exponentials, and [P][4] queries
inline int64_t Rv32Scratch(const o2m_node *node) { return int64_t{8} * (Keys(node) + Depth(node)); }

// ---- Armv7-M: three rows at a time ----------------------------------------------------------------------------------

// int32_t [M][3] scores, in place of which come exponentials, and [P][3] queries; of one or two rows int16_t [..][2]
inline int64_t Armv7mScratch(const o2m_node *node, int32_t rows) {
  return int64_t{rows < 3 ? 4 : 12} * (Keys(node) + Depth(node));
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

// ---- Terms of one head (o2m.terms/1) --------------------------------------------------------------------------------

struct AttentionCall {
  const char *kernel;
  int64_t rows, keys, depth, columns;
  // what an inner loop walks along: 0: its elements side by side, 1: four lines side by side, 2: neither
  int key_layout, value_layout;
  bool query_dense, masked, plain_output;  // plain: s8, columns side by side
};

inline int LayoutKind(int64_t line, int64_t step) { return step == 1 ? 0 : line == 1 ? 1 : 2; }
inline int64_t DivideUp(int64_t a, int64_t b) { return (a + b - 1) / b; }

inline void AttentionDspTerms(const AttentionCall &c, TermList &list) {
  static const char *const kWidened[] = {"dense blocks", "adjacent blocks", "strided blocks"};
  static const char *const kWidenings[] = {"dense panels", "adjacent panels", "strided panels"};
  static const char *const kTails[] = {"dense tails", "adjacent tails", "strided tails"};
  // `lines` by fours, `elements` in each; the last four are strided where they are not whole but side by side
  const auto widen = [&](int layout, int64_t lines, int64_t elements, int64_t pieces) {
    const int64_t strided = layout == 1 && lines % 4 ? 1 : 0, panels = (lines + 3) / 4 - strided;
    list.Add(c.kernel, kWidenings[layout], panels * pieces);
    list.Add(c.kernel, kWidened[layout], panels * (elements / 4));
    list.Add(c.kernel, kTails[layout], elements % 4 ? panels : 0);
    list.Add(c.kernel, kWidenings[2], strided * pieces);
    list.Add(c.kernel, kWidened[2], strided * DivideUp(elements, 4));
  };
  const int64_t keys = DivideUp(c.keys, 4), depth = DivideUp(c.depth, 4), columns = DivideUp(c.columns, 4);
  for (int64_t n = 0; n < c.rows; n += kTileRows) {
    const int64_t pairs = DivideUp(std::min<int64_t>(c.rows - n, kTileRows), 2);
    const int64_t pieces = pairs == 1 ? DivideUp(c.keys, (12 * depth + 2) / 8 * 4) : 1;
    const int64_t whole = pairs > 1 && c.plain_output ? c.columns / 4 : 0;
    list.Add(c.kernel, "row tiles", 1);
    list.Add(c.kernel, "pairs", pairs);
    list.Add(c.kernel, c.query_dense ? "query blocks" : "strided query blocks", pairs * depth);
    widen(c.key_layout, c.keys, c.depth, 1);
    widen(c.value_layout, c.columns, c.keys, pieces);
    list.Add(c.kernel, "score tiles", keys * pairs);
    list.Add(c.kernel, "masked scores", c.masked ? 8 * keys * pairs : 0);
    list.Add(c.kernel, "exponential groups", pairs * keys);
    list.Add(c.kernel, "row tiles of four", whole * pairs);
    list.Add(c.kernel, "sum tiles", (columns - whole) * pairs * pieces);
    list.Add(c.kernel, "sum outputs", 2 * pairs * (c.columns - 4 * whole));
    list.Add(c.kernel, "blocks", pairs * (keys * depth + columns * keys));
    const int64_t piece_rounds = DivideUp(DivideUp(keys, pieces) - 1, 4) + 1;
    list.Add(c.kernel, "rounds", pairs * (keys * (DivideUp(depth - 1, 4) + 1) + columns * pieces * piece_rounds));
  }
}

inline void AttentionMveTerms(const AttentionCall &c, TermList &list) {
  static const char *const kLines[] = {"dense lines", "strided lines", "strided lines"};
  static const char *const kBlocks[] = {"dense blocks", "strided blocks", "strided blocks"};
  const int64_t key_blocks = DivideUp(c.keys, 16), depth = DivideUp(c.depth, 16);
  const int64_t keys = DivideUp(c.keys, 4), columns = DivideUp(c.columns, 4);
  const bool whole_keys = c.key_layout == 0 && c.depth % 16 == 0;
  for (int64_t n = 0; n < c.rows; n += kTileRows) {
    const int64_t pairs = DivideUp(std::min<int64_t>(c.rows - n, kTileRows), 2);
    const int query = c.query_dense ? 0 : 1;
    list.Add(c.kernel, "row tiles", 1);
    list.Add(c.kernel, "pairs", pairs);
    list.Add(c.kernel, kLines[query], 2 * pairs);
    list.Add(c.kernel, kBlocks[query], 2 * pairs * depth);
    list.Add(c.kernel, "panels", keys + columns);
    list.Add(c.kernel, "key blocks", whole_keys ? c.keys / 4 * depth : 0);
    const int64_t lines = whole_keys ? c.keys % 4 : c.keys;
    list.Add(c.kernel, kLines[c.key_layout], lines);
    list.Add(c.kernel, kBlocks[c.key_layout], lines * depth);
    list.Add(c.kernel, kLines[c.value_layout], c.columns);
    list.Add(c.kernel, kBlocks[c.value_layout], c.columns * key_blocks);
    list.Add(c.kernel, "score tiles", keys * pairs);
    list.Add(c.kernel, "masked scores", c.masked ? 2 * c.keys * pairs : 0);
    list.Add(c.kernel, "exponential vectors", 2 * pairs * DivideUp(c.keys, 8));
    list.Add(c.kernel, "row tiles of four", columns * pairs);
    list.Add(c.kernel, "sum outputs", c.plain_output ? 0 : 2 * pairs * c.columns);
    list.Add(c.kernel, "blocks", pairs * (keys * depth + columns * key_blocks));
  }
}

// Rows of one tile: what its products and exponentials walk through. `kinds`: the names of its terms.
struct RowTileTerms {
  const char *tiles, *const *line_tiles, *const *steps;
  int64_t lines[3];  // that share a tile, by layout
};

inline void AttentionRowTerms(const AttentionCall &c, const RowTileTerms &tile, int64_t times, TermList &list) {
  const auto products = [&](int layout, int64_t lines, int64_t steps) {
    const int64_t tiles = times * DivideUp(lines, tile.lines[layout]);
    list.Add(c.kernel, tile.line_tiles[layout], tiles);
    list.Add(c.kernel, tile.steps[layout], tiles * steps);
    list.Add(c.kernel, "step tails", tiles * (steps % 4));
  };
  list.Add(c.kernel, tile.tiles, times);
  list.Add(c.kernel, c.query_dense ? "query values" : "strided query values", times * c.depth);
  products(c.key_layout, c.keys, c.depth);
  products(c.value_layout, c.columns, c.keys);
  list.Add(c.kernel, "scores", times * c.keys);
  list.Add(c.kernel, "score tails", times * (c.keys % 4));
  list.Add(c.kernel, "masked scores", c.masked ? times * c.keys : 0);
}

// `height` rows at a time by three or four keys, then by four columns; on Armv7-M three by two lines first.
inline void AttentionRowsTerms(const std::string &variant, const AttentionCall &c, TermList &list) {
  static const char *const kSteps[] = {"dense steps", "adjacent steps", "strided steps"};
  static const char *const kTiles[] = {"dense tiles", "adjacent tiles", "strided tiles"};
  static const char *const kStepsOfThree[] = {"dense steps of three", "adjacent steps of three",
                                              "strided steps of three"};
  static const char *const kTilesOfThree[] = {"dense tiles of three", "adjacent tiles of three",
                                              "strided tiles of three"};
  const int64_t height = variant == "_rv32" ? 4 : 2, threes = variant == "_armv7m" ? c.rows / 3 : 0;
  const int64_t wide = height == 4 ? 4 : 3;
  if (threes > 0) AttentionRowTerms(c, {"row tiles of three", kTilesOfThree, kStepsOfThree, {2, 2, 2}}, threes, list);
  const int64_t rest = DivideUp(c.rows - 3 * threes, height);
  AttentionRowTerms(c, {"row tiles", kTiles, kSteps, {wide, 4, wide}}, rest, list);
  list.Add(c.kernel, "rows", c.rows);
  list.Add(c.kernel, "row scores", c.rows * c.keys);
  list.Add(c.kernel, "outputs", c.rows * c.columns);
}

// Tiles of up to 16 rows, in fours, of which the last may be a pair, by one key or one column, widened per tile.
inline void AttentionArmv6mTerms(const AttentionCall &c, TermList &list) {
  const int64_t depth = DivideUp(c.depth, 4), keys = DivideUp(c.keys, 4);
  for (int64_t n = 0; n < c.rows; n += kTileRows) {
    const int64_t pairs = DivideUp(std::min<int64_t>(c.rows - n, kTileRows), 2), lines = c.keys + c.columns;
    const int64_t blocks = c.keys * depth + c.columns * keys;
    list.Add(c.kernel, "row tiles", 1);
    list.Add(c.kernel, "pairs", pairs);
    list.Add(c.kernel, "query values", pairs * c.depth);
    list.Add(c.kernel, "lines", lines);
    list.Add(c.kernel, "line values", c.keys * c.depth + c.columns * c.keys);
    list.Add(c.kernel, "fours", pairs / 2 * lines);
    list.Add(c.kernel, "blocks of four", pairs / 2 * blocks);
    list.Add(c.kernel, "last pairs", pairs % 2 * lines);
    list.Add(c.kernel, "blocks of two", pairs % 2 * blocks);
    list.Add(c.kernel, "row scores", 2 * pairs * c.keys);
    list.Add(c.kernel, "masked scores", c.masked ? 2 * pairs * c.keys : 0);
  }
  list.Add(c.kernel, "outputs", c.rows * c.columns);
}

inline void AttentionTerms(const std::string &variant, const AttentionCall &call, TermList &list) {
  if (variant == "_dsp") return AttentionDspTerms(call, list);
  if (variant == "_mve") return AttentionMveTerms(call, list);
  if (variant == "_armv6m") return AttentionArmv6mTerms(call, list);
  AttentionRowsTerms(variant, call, list);
}

}  // namespace o2m
