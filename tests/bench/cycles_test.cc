// The estimate of cycles against the manuals' tables, on instructions as the assembler writes them.
#include "codegen/cycles.h"

#include <gtest/gtest.h>

namespace onnx2mcu {
namespace {

constexpr uint32_t kM0 = 0, kM3 = O2M_FEATURE_LONG_MUL, kM4 = kM3 | O2M_FEATURE_DSP;

int64_t Cycles(uint32_t features, const std::vector<uint16_t> &halfwords) {
  std::string code;
  for (const uint16_t halfword : halfwords) {
    code.push_back(static_cast<char>(halfword & 0xff));
    code.push_back(static_cast<char>(halfword >> 8));
  }
  return StraightCycles(*CycleTableOf(features), code);
}

TEST(Cycles, ManyRegistersCountEach) {
  EXPECT_EQ(Cycles(kM4, {0xe8f2, 0x0102}), 3);   // ldrd r0, r1, [r2], #8
  EXPECT_EQ(Cycles(kM4, {0xe9c2, 0x0102}), 3);   // strd r0, r1, [r2, #8]
  EXPECT_EQ(Cycles(kM4, {0xc81e}), 5);           // ldmia r0!, {r1-r4}
  EXPECT_EQ(Cycles(kM4, {0xc01e}), 5);           // stmia r0!, {r1-r4}
  EXPECT_EQ(Cycles(kM4, {0xe8b0, 0x0ff0}), 9);   // ldmia.w r0!, {r4-r11}
  EXPECT_EQ(Cycles(kM4, {0xe92d, 0x4ff0}), 10);  // push.w {r4-r11, lr}
  EXPECT_EQ(Cycles(kM4, {0xb510}), 3);           // push {r4, lr}
  EXPECT_EQ(Cycles(kM4, {0xbd10}), 3);           // pop {r4, pc}
  EXPECT_EQ(Cycles(kM0, {0xbd10}), 4);
}

TEST(Cycles, LoadsAndStoresFollowEachOther) {
  EXPECT_EQ(Cycles(kM4, {0x6801}), 2);                          // ldr r1, [r0]
  EXPECT_EQ(Cycles(kM4, {0x6801, 0x6842}), 3);                  // another behind it
  EXPECT_EQ(Cycles(kM0, {0x6801, 0x6842}), 4);                  // no pipelining there
  EXPECT_EQ(Cycles(kM4, {0x6801, 0x1c40, 0x6842}), 5);          // adds between
  EXPECT_EQ(Cycles(kM4, {0xf850, 0x1b04, 0xf850, 0x2b04}), 3);  // ldr.w r1, [r0], #4, twice
  EXPECT_EQ(Cycles(kM4, {0xf993, 0x1000}), 2);                  // ldrsb.w r1, [r3]
  EXPECT_EQ(Cycles(kM4, {0x6801, 0xe8f2, 0x0102}), 5);          // ldrd is not pipelined
}

TEST(Cycles, MultipliersDiffer) {
  EXPECT_EQ(Cycles(kM0, {0x4348}), 1);          // muls r0, r1
  EXPECT_EQ(Cycles(kM3, {0xfb01, 0xf002}), 1);  // mul r0, r1, r2
  EXPECT_EQ(Cycles(kM3, {0xfb01, 0x3002}), 2);  // mla r0, r1, r2, r3
  EXPECT_EQ(Cycles(kM4, {0xfb01, 0x3002}), 1);
  EXPECT_EQ(Cycles(kM4, {0xfb21, 0x3002}), 1);  // smlad r0, r1, r2, r3
  EXPECT_EQ(Cycles(kM4, {0xfb51, 0x3012}), 1);  // smmlar r0, r1, r2, r3
  EXPECT_EQ(Cycles(kM3, {0xfb82, 0x0103}), 5);  // smull r0, r1, r2, r3
  EXPECT_EQ(Cycles(kM3, {0xfbc2, 0x0103}), 7);  // smlal r0, r1, r2, r3
  EXPECT_EQ(Cycles(kM4, {0xfbc2, 0x0103}), 1);
  EXPECT_EQ(Cycles(kM4, {0xfb91, 0xf0f2}), 12);  // sdiv r0, r1, r2
  EXPECT_EQ(Cycles(kM4, {0xfbb1, 0xf0f2}), 12);  // udiv r0, r1, r2
}

TEST(Cycles, BranchesAreOneWithoutTheRefill) {
  EXPECT_EQ(Cycles(kM4, {0xd1fd}), 1);          // bne
  EXPECT_EQ(Cycles(kM4, {0x4770}), 1);          // bx lr
  EXPECT_EQ(Cycles(kM4, {0xf000, 0xf800}), 1);  // bl
  EXPECT_EQ(Cycles(kM0, {0xf000, 0xf800}), 2);
  EXPECT_EQ(Cycles(kM4, {0xe8df, 0xf000}), 2);  // tbb [pc, r0]
}

TEST(Cycles, NoTableWhereNoneIsKnown) {
  EXPECT_EQ(CycleTableOf(kM4 | O2M_FEATURE_MVE), nullptr);
  EXPECT_EQ(CycleTableOf(O2M_FEATURE_RV32 | O2M_FEATURE_LONG_MUL), nullptr);
}

}  // namespace
}  // namespace onnx2mcu
