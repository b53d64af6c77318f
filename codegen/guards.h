// codegen/guards.h - memory protection as register values: what the network may touch while it runs, and nothing else.
//
// PMSAv7 (Armv7-M Architecture Reference Manual, B3.5): a region is a power of two, aligned to its size, from 256 bytes
// on with eight subregions that can be left out; where regions overlap the higher number wins. PMSAv8 (Armv8-M
// Architecture Reference Manual, B11): base and limit are multiples of 32 bytes, regions do not overlap. In both, what
// no region covers faults, because the background map is off. PMP (RISC-V Privileged Architecture, 3.7): ranges of
// 4-byte words, which bind user mode, so the network runs in that.
#pragma once
#include <cstdint>
#include <utility>
#include <vector>

namespace onnx2mcu {

struct AddressSpan {
  uint64_t base = 0;
  int64_t bytes = 0;
  uint64_t end() const { return base + static_cast<uint64_t>(bytes); }
};

enum class Access : uint8_t { kDenied, kRead, kExecute, kWrite };  // kExecute: and read; kWrite: and read

inline constexpr int64_t kGuardGrain = 32;  // bytes; the least that either kind tells apart

struct Pmsav7Region {
  uint64_t base = 0;    // multiple of 2^log2_bytes
  int log2_bytes = 0;   // 5..32
  uint8_t eighths = 0;  // bit i: subregion i belongs to the region; 0xff below 256 bytes
  Access access = Access::kDenied;
};

// The least region that holds all spans, with the subregions that any of them touches.
Pmsav7Region RegionAround(const std::vector<AddressSpan> &spans, Access access);

// At most `count` regions that let exactly `span` be written; its base is a multiple of the power of two above its
// bytes, its bytes a multiple of kGuardGrain. Where `count` is too small for that, the last region is a guard of 32
// bytes or more directly behind the span, and `exposed` is what can be touched behind that guard; else 0 bytes. One
// region is none to spare for a guard: what its last subregion adds is exposed.
std::vector<Pmsav7Region> RegionsOver(const AddressSpan &span, int count, AddressSpan *exposed);

// RBAR and RASR, or RBAR and RLAR.
using GuardRegisters = std::pair<uint32_t, uint32_t>;
GuardRegisters Pmsav7Registers(const Pmsav7Region &region);
GuardRegisters Pmsav8Registers(const AddressSpan &span, Access access);
// pmpaddr and pmpcfg of two entries: where the range starts, then where it ends and what it allows.
std::vector<GuardRegisters> PmpRegisters(const AddressSpan &span, Access access);

}  // namespace onnx2mcu
