// Small networks made by hand, through planner and emitter, onto the emulated cores: same bytes as the host, clean C.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "absl/strings/match.h"
#include "codegen/process.h"
#include "importer/data/files.h"
#include "planner/execute.h"
#include "tests/qemu/net.h"

namespace onnx2mcu {
namespace {

struct Net : FloatNet {
  explicit Net(const std::string &target) { Start(target); }
  absl::Status Compile(int32_t rows) {
    const o2m_target target = compilation.target.abi();
    O2M_RETURN_IF_ERROR(LowerAndPlan(rows));
    O2M_RETURN_IF_ERROR(PackAll(graph, host, target));
    return ValidatePlan(graph, target, compilation.plan);
  }
};

// x + fc2(gelu(fc1(x))): [1,7,24] -> hidden 40.
void BuildMlp(Net &net) {
  const TensorId x = net.Value("x", {1, 7, 24});
  const TensorId h = net.Linear("/mlp/fc1", x, 40);
  const TensorId g = net.Append("/mlp/act/Gelu", "Gelu", {h}, {1, 7, 40});
  const TensorId y = net.Linear("/mlp/fc2", g, 24);
  net.graph.inputs = {x}, net.graph.outputs = {net.Append("/Add", "Add", {x, y}, {1, 7, 24})};
}

std::vector<GeneratedFile> Emit(Net &net, const CompileOptions &options = {}) {
  auto files = EmitProgram(net.compilation, options, net.host);
  EXPECT_TRUE(files.ok()) << files.status();
  return files.ok() ? *std::move(files) : std::vector<GeneratedFile>{};
}

std::vector<std::vector<uint8_t>> Samples(int64_t bytes, int count) {
  std::vector<std::vector<uint8_t>> samples;
  for (int n = 0; n < count; n++) {
    auto &sample = samples.emplace_back();
    for (const float value : Noise(bytes, 1000 + n)) sample.push_back(static_cast<uint8_t>(value * 127));
  }
  return samples;
}

std::vector<std::vector<uint8_t>> HostRun(const Compilation &compilation,
                                          const std::vector<std::vector<uint8_t>> &samples) {
  const o2m_target target = compilation.target.abi();
  Executor executor(compilation.graph, compilation.plan, target);
  std::vector<std::vector<uint8_t>> outputs;
  for (const auto &sample : samples) {
    auto &output = outputs.emplace_back(BytesOf(compilation.graph.tensors[compilation.graph.outputs[0]]));
    executor.Run({sample.data()}, {output.data()});
  }
  return outputs;
}

TEST(GeneratedC, EveryCoreGivesTheHostsBytes) {
  for (const Target &target : Targets()) {
    const bool all = target.id == "cortex-m4";
    for (const int32_t rows : all ? std::vector<int32_t>{1, 2, 7} : std::vector<int32_t>{2}) {  // 2: a short last tile
      Net net(target.id);
      BuildMlp(net);
      const absl::Status compiled = net.Compile(rows);
      ASSERT_TRUE(compiled.ok()) << compiled;
      const std::vector<GeneratedFile> files = Emit(net);
      const auto samples = Samples(7 * 24, 3);
      const auto run = RunOnEmulator(net.compilation, files, samples);
      ASSERT_TRUE(run.ok()) << target.id << " " << run.status();
      EXPECT_EQ(run->outputs, HostRun(net.compilation, samples)) << target.id << " rows " << rows;
      EXPECT_NE(run->outputs[0], run->outputs[1]);
      EXPECT_EQ(run->data + run->bss, 0) << target.id;
      EXPECT_LE(run->stack, 1024) << target.id;
      EXPECT_GE(run->weights, target.id == "host" ? 0 : 24 * 40 * 2 + 256) << target.id;
    }
  }
}

// Kernels in assembly must not count on where the compiler's flags put their functions.
TEST(GeneratedC, FunctionsMayLieAtAnyHalfword) {
  for (const char *core : {"cortex-m3", "cortex-m4", "cortex-m55"}) {
    Net net(core);
    BuildMlp(net);
    ASSERT_TRUE(net.Compile(7).ok());
    const auto samples = Samples(7 * 24, 1);
    const std::vector<GeneratedFile> files = Emit(net);
    net.compilation.target.flags.emplace_back("-fno-align-functions");
    const auto run = RunOnEmulator(net.compilation, files, samples);
    ASSERT_TRUE(run.ok()) << core << " " << run.status();
    EXPECT_EQ(run->outputs, HostRun(net.compilation, samples)) << core;
  }
}

TEST(GeneratedC, TheSameInputGivesTheSameBytes) {
  const auto emit = [] {
    Net net("cortex-m4");
    BuildMlp(net);
    EXPECT_TRUE(net.Compile(2).ok());
    CompileOptions options;
    options.selftest = true, options.example = "plain";
    std::string all;
    for (const GeneratedFile &file : Emit(net, options)) {
      all += file.name + "\n" + file.text;
    }
    return all;
  };
  EXPECT_EQ(emit(), emit());
}

// Writes the program and runs a command in its folder.
ProcessResult InFolder(const std::vector<GeneratedFile> &files, const std::string &command) {
  const TempFolder temp(TempPrefix());
  for (const GeneratedFile &file : files) {
    EXPECT_TRUE(WriteFileBytes(temp.path() + "/" + file.name, file.text).ok());
  }
  return RunProcess({{"sh", "-c", command}, temp.path(), 300}).value();
}

class CleanC : public ::testing::TestWithParam<const char *> {};

TEST_P(CleanC, NoComplaint) {
  Net net("cortex-m4");
  BuildMlp(net);
  ASSERT_TRUE(net.Compile(2).ok());
  CompileOptions options;
  options.selftest = true, options.example = "plain";
  const ProcessResult result = InFolder(Emit(net, options), GetParam());
  EXPECT_EQ(result.exit_code, 0) << result.output;
  EXPECT_EQ(result.output, "");
}

INSTANTIATE_TEST_SUITE_P(
    Tools, CleanC,
    ::testing::Values("gcc-12 -std=c11 -O2 -Wall -Wextra -Wconversion -Wshadow -Werror -c *.c",
                      "clang-14 -std=c11 -O2 -Wall -Wextra -Wconversion -Wshadow -Werror -c *.c",
                      "g++-12 -std=c++17 -O2 -Wall -Wextra -Werror -x c++ -c $(ls *.c | grep -v main.c)",
                      "clang-format --dry-run --Werror *.c *.h",
                      "gcc -O2 -fno-pie -c $(ls *.c | grep -v main.c) && nm *.o | grep -i ' [bdc] ' || true",
                      "arm-none-eabi-gcc -isystem " O2M_SOURCE_DIR
                      "/codegen/runtime -std=c11 -O2 -mcpu=cortex-m0 -mthumb -c $(ls net*.c o2m*.c) && nm -u *.o | "
                      "grep -E '__aeabi_[fdi]2?[fd]|__aeabi_[fd]' || true",
                      "cmake -S . -B build >log 2>&1 && cmake --build build >>log 2>&1 && head -c 168 /dev/zero | "
                      "build/net_example >out && test $(wc -l <out) = 168 || cat log"));

// Two models share the kernels' file names but no symbol.
TEST(GeneratedC, TwoModelsLinkAndRunInTwoThreads) {
  const TempFolder temp(TempPrefix());
  for (const char *name : {"one", "two"}) {
    Net net("host");
    net.graph.name = name;
    BuildMlp(net);
    ASSERT_TRUE(net.Compile(2).ok());
    CompileOptions options;
    options.selftest = true;
    ASSERT_TRUE(WriteFolder(temp.path() + "/" + name, Emit(net, options)).ok());
  }
  const std::string main = R"(
#include <pthread.h>
#include "one/one.h"
#include "two/two.h"
static _Alignas(16) uint8_t arenas[4][4096];
static void *first(void *arena) { return one_selftest(arena) ? arena : 0; }
static void *second(void *arena) { return two_selftest(arena) ? arena : 0; }
int main(void) {
  pthread_t threads[4];
  int bad = 0;
  for (int i = 0; i < 4; i++) pthread_create(&threads[i], 0, i % 2 ? first : second, arenas[i]);
  for (int i = 0; i < 4; i++) {
    void *result;
    pthread_join(threads[i], &result);
    bad += result != 0;
  }
  return bad;
}
)";
  ASSERT_TRUE(WriteFileBytes(temp.path() + "/main.c", main).ok());
  const std::string command =
      "for m in one two; do (cd $m && gcc -O1 -fsanitize=address,undefined -fno-sanitize-recover=all -c *.c) || exit "
      "1; "
      "done && gcc -fsanitize=address,undefined -pthread main.c one/*.o two/*.o -o both && ./both";
  const ProcessResult result = RunProcess({{"sh", "-c", command}, temp.path(), 300}).value();
  EXPECT_EQ(result.exit_code, 0) << result.output;
}

TEST(GeneratedC, OnlyStringAndStdintAreIncluded) {
  Net net("cortex-m4");
  BuildMlp(net);
  ASSERT_TRUE(net.Compile(2).ok());
  for (const GeneratedFile &file : Emit(net)) {
    if (!absl::EndsWith(file.name, ".c")) continue;
    for (const char *banned : {"malloc", "float ", "double ", "printf", "/tmp", "/home"}) {
      EXPECT_FALSE(absl::StrContains(file.text, banned)) << file.name << banned;
    }
  }
}

TEST(GeneratedC, SelftestPassesAndCatchesOneByte) {
  for (const char *target : {"host", "cortex-m4"}) {
    Net net(target);
    BuildMlp(net);
    ASSERT_TRUE(net.Compile(2).ok());
    CompileOptions options;
    options.selftest = true;
    std::vector<GeneratedFile> files = Emit(net, options);
    const auto good = RunOnEmulator(net.compilation, files, Samples(168, 1));
    ASSERT_TRUE(good.ok()) << good.status();
    EXPECT_EQ(good->selftest, 0);
    for (GeneratedFile &file : files) {
      if (file.name != "net_weights.c") continue;
      const size_t value = file.text.find_first_of("123456789", file.text.find("= {"));
      file.text[value] = file.text[value] == '1' ? '2' : '1';
    }
    const auto bad = RunOnEmulator(net.compilation, files, Samples(168, 1));
    ASSERT_TRUE(bad.ok()) << bad.status();
    EXPECT_EQ(bad->selftest, 1);
  }
}

}  // namespace
}  // namespace onnx2mcu
