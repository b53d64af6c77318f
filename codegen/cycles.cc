#include "codegen/cycles.h"

#include <bit>

namespace onnx2mcu {
namespace {

constexpr CycleTable kM0 = {"cortex-m0", 1, 1, 1, 1, false, 2, 1, 1};
constexpr CycleTable kM3 = {"cortex-m3", 2, 5, 7, 12, true, 2, 0, 0};
constexpr CycleTable kM4 = {"cortex-m4", 1, 1, 1, 12, true, 2, 0, 0};

struct Cost {
  int cycles = 1;
  bool single = false;  // a load or store of one register
};

// Armv7-M ARM (DDI 0403), A5.2.
Cost Narrow(const CycleTable &table, uint32_t word) {
  const auto in = [word](uint32_t mask, uint32_t value) { return (word & mask) == value; };
  if (word >= 0x4800 && word < 0xa000) return {2, true};  // LDR, STR and their kin
  if (in(0xfe00, 0xb400)) return {1 + std::popcount(word & 0x1ff)};
  if (in(0xfe00, 0xbc00)) return {1 + std::popcount(word & 0x1ff) + ((word & 0x100) != 0 ? table.return_ : 0)};
  if (in(0xf000, 0xc000)) return {1 + std::popcount(word & 0xff)};
  return {};
}

Cost Multiply(const CycleTable &table, uint32_t first, uint32_t second) {
  const uint32_t operation = first >> 4 & 7;
  if ((first & 0xff80) == 0xfb80) {  // long multiplication and division
    if (operation == 1 || operation == 3) return {table.divide};
    return {operation >= 4 ? table.long_multiply_add : table.long_multiply};
  }
  const bool accumulates = (second & 0xf000) != 0xf000;
  return {operation == 0 && accumulates ? table.multiply_add : 1};
}

// Armv7-M ARM, A5.3.
Cost Wide(const CycleTable &table, uint32_t first, uint32_t second) {
  const auto in = [first](uint32_t mask, uint32_t value) { return (first & mask) == value; };
  if (in(0xfe40, 0xe800)) return {1 + std::popcount(second)};         // LDM, STM
  if (in(0xfff0, 0xe8d0) && (second & 0xffe0) == 0xf000) return {2};  // TBB, TBH
  if (in(0xfe40, 0xe840)) return {3};                                 // LDRD, STRD
  if (in(0xfe00, 0xf800)) return {2, true};
  if (in(0xff00, 0xfb00)) return Multiply(table, first, second);
  if (in(0xf800, 0xf000) && (second & 0xd000) == 0xd000) return {1 + table.call};  // BL
  return {};
}

uint32_t HalfwordAt(const std::string &code, size_t at) {
  return static_cast<uint8_t>(code[at]) | static_cast<uint32_t>(static_cast<uint8_t>(code[at + 1])) << 8;
}

}  // namespace

const CycleTable *CycleTableOf(uint32_t features) {
  if ((features & (O2M_FEATURE_MVE | O2M_FEATURE_RV32)) != 0) return nullptr;
  if ((features & O2M_FEATURE_DSP) != 0) return &kM4;
  return (features & O2M_FEATURE_LONG_MUL) != 0 ? &kM3 : &kM0;
}

int64_t StraightCycles(const CycleTable &table, const std::string &code) {
  int64_t cycles = 0;
  bool after_single = false;
  for (size_t at = 0; at + 2 <= code.size();) {
    const uint32_t first = HalfwordAt(code, at);
    const bool wide = first >= 0xe800 && at + 4 <= code.size();
    const Cost cost = wide ? Wide(table, first, HalfwordAt(code, at + 2)) : Narrow(table, first);
    cycles += cost.single && after_single && table.pipelined ? 1 : cost.cycles;
    after_single = cost.single;
    at += wide ? 4 : 2;
  }
  return cycles;
}

}  // namespace onnx2mcu
