// The emulator runner on C written by hand: every core gives the host's bytes, counts are exact, and what does not fit
// or faults is an error.
#include "codegen/emulator.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

namespace onnx2mcu {
namespace {

using ::testing::HasSubstr;

// A network of one u8 input of 5 bytes and one s16 output of 3 values.
Compilation Tiny(const std::string &target, int64_t arena_bytes) {
  Compilation compilation;
  compilation.graph.name = compilation.graph.file = "tiny";
  Tensor in, out;
  in.name = "in", in.dtype = DType::kU8, in.dims = {1, 5};
  out.name = "out", out.dtype = DType::kS16, out.dims = {3};
  compilation.graph.inputs = {AddTensor(compilation.graph, in)};
  compilation.graph.outputs = {AddTensor(compilation.graph, out)};
  compilation.plan.arena_bytes = arena_bytes;
  compilation.plan.buffers.resize(1);  // all of the arena is somebody's
  compilation.plan.buffers[0].id = compilation.graph.inputs[0], compilation.plan.buffers[0].bytes = arena_bytes;
  compilation.target = FindTarget(target).value();
  return compilation;
}

std::vector<GeneratedFile> Files(const std::string &body, int64_t arena_bytes) {
  const std::string header = "#include <stdint.h>\n#define TINY_ARENA_BYTES " + std::to_string(arena_bytes) +
                             "\nvoid tiny_run(void *arena, const uint8_t *image, int16_t *out);\n";
  return {{"tiny.h", header},
          {"tiny.c", "#include \"tiny.h\"\n#include <string.h>\n" + body},
          {"tiny_weights.c",
           "#include <stdint.h>\nextern const int8_t tiny_w[100];\nconst int8_t tiny_w[100] = {1, 2};\n"}};
}

// Copies through the arena, multiplies and divides in 64 bits, reads the weights.
const char kMix[] = R"(
extern const int8_t tiny_w[100];
void tiny_run(void *arena, const uint8_t *image, int16_t *out) {
  uint8_t *a = arena;
  memcpy(a, image, 5);
  memset(a + 8, 3, 8);
  for (int i = 0; i < 3; i++) {
    out[i] = (int16_t)((int64_t)a[i] * 1000000007 / (a[i + 1] + a[8 + i]) + tiny_w[i]);
  }
}
)";

bool HasCompiler(const Target &target) {
  for (const char *folder : {"/usr/bin/", "/usr/local/bin/"}) {
    if (std::filesystem::exists(folder + target.compiler)) return true;
  }
  return false;
}

TEST(Emulator, EveryCoreGivesTheHostsBytes) {
  const std::vector<std::vector<uint8_t>> samples = {{1, 2, 3, 4, 5}, {250, 0, 9, 77, 128}, {0, 0, 0, 0, 0}};
  const auto host = RunOnEmulator(Tiny("host", 16), Files(kMix, 16), samples);
  ASSERT_TRUE(host.ok()) << host.status();
  ASSERT_EQ(host->outputs.size(), 3u);
  ASSERT_EQ(host->outputs[0].size(), 6u);
  EXPECT_NE(host->outputs[0], host->outputs[1]);
  for (const Target &target : Targets()) {
    if (target.id == "host") continue;
    ASSERT_TRUE(HasCompiler(target)) << target.compiler << " is missing; scripts/setup installs it";
    const auto run = RunOnEmulator(Tiny(target.id, 16), Files(kMix, 16), samples);
    ASSERT_TRUE(run.ok()) << target.id << ": " << run.status();
    EXPECT_EQ(run->outputs, host->outputs) << target.id;
    EXPECT_EQ(run->weights, 100) << target.id;
    EXPECT_EQ(run->data, 0) << target.id;
    EXPECT_EQ(run->bss, 0) << target.id;
    EXPECT_GT(run->text, 50) << target.id;
    EXPECT_GT(run->instructions, 60) << target.id;
    EXPECT_LT(run->instructions, 3000) << target.id;
    EXPECT_LT(run->stack, 300) << target.id;
    EXPECT_EQ(run->selftest, -1);
  }
}

TEST(Emulator, CountsAreExactAndStackIsMeasured) {
  const auto body = [](int nops, int stack) {
    return "void tiny_run(void *arena, const uint8_t *image, int16_t *out) {\n  (void)arena, (void)image, (void)out;\n"
           "  __asm__ volatile(\".rept " +
           std::to_string(nops) + "\\nnop\\n.endr\");\n  volatile uint32_t on_stack[" + std::to_string(stack / 4) +
           "];\n  for (int i = 0; i < " + std::to_string(stack / 4) +
           "; i++) on_stack[i] = 1;\n}\nint tiny_data[3] = {1, 2, 3};\n"
           "int *tiny_touch(void);\nint *tiny_touch(void) { return tiny_data; }\n";
  };
  for (const char *target : {"cortex-m0", "cortex-m4", "rv32imc"}) {
    const auto few = RunOnEmulator(Tiny(target, 16), Files(body(100, 400), 16), {{0, 0, 0, 0, 0}});
    const auto many = RunOnEmulator(Tiny(target, 16), Files(body(1300, 400), 16), {{0, 0, 0, 0, 0}});
    const auto deep = RunOnEmulator(Tiny(target, 16), Files(body(100, 800), 16), {{0, 0, 0, 0, 0}});
    ASSERT_TRUE(few.ok() && many.ok() && deep.ok()) << few.status() << many.status() << deep.status();
    EXPECT_EQ(many->instructions - few->instructions, 1200) << target;
    EXPECT_NEAR(static_cast<double>(deep->stack - few->stack), 400, 8) << target;  // the stack pointer's alignment
    EXPECT_GE(few->stack, 400) << target;
  }
}

// 22 instructions a call; the loop is left once and the function once: ten times the program goes elsewhere.
constexpr char kTwoNodes[] = R"(
#define LOOP ".syntax unified\nmovs r0, #10\n1: subs r0, #1\nbne 1b\nbx lr\n"
__attribute__((naked, noinline)) static void tiny_first(void) { __asm__ volatile(LOOP); }
__attribute__((naked, noinline)) static void tiny_second(void) { __asm__ volatile("nop\n" LOOP); }
void tiny_run(void *arena, const uint8_t *image, int16_t *out) {
  (void)arena, (void)image, (void)out;
  O2M_MARK(0);
  tiny_first();
  for (int i = 0; i < 3; i++) {
    O2M_MARK(2);
    tiny_second();
  }
}
)";

TEST(Emulator, TheProfileTellsOfNodesAndFunctions) {
  for (const char *target : {"cortex-m0", "cortex-m4"}) {
    const auto run = RunOnEmulator(Tiny(target, 16), Files(kTwoNodes, 16), {{0, 0, 0, 0, 0}, {1, 1, 1, 1, 1}});
    ASSERT_TRUE(run.ok()) << run.status();
    EXPECT_EQ(run->profile.instructions, run->instructions);
    EXPECT_EQ(run->profile.calls, (std::vector<int64_t>{1, 0, 3}));
    int found = 0;
    for (const ProfileRow &row : run->profile.rows) {
      if (row.function == "tiny_first" && ++found) {
        EXPECT_EQ(row.node, 0);
        EXPECT_EQ(row.instructions, 22);
        EXPECT_EQ(row.cycles, 22 + 10 * 2);
      }
      if (row.function == "tiny_second" && ++found) {
        EXPECT_EQ(row.node, 2);
        EXPECT_EQ(row.instructions, 3 * 23);
      }
    }
    EXPECT_EQ(found, 2);
  }
}

TEST(Emulator, SelftestResultComesBack) {
  std::vector<GeneratedFile> files =
      Files(std::string(kMix) +
                "int tiny_selftest(void *arena);\nint tiny_selftest(void *arena) { return arena == 0 ? 9 : 7; }\n",
            16);
  files[0].text += "int tiny_selftest(void *arena);\n";
  for (const char *target : {"host", "cortex-m4", "rv32imc"}) {
    const auto run = RunOnEmulator(Tiny(target, 16), files, {{0, 0, 0, 0, 0}});
    ASSERT_TRUE(run.ok()) << run.status();
    EXPECT_EQ(run->selftest, 7) << target;
  }
}

TEST(Emulator, RamIsExactlyTheBoards) {
  Compilation compilation = Tiny("cortex-m4", 96 * 1024 - 1024);
  compilation.board = FindBoard("stm32l476").value();
  EXPECT_TRUE(RunOnEmulator(compilation, Files(kMix, compilation.plan.arena_bytes), {{1, 2, 3, 4, 5}}).ok());
  compilation.plan.arena_bytes += 16;
  const auto run = RunOnEmulator(compilation, Files(kMix, compilation.plan.arena_bytes), {{1, 2, 3, 4, 5}});
  ASSERT_EQ(run.status().code(), absl::StatusCode::kResourceExhausted) << run.status();
  EXPECT_THAT(std::string(run.status().message()), HasSubstr("stm32l476"));
}

TEST(Emulator, FaultsAndBadCodeAreErrors) {
  const char fault[] =
      "void tiny_run(void *arena, const uint8_t *image, int16_t *out) {\n  (void)arena, (void)image, (void)out;\n"
      "  *(volatile uint32_t *)0xf0000004u = 1;\n}\n";
  for (const char *target :
       {"cortex-m0", "cortex-m3", "cortex-m4", "cortex-m7", "cortex-m33", "cortex-m55", "rv32imc"}) {
    const auto run = RunOnEmulator(Tiny(target, 16), Files(fault, 16), {{0, 0, 0, 0, 0}});
    ASSERT_EQ(run.status().code(), absl::StatusCode::kInternal) << target;
    EXPECT_THAT(std::string(run.status().message()), HasSubstr("fault")) << target;
  }
  const auto bad = RunOnEmulator(Tiny("cortex-m4", 16), Files("void tiny_run(void) { return 1 }\n", 16), {});
  EXPECT_EQ(bad.status().code(), absl::StatusCode::kInternal);
  EXPECT_THAT(std::string(bad.status().message()), HasSubstr("tiny.c"));
}

}  // namespace
}  // namespace onnx2mcu
