#include "codegen/guards.h"

#include <algorithm>

namespace onnx2mcu {
namespace {

constexpr int kLeastWithSubregions = 8;  // log2 of the bytes

uint64_t Bytes(int log2_bytes) { return uint64_t{1} << log2_bytes; }
uint64_t AlignDown(uint64_t address, uint64_t alignment) { return address / alignment * alignment; }

// Of the eight parts of [base, base + 2^log2_bytes), those that `span` touches.
uint8_t EighthsOf(const AddressSpan &span, uint64_t base, int log2_bytes) {
  uint8_t eighths = 0;
  for (int i = 0; i < 8; i++) {
    const uint64_t part = base + i * Bytes(log2_bytes - 3);
    if (part < span.end() && part + Bytes(log2_bytes - 3) > span.base) eighths |= static_cast<uint8_t>(1u << i);
  }
  return eighths;
}

// The block with subregions that starts where `span` does, or a 256-byte one around it. No block is smaller: eight
// subregions of 32 bytes make any multiple of that.
int BlockOver(const AddressSpan &span) {
  int log2_bytes = kLeastWithSubregions;
  while (AlignDown(span.base, Bytes(log2_bytes)) + Bytes(log2_bytes) < span.end()) log2_bytes++;
  return log2_bytes;
}

// No access from `end` on, as far as the alignment of `end` lets one region reach, at most 8 MiB. No subregion is left
// out: QEMU 7.2 lets a whole page be touched once an address in a left out part of it was.
Pmsav7Region GuardAt(uint64_t end) {
  int log2_bytes = 5;
  while (log2_bytes < 23 && end % Bytes(log2_bytes + 1) == 0) log2_bytes++;
  return {end, log2_bytes, 0xff, Access::kDenied};
}

}  // namespace

Pmsav7Region RegionAround(const std::vector<AddressSpan> &spans, Access access) {
  AddressSpan all = spans[0];
  for (const AddressSpan &span : spans) {
    const uint64_t end = std::max(all.end(), span.end());
    all.base = std::min(all.base, span.base);
    all.bytes = static_cast<int64_t>(end - all.base);
  }
  Pmsav7Region region{0, BlockOver(all), 0, access};
  region.base = AlignDown(all.base, Bytes(region.log2_bytes));
  for (const AddressSpan &span : spans) region.eighths |= EighthsOf(span, region.base, region.log2_bytes);
  return region;
}

std::vector<Pmsav7Region> RegionsOver(const AddressSpan &span, int count, AddressSpan *exposed) {
  std::vector<Pmsav7Region> regions;
  AddressSpan rest = span;
  while (rest.bytes > 0 && static_cast<int>(regions.size()) < count) {
    const int log2_bytes = BlockOver(rest);
    const uint64_t grain = Bytes(log2_bytes - 3), base = AlignDown(rest.base, Bytes(log2_bytes));
    const AddressSpan whole{rest.base, rest.bytes / static_cast<int64_t>(grain) * static_cast<int64_t>(grain)};
    regions.push_back({base, log2_bytes, EighthsOf(whole, base, log2_bytes), Access::kWrite});
    rest = {whole.end(), rest.bytes - whole.bytes};
  }
  *exposed = {span.end(), 0};
  if (rest.bytes == 0) return regions;
  // the last but one takes its last subregion whole, the guard takes back what it can of that
  if (count > 1) regions.pop_back();
  Pmsav7Region &last = regions.back();
  last.eighths = EighthsOf({last.base, static_cast<int64_t>(span.end() - last.base)}, last.base, last.log2_bytes);
  const uint64_t grain = Bytes(last.log2_bytes - 3), reach = AlignDown(span.end() + grain - 1, grain);
  if (count == 1) {
    *exposed = {span.end(), static_cast<int64_t>(reach - span.end())};
    return regions;
  }
  const Pmsav7Region guard = GuardAt(span.end());
  const uint64_t behind = guard.base + Bytes(guard.log2_bytes);
  if (reach > behind) *exposed = {behind, static_cast<int64_t>(reach - behind)};
  regions.push_back(guard);
  return regions;
}

// RBAR: the address; number and VALID are left to the region number register. RASR: XN 28, AP 26:24, TEX 21:19 (1:
// normal memory, not cached), SRD 15:8, SIZE 5:1, ENABLE 0.
GuardRegisters Pmsav7Registers(const Pmsav7Region &region) {
  const uint32_t never_execute = region.access == Access::kExecute ? 0 : 1u << 28;
  const uint32_t permission = region.access == Access::kDenied ? 0 : region.access == Access::kWrite ? 3 : 6;
  const uint32_t left_out = region.log2_bytes < kLeastWithSubregions ? 0 : static_cast<uint8_t>(~region.eighths);
  return {static_cast<uint32_t>(region.base), never_execute | permission << 24 | 1u << 19 | left_out << 8 |
                                                  static_cast<uint32_t>(region.log2_bytes - 1) << 1 | 1u};
}

// RBAR: address, AP 2:1 (01: write, 11: read only, privileged or not), XN 0. RLAR: last 32 bytes, attributes 0, EN 0.
GuardRegisters Pmsav8Registers(const AddressSpan &span, Access access) {
  const auto grain = static_cast<uint64_t>(kGuardGrain);
  const uint64_t base = AlignDown(span.base, grain), last = AlignDown(span.end() - 1, grain);
  const uint32_t permission = access == Access::kWrite ? 1 : 3;
  return {static_cast<uint32_t>(base) | permission << 1 | (access == Access::kExecute ? 0u : 1u),
          static_cast<uint32_t>(last) | 1u};
}

// pmpcfg: R 0, W 1, X 2, A 4:3 (0: off, an address alone; 1: top of range, from the entry before).
std::vector<GuardRegisters> PmpRegisters(const AddressSpan &span, Access access) {
  const uint32_t permission = access == Access::kWrite ? 3 : access == Access::kExecute ? 5 : 1;
  return {{static_cast<uint32_t>(span.base / 4), 0},
          {static_cast<uint32_t>((span.end() + 3) / 4), permission | 1u << 3}};
}

}  // namespace onnx2mcu
