// Memory protection registers against a decoder written from the architecture manuals: what may be touched, to the
// byte.
#include "codegen/guards.h"

#include <gtest/gtest.h>

#include <optional>
#include <random>

namespace onnx2mcu {
namespace {

// PMSAv7: the highest region with an enabled subregion at the address decides; nothing: no access.
Access Pmsav7At(const std::vector<GuardRegisters> &registers, uint64_t address) {
  for (size_t i = registers.size(); i-- > 0;) {
    const auto [rbar, rasr] = registers[i];
    const uint64_t bytes = uint64_t{1} << ((rasr >> 1 & 31) + 1), base = rbar & ~31u;
    if ((rasr & 1) == 0 || address < base || address >= base + bytes) continue;
    if (bytes >= 256 && (rasr >> 8 >> ((address - base) / (bytes / 8)) & 1) != 0) continue;
    const uint32_t permission = rasr >> 24 & 7;
    if (permission == 0) return Access::kDenied;
    if (permission == 3) return Access::kWrite;
    return rasr >> 28 & 1 ? Access::kRead : Access::kExecute;
  }
  return Access::kDenied;
}

// PMSAv8: the one region that holds the address; two are a fault.
std::optional<Access> Pmsav8At(const std::vector<GuardRegisters> &registers, uint64_t address) {
  std::optional<Access> found = Access::kDenied;
  int hits = 0;
  for (const auto &[rbar, rlar] : registers) {
    if (address < (rbar & ~31u) || address > (rlar | 31u) || (rlar & 1) == 0) continue;
    hits++;
    found = (rbar >> 1 & 3) == 1 ? Access::kWrite : (rbar & 1) != 0 ? Access::kRead : Access::kExecute;
  }
  return hits > 1 ? std::nullopt : found;
}

std::vector<GuardRegisters> Registers(const std::vector<Pmsav7Region> &regions) {
  std::vector<GuardRegisters> registers;
  for (const Pmsav7Region &region : regions) {
    EXPECT_EQ(region.base % (uint64_t{1} << region.log2_bytes), 0u) << "a region is aligned to its size";
    EXPECT_GE(region.log2_bytes, region.access == Access::kDenied ? 5 : 8);
    registers.push_back(Pmsav7Registers(region));
  }
  return registers;
}

// Every size up to 2 KiB, then random ones up to 2 MiB: the span and what is said to be exposed, not a byte more.
void ExpectExact(int64_t bytes, int count) {
  const AddressSpan span{0x20000000, bytes};
  AddressSpan exposed;
  const std::vector<GuardRegisters> registers = Registers(RegionsOver(span, count, &exposed));
  ASSERT_LE(registers.size(), static_cast<size_t>(count)) << bytes;
  const auto writable = [&](uint64_t address) { return Pmsav7At(registers, address) == Access::kWrite; };
  const uint64_t step = bytes <= 2048 ? 1 : 32;  // subregions are no finer
  for (uint64_t at = span.base; at < span.end() + 4096; at += step)
    ASSERT_EQ(writable(at), at < span.end() || (at >= exposed.base && at < exposed.end())) << bytes << " " << at;
  ASSERT_EQ(Pmsav7At(registers, span.base - 1), Access::kDenied) << bytes;
  for (uint64_t outside : {span.end(), span.end() + 31}) {
    const bool denied = Pmsav7At(registers, outside) == Access::kDenied;
    ASSERT_TRUE(denied || count == 1) << bytes;
  }
  for (uint64_t inside : {span.base, span.end() - 1}) ASSERT_TRUE(writable(inside)) << bytes;
  if (exposed.bytes > 0 && count > 1) {
    ASSERT_GE(exposed.base, span.end() + 32) << bytes;
  }
}

TEST(Guards, Pmsav7LetsExactlyTheSpanBeWritten) {
  std::mt19937 random(1);
  for (int count : {1, 2, 3, 4, 8}) {
    for (int64_t bytes = 32; bytes <= 2048; bytes += 32) ASSERT_NO_FATAL_FAILURE(ExpectExact(bytes, count));
    for (int i = 0; i < 60; i++)
      ASSERT_NO_FATAL_FAILURE(ExpectExact(32 + 32 * static_cast<int64_t>(random() % (1 << (6 + i % 11))), count));
  }
}

TEST(Guards, FourRegionsExposeNothingUpTo128Kib) {
  for (int64_t bytes = 32; bytes <= 128 * 1024; bytes += 32) {
    AddressSpan exposed;
    RegionsOver({0x20000000, bytes}, 4, &exposed);
    ASSERT_EQ(exposed.bytes, 0) << bytes;
  }
}

TEST(Guards, ARegionAroundSpansLeavesOutWhatTheyDoNotTouch) {
  // inputs in the first six eighths of 64 KiB, code in the last
  const std::vector<GuardRegisters> registers =
      Registers({RegionAround({{0x10000, 9000}, {0x1e000, 100}}, Access::kExecute)});
  for (uint64_t at = 0x0f000; at < 0x21000; at += 16) {
    const bool within = (at >= 0x10000 && at < 0x14000) || (at >= 0x1e000 && at < 0x20000);
    ASSERT_EQ(Pmsav7At(registers, at), within ? Access::kExecute : Access::kDenied) << at;
  }
}

TEST(Guards, Pmsav8RegionsAreExactTo32Bytes) {
  const std::vector<GuardRegisters> registers = {Pmsav8Registers({0x38000000, 97056}, Access::kWrite),
                                                 Pmsav8Registers({0x80000000, 1 << 20}, Access::kExecute),
                                                 Pmsav8Registers({0x10100000, 784}, Access::kRead)};
  const auto at = [&](uint64_t address) { return Pmsav8At(registers, address).value(); };
  EXPECT_EQ(at(0x37ffffff), Access::kDenied);
  EXPECT_EQ(at(0x38000000), Access::kWrite);
  EXPECT_EQ(at(0x38000000 + 97055), Access::kWrite);
  EXPECT_EQ(at(0x38000000 + 97056), Access::kDenied);
  EXPECT_EQ(at(0x800fffff), Access::kExecute);
  EXPECT_EQ(at(0x80100000), Access::kDenied);
  EXPECT_EQ(at(0x10100000), Access::kRead);
  EXPECT_EQ(at(0x10100000 + 799), Access::kRead);  // 784 rounded up
  EXPECT_EQ(at(0x10100000 + 800), Access::kDenied);
}

// PMP: the first entry whose range holds the address decides; nothing: no access in user mode.
Access PmpAt(const std::vector<GuardRegisters> &entries, uint64_t address) {
  for (size_t i = 1; i < entries.size(); i++) {
    const auto [top, config] = entries[i];
    const uint64_t bottom = entries[i - 1].first;
    if ((config >> 3 & 3) != 1 || address / 4 < bottom || address / 4 >= top) continue;
    return (config & 2) != 0 ? Access::kWrite : (config & 4) != 0 ? Access::kExecute : Access::kRead;
  }
  return Access::kDenied;
}

TEST(Guards, PmpRangesAreExactToFourBytes) {
  std::vector<GuardRegisters> entries;
  const auto add = [&entries](const AddressSpan &span, Access access) {
    for (const GuardRegisters &entry : PmpRegisters(span, access)) entries.push_back(entry);
  };
  add({0x81000000, 1 << 20}, Access::kExecute);
  add({0x80100000, 786}, Access::kRead);
  add({0x85000000, 97056}, Access::kWrite);
  EXPECT_EQ(PmpAt(entries, 0x80ffffff), Access::kDenied);
  EXPECT_EQ(PmpAt(entries, 0x81000000), Access::kExecute);
  EXPECT_EQ(PmpAt(entries, 0x81100000), Access::kDenied);
  EXPECT_EQ(PmpAt(entries, 0x80100000 + 787), Access::kRead);  // 786 rounded up
  EXPECT_EQ(PmpAt(entries, 0x80100000 + 788), Access::kDenied);
  EXPECT_EQ(PmpAt(entries, 0x84ffffff), Access::kDenied);
  EXPECT_EQ(PmpAt(entries, 0x85000000), Access::kWrite);
  EXPECT_EQ(PmpAt(entries, 0x85000000 + 97055), Access::kWrite);
  EXPECT_EQ(PmpAt(entries, 0x85000000 + 97056), Access::kDenied);
}

}  // namespace
}  // namespace onnx2mcu
