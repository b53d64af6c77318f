#include "codegen/emulator_layout.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "codegen/regions.h"
#include "codegen/runtime.h"

namespace onnx2mcu {
namespace {

constexpr int64_t kAlignment = 16;          // of the arena, by contract, and of inputs and outputs
constexpr int64_t kPageBytes = 4096;        // of the emulator
constexpr uint64_t kNearBytes = 4096;       // an access no farther away is described as past an end
constexpr int64_t kApartBytes = 64 * 1024;  // between regions of RAM, at least

constexpr int64_t RoundUp(int64_t value, int64_t grain) { return (value + grain - 1) / grain * grain; }

int64_t PowerOfTwoFrom(int64_t bytes) {
  int64_t power = 256;
  while (power < bytes) power *= 2;
  return power;
}

// From the top of the machine's memory for the harness downwards.
struct Allocator {
  uint64_t base, top;
  bool full = false;
  AddressSpan Take(int64_t bytes) {  // a power of two, aligned to itself; no page of the emulator holds two blocks
    const uint64_t size = static_cast<uint64_t>(std::max(bytes, kPageBytes));
    if (top - base < 2 * size) full = true;
    if (full) return {base, 0};
    top = (top - size) / size * size;
    return {top, bytes};
  }
};

int64_t Offsets(const Graph &graph, const std::vector<TensorId> &ids, std::vector<int64_t> *offsets) {
  int64_t at = 0;
  for (TensorId id : ids) {
    offsets->push_back(at);
    at = RoundUp(at + BytesOf(graph.tensors[id]), kAlignment);
  }
  return at;
}

// What lies between outputs, and behind the last.
void PaintGaps(const Graph &graph, EmulatorLayout &layout) {
  for (size_t i = 0; i < graph.outputs.size(); i++) {
    const uint64_t end = layout.outputs.base +
                         static_cast<uint64_t>(layout.output_offsets[i] + BytesOf(graph.tensors[graph.outputs[i]]));
    const uint64_t next = i + 1 < graph.outputs.size()
                              ? layout.outputs.base + static_cast<uint64_t>(layout.output_offsets[i + 1])
                              : layout.outputs.end();
    if (next > end) layout.painted.push_back({end, static_cast<int64_t>(next - end)});
  }
}

void PlaceFlash(const Compilation &compilation, EmulatorLayout &layout) {
  const Board &board = compilation.board;
  layout.flash = compilation.target.emulator.flash;
  if (MainFlash(board).bytes == 0) return;
  const int64_t all = layout.flash.bytes;
  layout.flash.bytes = std::min(all, MainFlash(board).bytes);
  if (board.flash.size() < 2) return;
  layout.external = board.flash[1];
  layout.external.base = layout.flash.base + static_cast<uint64_t>(layout.flash.bytes);
  layout.external.bytes = std::min(layout.external.bytes, all - layout.flash.bytes);
}

absl::Status DoesNotFit(const Compilation &compilation, const Region &region, int64_t arena) {
  const size_t regions = ArenaRegions(compilation).size();
  return absl::ResourceExhaustedError(
      absl::StrCat(compilation.graph.file, ": does not fit the ", region.bytes, " B of RAM of ", BoardName(compilation),
                   regions > 1 ? absl::StrCat(", region ", region.name) : "", " (arena ", arena, " B, stack allowance ",
                   kStackAllowance, " B); try --optimize=ram or a larger board"));
}

// Each arena at the start of a region, the regions apart from each other by more than any access is wrong by.
absl::Status PlaceArenas(const Compilation &compilation, EmulatorLayout &layout) {
  const Region &machine = compilation.target.emulator.ram;
  uint64_t at = machine.base;
  for (const Arena &arena : ArenasOf(compilation.plan)) {
    ArenaSlot slot{RegionOf(compilation, arena), {}, arena.bytes, {}};
    const int64_t power = PowerOfTwoFrom(RoundUp(arena.bytes, kPageBytes));
    if (slot.region.bytes == 0) slot.region = machine;
    slot.region.bytes = std::min(slot.region.bytes, machine.bytes);
    if (!layout.arenas.empty()) at = (at + static_cast<uint64_t>(power) - 1) / power * power;
    slot.region.base = at;
    slot.span = {at, RoundUp(arena.bytes, kGuardGrain)};
    at += static_cast<uint64_t>(std::max(slot.region.bytes, power) + kApartBytes);
    const uint64_t end = machine.base + static_cast<uint64_t>(machine.bytes);
    if (arena.bytes > slot.region.bytes || slot.span.end() > end)
      return DoesNotFit(compilation, slot.region, arena.bytes);
    slot.region.bytes = std::min(slot.region.bytes, static_cast<int64_t>(end - slot.region.base));
    if (arena.region == 0) layout.beside_stack = arena.bytes, layout.ram = slot.region;
    layout.arenas.push_back(std::move(slot));
  }
  return absl::OkStatus();
}

// The stack in a window of its own, as large as what the arena leaves of the first region.
absl::Status PlaceRam(const Compilation &compilation, Allocator &memory, EmulatorLayout &layout) {
  layout.ram = ArenaRegions(compilation)[0];
  const Region &machine = compilation.target.emulator.ram;
  layout.ram = {layout.ram.bytes > 0 ? layout.ram.name : machine.name, machine.base,
                layout.ram.bytes > 0 ? std::min(layout.ram.bytes, machine.bytes) : machine.bytes};
  O2M_RETURN_IF_ERROR(PlaceArenas(compilation, layout));
  const int64_t rest = layout.ram.bytes - layout.beside_stack;
  if (rest < kStackAllowance) return DoesNotFit(compilation, layout.ram, layout.beside_stack);
  // an eighth of a power of two, so that one region has exactly this bottom
  const int64_t most = std::min(rest, kStackWindow), window = PowerOfTwoFrom(most);
  const AddressSpan block = memory.Take(window);
  layout.stack.bytes = most / (window / 8) * (window / 8);
  layout.stack.base = block.end() - static_cast<uint64_t>(layout.stack.bytes);
  return absl::OkStatus();
}

// Inputs in the first six eighths of a block, the calling code in the last.
void PlaceInputs(const Graph &graph, Allocator &memory, EmulatorLayout &layout) {
  const int64_t inputs = Offsets(graph, graph.inputs, &layout.input_offsets);
  const int64_t eighth = PowerOfTwoFrom(std::max((inputs + 5) / 6, kPageBytes));
  const AddressSpan block = memory.Take(8 * eighth);
  layout.inputs = {block.base, inputs};
  layout.call = {block.end() - static_cast<uint64_t>(block.bytes / 8), block.bytes / 8};
}

std::vector<GuardRegisters> GuardPmsav7(int regions, const EmulatorLayout &layout, std::vector<AddressSpan> *painted) {
  std::vector<Pmsav7Region> chosen = {
      RegionAround({{layout.flash.base, layout.flash.bytes + layout.external.bytes}}, Access::kExecute),
      RegionAround({layout.inputs, layout.call}, Access::kExecute), RegionAround({layout.outputs}, Access::kWrite),
      RegionAround({layout.stack}, Access::kWrite)};
  const int spare = regions - static_cast<int>(chosen.size()), arenas = static_cast<int>(layout.arenas.size());
  for (int i = 0; i < arenas; i++) {
    if (layout.arenas[i].span.bytes == 0) continue;
    AddressSpan exposed;
    const int share = spare / arenas + (i < spare % arenas ? 1 : 0);
    for (const Pmsav7Region &region : RegionsOver(layout.arenas[i].span, share, &exposed)) chosen.push_back(region);
    if (exposed.bytes > 0) painted->push_back(exposed);
  }
  std::vector<GuardRegisters> guards;
  for (const Pmsav7Region &region : chosen) guards.push_back(Pmsav7Registers(region));
  return guards;
}

// One entry, or one pair, for each: either kind has enough.
std::vector<GuardRegisters> GuardEach(Protection protection, const EmulatorLayout &layout) {
  const AddressSpan flash{layout.flash.base, layout.flash.bytes + layout.external.bytes};
  std::vector<std::pair<AddressSpan, Access>> spans = {{flash, Access::kExecute},
                                                       {layout.call, Access::kExecute},
                                                       {layout.inputs, Access::kRead},
                                                       {layout.outputs, Access::kWrite},
                                                       {layout.stack, Access::kWrite}};
  for (const ArenaSlot &arena : layout.arenas) spans.emplace_back(arena.span, Access::kWrite);
  std::vector<GuardRegisters> guards;
  for (const auto &[span, access] : spans) {
    if (span.bytes == 0) continue;
    if (protection == Protection::kPmsav8) guards.push_back(Pmsav8Registers(span, access));
    if (protection == Protection::kPmp)
      for (const GuardRegisters &entry : PmpRegisters(span, access)) guards.push_back(entry);
  }
  return guards;
}

std::vector<GuardRegisters> GuardsOf(const Emulator &machine, const EmulatorLayout &layout,
                                     std::vector<AddressSpan> *painted) {
  if (machine.protection == Protection::kAbsent) return {};
  if (machine.protection == Protection::kPmsav7) return GuardPmsav7(machine.protection_regions, layout, painted);
  return GuardEach(machine.protection, layout);
}

// Exact, and with every end of what may be written moved to the next page; what that adds is painted.
void Guard(const Emulator &machine, EmulatorLayout &layout) {
  EmulatorLayout rounded = layout;
  const auto paint = [&](const AddressSpan &exact, const AddressSpan &more) {
    if (more.bytes > exact.bytes) layout.painted.push_back({exact.end(), more.bytes - exact.bytes});
  };
  std::vector<AddressSpan *> spans = {&rounded.inputs, &rounded.outputs};
  for (ArenaSlot &arena : rounded.arenas) spans.push_back(&arena.span);
  for (AddressSpan *span : spans) span->bytes = RoundUp(span->bytes, kPageBytes);
  paint(layout.outputs, rounded.outputs);
  for (size_t i = 0; i < layout.arenas.size(); i++) paint(layout.arenas[i].span, rounded.arenas[i].span);
  layout.guards = GuardsOf(machine, layout, &layout.painted);
  layout.page_guards = GuardsOf(machine, rounded, &layout.painted);
  const size_t count = std::max(layout.guards.size(), layout.page_guards.size());
  layout.guards.resize(count), layout.page_guards.resize(count);  // a row of zeros is off
}

std::string NameOf(const Graph &graph, const Buffer &buffer) {
  if (buffer.kind == BufferKind::kTensor) return absl::StrCat("'", graph.tensors[buffer.id].name, "'");
  return absl::StrCat(buffer.kind == BufferKind::kScratch ? "the scratch" : "the state", " of '",
                      graph.nodes[buffer.id].name, "'");
}

std::vector<ArenaGap> GapsOf(const Compilation &compilation, const Arena &arena) {
  std::vector<const Buffer *> order;
  for (const Buffer &buffer : compilation.plan.buffers)
    if (buffer.offset >= arena.begin && buffer.offset < arena.begin + std::max<int64_t>(arena.bytes, 1))
      order.push_back(&buffer);
  std::sort(order.begin(), order.end(), [](const Buffer *a, const Buffer *b) { return a->offset < b->offset; });
  std::vector<ArenaGap> gaps;
  ArenaGap gap;  // its offset: the end of all blocks so far
  gap.offset = arena.begin;
  const auto close = [&](int64_t next) {
    gap.bytes = next - gap.offset;
    if (gap.bytes > 0) gaps.push_back(gap);
  };
  for (const Buffer *buffer : order) {
    close(buffer->offset);
    if (buffer->offset + buffer->bytes <= gap.offset) continue;
    gap = {buffer->offset + buffer->bytes, 0, NameOf(compilation.graph, *buffer)};
  }
  close(arena.begin + arena.bytes);
  for (ArenaGap &found : gaps) found.offset -= arena.begin;
  return gaps;
}

// ", 1 B past the end of the arena of 97,056 B"; empty where the address is not near the arena, or in it and a block's.
std::string NearArena(const EmulatorLayout &layout, size_t index, uint64_t arena, uint64_t address) {
  const ArenaSlot &slot = layout.arenas[index];
  const uint64_t end = arena + static_cast<uint64_t>(slot.bytes);
  const std::string name = layout.arenas.size() > 1 ? absl::StrCat("arena in ", slot.region.name) : "arena";
  const std::string size = absl::StrCat("the ", name, " of ", Grouped(slot.bytes), " B");
  if (address >= end && address - end < kNearBytes)
    return absl::StrCat(", ", Grouped(static_cast<int64_t>(address - end) + 1), " B past the end of ", size);
  if (address < arena && arena - address <= kNearBytes)
    return absl::StrCat(", ", Grouped(static_cast<int64_t>(arena - address)), " B before ", size);
  for (const ArenaGap &gap : slot.unused) {
    const uint64_t start = arena + static_cast<uint64_t>(gap.offset);
    if (address < start || address - start >= static_cast<uint64_t>(gap.bytes)) continue;
    if (gap.after.empty()) return absl::StrCat(", in the ", name, " where nothing lies");
    return absl::StrCat(", ", address - start + 1, " B past the end of ", gap.after);
  }
  return "";
}

std::string HexNumber(uint64_t value) { return absl::StrCat("0x", absl::Hex(value)); }

// For a list of input sections: " .itcm".
std::string PatternOf(const std::string &section) { return section.empty() ? "" : " " + section; }

}  // namespace

std::string BoardName(const Compilation &compilation) {
  if (!compilation.board.id.empty()) return compilation.board.id;
  return absl::StrCat("the ", compilation.target.id, " board");
}

absl::StatusOr<EmulatorLayout> LayoutOf(const Compilation &compilation) {
  const Emulator &machine = compilation.target.emulator;
  const Graph &graph = compilation.graph;
  EmulatorLayout layout;
  if (machine.program.empty()) {  // the host: one block of inputs, one of outputs
    layout.inputs.bytes = Offsets(graph, graph.inputs, &layout.input_offsets);
    layout.outputs.bytes = Offsets(graph, graph.outputs, &layout.output_offsets);
    for (const Arena &arena : ArenasOf(compilation.plan))
      layout.arenas.push_back({RegionOf(compilation, arena), {0, arena.bytes}, arena.bytes, {}});
    return layout;
  }
  Allocator memory{machine.harness.base, machine.harness.base + static_cast<uint64_t>(machine.harness.bytes)};
  PlaceFlash(compilation, layout);
  O2M_RETURN_IF_ERROR(PlaceRam(compilation, memory, layout));
  PlaceInputs(graph, memory, layout);
  layout.outputs = memory.Take(PowerOfTwoFrom(Offsets(graph, graph.outputs, &layout.output_offsets)));
  if (memory.full) {
    return absl::ResourceExhaustedError(absl::StrCat(graph.file, ": inputs and outputs exceed the ",
                                                     machine.harness.bytes, " B that ", machine.machine,
                                                     " has for them; validate on another core"));
  }
  layout.harness = {memory.base, static_cast<int64_t>(memory.top - memory.base)};
  Guard(machine, layout);
  PaintGaps(graph, layout);
  const std::vector<Arena> arenas = ArenasOf(compilation.plan);
  for (size_t i = 0; i < arenas.size(); i++) layout.arenas[i].unused = GapsOf(compilation, arenas[i]);
  return layout;
}

std::string LinkerScript(const Compilation &compilation, const EmulatorLayout &layout,
                         const std::string &weights_region) {
  std::string memory;
  const auto add = [&memory](const char *name, const char *attributes, uint64_t base, int64_t bytes) {
    absl::StrAppend(&memory, "  ", name, " (", attributes, ") : ORIGIN = ", HexNumber(base), ", LENGTH = ", bytes,
                    "\n");
  };
  const Region &boot = compilation.target.emulator.boot;
  add("BOOT", "rx", boot.base, boot.bytes);
  add("HARNESS", "rwx", layout.harness.base, layout.harness.bytes);
  add("CALL", "rx", layout.call.base, layout.call.bytes);
  add("INPUTS", "r", layout.inputs.base, layout.inputs.bytes);
  add("OUTPUTS", "rw", layout.outputs.base, layout.outputs.bytes);
  add("STACK", "rw", layout.stack.base, layout.stack.bytes);
  add("FLASH", "rx", layout.flash.base, layout.flash.bytes);
  if (layout.external.bytes > 0) add("EXTERNAL", "r", layout.external.base, layout.external.bytes);
  std::string sections;
  for (size_t i = 0; i < layout.arenas.size(); i++) {
    const std::string number = i == 0 ? "" : absl::StrCat(i);
    add(("RAM" + number).c_str(), "rw", layout.arenas[i].region.base, layout.arenas[i].region.bytes);
    absl::StrAppend(&sections, "  .arena", number, " (NOLOAD) : { *harness_*.o(.arena", number, ") } > RAM", number,
                    "\n");
  }
  return absl::StrReplaceAll(RuntimeFile("board.ld.in"), {{"@MEMORY@\n", memory},
                                                          {"@ARENAS@\n", sections},
                                                          {"@BESIDE_STACK@", absl::StrCat(layout.beside_stack)},
                                                          {"@FIRST_REGION@", absl::StrCat(layout.ram.bytes)},
                                                          {"@WEIGHTS@", weights_region},
                                                          {"@CODE@", PatternOf(compilation.sections.code)},
                                                          {"@CONSTANTS@", PatternOf(compilation.sections.weights)},
                                                          {"@STACK_BYTES@", absl::StrCat(kStackAllowance)}});
}

std::string DescribeAddress(const EmulatorLayout &layout, const std::vector<uint64_t> &arenas, uint64_t address) {
  const auto within = [address](uint64_t base, int64_t bytes) {
    return address >= base && address - base < static_cast<uint64_t>(bytes);
  };
  const std::string text = HexNumber(address);
  for (size_t i = 0; i < layout.arenas.size() && i < arenas.size(); i++)
    if (const std::string where = NearArena(layout, i, arenas[i], address); !where.empty()) return text + where;
  if (address < kNearBytes) return text + ", near a null pointer";
  if (within(layout.flash.base, layout.flash.bytes)) return text + ", in the flash, which is read only";
  if (within(layout.external.base, layout.external.bytes)) return text + ", in the external flash, which is read only";
  if (within(layout.inputs.base, layout.inputs.bytes)) return text + ", in an input, which is read only";
  if (address < layout.stack.base && layout.stack.base - address <= kNearBytes)
    return absl::StrCat(text, ", below the stack of ", Grouped(layout.stack.bytes), " B that the arena leaves");
  if (address >= layout.outputs.end() && address - layout.outputs.end() < kNearBytes)
    return text + ", past the outputs";
  return text + ", which is not the network's";
}

}  // namespace onnx2mcu
