// Deliberate breaches on every core with memory protection: one byte outside the arena, and everything else that is not
// the network's, ends the run with an error that says where.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_replace.h"
#include "codegen/emulator.h"
#include "codegen/emulator_layout.h"

namespace onnx2mcu {
namespace {

using ::testing::HasSubstr;

// One u8 input of 4 bytes, one s8 output of 10, an arena; BREACH is what the network does besides copying.
Compilation Network(const std::string &target, int64_t arena_bytes) {
  Compilation compilation;
  compilation.graph.name = compilation.graph.file = "net";
  Tensor in, out;
  in.name = "in", in.dtype = DType::kU8, in.dims = {4};
  out.name = "out", out.dtype = DType::kS8, out.dims = {10};
  compilation.graph.inputs = {AddTensor(compilation.graph, in)};
  compilation.graph.outputs = {AddTensor(compilation.graph, out)};
  compilation.plan.arena_bytes = arena_bytes;
  compilation.plan.buffers.resize(1);  // all of the arena is somebody's
  compilation.plan.buffers[0].id = compilation.graph.inputs[0], compilation.plan.buffers[0].bytes = arena_bytes;
  compilation.target = FindTarget(target).value();
  return compilation;
}

std::vector<GeneratedFile> Files(int64_t arena_bytes, const std::string &breach) {
  return {{"net.h", "#include <stdint.h>\n#define BYTES " + std::to_string(arena_bytes) +
                        "\nvoid net_run(void *arena, const uint8_t *image, int8_t *out);\n"},
          {"net.c", R"(#include "net.h"
extern const int8_t net_w[64];
void net_step(volatile uint8_t *arena, const uint8_t *image, int8_t *out);
void net_step(volatile uint8_t *arena, const uint8_t *image, int8_t *out) {
  for (int i = 0; i < BYTES; i++) arena[i] = (uint8_t)(arena[i] + 1);
  for (int i = 0; i < 10; i++) out[i] = (int8_t)(image[i % 4] + net_w[i]);
  volatile uint8_t sink = 0;
  (void)sink;
  )" + breach + R"(
}
void net_run(void *arena, const uint8_t *image, int8_t *out) { net_step((volatile uint8_t *)arena, image, out); }
)"},
          {"net_weights.c", "#include <stdint.h>\nextern const int8_t net_w[64];\nconst int8_t net_w[64] = {1, 2};\n"}};
}

absl::StatusOr<EmulatorRun> RunWith(const std::string &target, int64_t arena_bytes, const std::string &breach,
                                    int samples = 1, const std::string &board = "") {
  Compilation compilation = Network(target, arena_bytes);
  if (!board.empty()) compilation.board = FindBoard(board).value();
  return RunOnEmulator(compilation, Files(arena_bytes, breach), {static_cast<size_t>(samples), {1, 2, 3, 4}});
}

void ExpectFault(const absl::StatusOr<EmulatorRun> &run, const std::string &what) {
  ASSERT_EQ(run.status().code(), absl::StatusCode::kInternal) << run.status() << "; expected: " << what;
  EXPECT_THAT(std::string(run.status().message()), HasSubstr("memory fault"));
  EXPECT_THAT(std::string(run.status().message()), HasSubstr(what));
}

class Guards : public ::testing::TestWithParam<const char *> {
 protected:
  const std::string core = GetParam();
};

// 16 and 1000 bytes are no multiple of what the guards can tell apart, 300000 needs more regions than PMSAv7 has left.
TEST_P(Guards, OneByteOutsideTheArenaIsCaught) {
  for (const int64_t bytes : {16, 1000, 97056, 300000}) {
    const auto good = RunWith(core, bytes, "", 2);
    ASSERT_TRUE(good.ok()) << bytes << ": " << good.status();
    EXPECT_GT(good->guards, 4);
    ExpectFault(RunWith(core, bytes, "arena[BYTES] = 7;"),
                ", 1 B past the end of the arena of " + Grouped(bytes) + " B");
    ExpectFault(RunWith(core, bytes, "arena[-1] = 7;"), ", 1 B before the arena of " + Grouped(bytes) + " B");
    // reading: the arena lies at both ends of its slot in turn; what is left at one is below 16 bytes
    ExpectFault(RunWith(core, bytes, "sink = arena[BYTES + (16 - BYTES % 16) % 16];", 2), " past the end of the arena");
    ExpectFault(RunWith(core, bytes, "sink = arena[-1];"), ", 1 B before the arena");
  }
}

// Two arenas in regions of their own, of 112 and of 200 bytes; the first 12 of the 112 nobody owns.
absl::StatusOr<EmulatorRun> RunInTwoRegions(const std::string &target, const std::string &breach, int samples = 1) {
  Compilation compilation = Network(target, 0);
  compilation.ram_regions = {{"SRAM", 0, 8192}, {"CCM", 0, 4096}};
  Plan &plan = compilation.plan;
  plan.boundaries = {4096}, plan.arena_bytes = 4096 + 200;
  plan.buffers.assign(2, plan.buffers[0]);
  plan.buffers[0].bytes = 100, plan.buffers[1].offset = 4096, plan.buffers[1].bytes = 200;
  const std::string step =
      "#include \"net.h\"\nextern const int8_t net_w[64];\n"
      "void net_step(volatile uint8_t *arena, volatile uint8_t *arena1, const uint8_t *image, int8_t *out);\n"
      "void net_step(volatile uint8_t *arena, volatile uint8_t *arena1, const uint8_t *image, int8_t *out) {\n"
      "  for (int i = 0; i < 100; i++) arena[i] = (uint8_t)(arena[i] + 1);\n"
      "  for (int i = 0; i < 200; i++) arena1[i] = (uint8_t)(arena1[i] + 1);\n"
      "  for (int i = 0; i < 10; i++) out[i] = (int8_t)(image[i % 4] + net_w[i]);\n"
      "  volatile uint8_t sink = 0;\n  (void)sink;\n  " +
      breach +
      "\n}\nvoid net_run(void *arena, void *arena1, const uint8_t *image, int8_t *out) {\n"
      "  net_step((volatile uint8_t *)arena, (volatile uint8_t *)arena1, image, out);\n}\n";
  std::vector<GeneratedFile> files = Files(0, "");
  files[0].text = "#include <stdint.h>\nvoid net_run(void *arena, void *arena1, const uint8_t *image, int8_t *out);\n";
  files[1].text = step;
  return RunOnEmulator(compilation, files, {static_cast<size_t>(samples), {1, 2, 3, 4}});
}

TEST_P(Guards, EveryArenaIsGuarded) {
  const auto good = RunInTwoRegions(core, "", 3);
  ASSERT_TRUE(good.ok()) << good.status();
  EXPECT_EQ(good->arena, 312);
  ExpectFault(RunInTwoRegions(core, "arena1[200] = 7;"), ", 1 B past the end of the arena in CCM of 200 B");
  ExpectFault(RunInTwoRegions(core, "arena1[-1] = 7;"), ", 1 B before the arena in CCM of 200 B");
  ExpectFault(RunInTwoRegions(core, "arena[112] = 7;"), ", 1 B past the end of the arena in SRAM of 112 B");
  ExpectFault(RunInTwoRegions(core, "arena[103] = 7;"), ", 4 B past the end of 'in'");
  ExpectFault(RunInTwoRegions(core, "sink = arena1[4096];"), "3,897 B past the end of the arena in CCM");
  ExpectFault(RunInTwoRegions(core, "sink = arena[8192];"), "which is not the network's");
}

// From the third sample on the guards are as coarse as a page: paint shows a write, and farther off there is no access.
TEST_P(Guards, LaterSamplesAreGuardedToo) {
  const auto third = [&](const std::string &breach) {
    return RunOnEmulator(Network(core, 1000), Files(1000, "if (image[0] == 9) " + breach),
                         {{1, 2, 3, 4}, {1, 2, 3, 4}, {9, 2, 3, 4}});
  };
  const auto good = third("sink = 1;");
  ASSERT_TRUE(good.ok()) << good.status();
  ExpectFault(third("arena[BYTES] = 7;"), ", 1 B past the end of the arena of 1,000 B");
  ExpectFault(third("arena[-1] = 7;"), ", 1 B before the arena of 1,000 B");
  ExpectFault(third("*(volatile int8_t *)(out + 10) = 1;"), "which is not the network's");
  ExpectFault(third("sink = arena[4096];"), "3,097 B past the end of the arena");
}

TEST_P(Guards, TheMessageNamesTheFunction) {
  ExpectFault(RunWith(core, 96, "sink = arena[BYTES];"), "net_step touched 0x");
}

TEST_P(Guards, NothingElseMayBeTouched) {
  const auto layout = LayoutOf(Network(core, 64)).value();
  const auto at = [](uint64_t address) { return "*(volatile uint8_t *)" + std::to_string(address) + "u"; };
  ExpectFault(RunWith(core, 64, "sink = " + at(0) + ";"), "near a null pointer");
  ExpectFault(RunWith(core, 64, "*(volatile int8_t *)net_w = 1;"), "in the flash, which is read only");
  ExpectFault(RunWith(core, 64, "*(volatile uint8_t *)image = 1;"), "in an input, which is read only");
  ExpectFault(RunWith(core, 64, "sink = " + at(layout.harness.base) + ";"), "which is not the network's");
  ExpectFault(RunWith(core, 64, at(layout.ram.base + 65536) + " = 1;"), "which is not the network's");
  ExpectFault(RunWith(core, 64, "*(volatile int8_t *)(out + 10) = 1;"), "which is not the network's");
  ExpectFault(RunWith(core, 64, "((void (*)(void))(uintptr_t)arena)();"), "is not code of the network");
}

TEST_P(Guards, AStackThatOverflowsIsCaught) {
  // 1 KiB is left for the stack
  const int64_t arena_bytes = MainRam(FindBoard("stm32l476").value()).bytes - kStackAllowance;
  const std::string use = "volatile uint8_t deep[SIZE]; for (int i = SIZE; i-- > 0;) deep[i] = 1; sink = deep[0];";
  const auto deep = [&](const std::string &size) {
    return RunWith(core, arena_bytes, "enum { SIZE = " + size + " }; " + use, 1, "stm32l476");
  };
  const auto good = deep("600");
  ASSERT_TRUE(good.ok()) << good.status();
  EXPECT_GE(good->stack, 600);
  ExpectFault(deep("1100"), "below the stack of 1,024 B");
}

TEST_P(Guards, TotalRamIsTheBoards) {
  const auto run = RunWith(core, 1000, "");
  ASSERT_TRUE(run.ok()) << run.status();
  EXPECT_EQ(run->arena, 1000);  // from the ELF
  EXPECT_EQ(run->data, 0);
  EXPECT_LE(run->arena + run->data + run->bss + run->stack, 1000 + 2048);
}

std::string NameOf(const ::testing::TestParamInfo<const char *> &param) {
  return absl::StrReplaceAll(param.param, {{"-", "_"}});
}
// One for each kind of memory protection; the others have the same.
INSTANTIATE_TEST_SUITE_P(Cores, Guards, ::testing::Values("cortex-m0", "cortex-m4", "cortex-m33", "rv32imc"), NameOf);
INSTANTIATE_TEST_SUITE_P(More, Guards, ::testing::Values("cortex-m3", "cortex-m7", "cortex-m55"), NameOf);

// The boards' figures are the emulated machine's limits, to the byte.
TEST(Layout, RamAndFlashAreTheBoards) {
  for (const Board &board : Boards()) {
    Compilation compilation = Network(board.target, 4096);
    compilation.board = board;
    const auto layout = LayoutOf(compilation);
    ASSERT_TRUE(layout.ok()) << layout.status();
    EXPECT_EQ(layout->ram.bytes, MainRam(board).bytes) << board.id;
    EXPECT_EQ(layout->flash.bytes, MainFlash(board).bytes) << board.id;
    EXPECT_LE(layout->beside_stack + layout->stack.bytes, layout->ram.bytes) << board.id;
    EXPECT_THAT(LinkerScript(compilation, *layout, "FLASH"),
                HasSubstr("LENGTH = " + std::to_string(MainRam(board).bytes) + "\n"));
  }
}

// Weights of 1.5 MiB beside 1 MiB of flash: only the board with external flash takes them.
TEST(Layout, WeightsMoveToExternalFlash) {
  std::vector<GeneratedFile> files = Files(64, "");
  files[2].text += "extern const int8_t net_more[1572864];\nconst int8_t net_more[1572864] = {3};\n";
  files[1].text.insert(0,
                       "#include <stdint.h>\nextern const int8_t net_more[1572864];\n"
                       "const int8_t *net_keep(void);\nconst int8_t *net_keep(void) { return net_more; }\n");
  const size_t call = files[1].text.find("  (void)sink;");
  files[1].text.insert(call, "  out[9] = net_keep()[image[0] - 1];\n");
  Compilation compilation = Network("cortex-m7", 64);
  compilation.board = FindBoard("stm32f746").value();
  const auto run = RunOnEmulator(compilation, files, {{1, 2, 3, 4}});
  ASSERT_TRUE(run.ok()) << run.status();
  EXPECT_EQ(run->outputs[0][9], 3);
  EXPECT_GE(run->weights, 1572864);
  compilation.board.flash.pop_back();
  const auto refused = RunOnEmulator(compilation, files, {{1, 2, 3, 4}});
  ASSERT_EQ(refused.status().code(), absl::StatusCode::kResourceExhausted) << refused.status();
  EXPECT_THAT(std::string(refused.status().message()), HasSubstr("1048576 B of FLASH of stm32f746"));
}

}  // namespace
}  // namespace onnx2mcu
