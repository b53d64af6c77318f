#include "plugins/check.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <sstream>

namespace onnx2mcu {
namespace {

using ::testing::HasSubstr;
namespace fs = std::filesystem;

std::string Module(const std::string &name) {
  return std::string(O2M_BUILD_DIR) + "/tests/plugins/modules/" + name + ".so";
}

std::string Printed(const CheckReport &report) {
  std::ostringstream out;
  PrintReport(report, out);
  return out.str();
}

TEST(CheckTest, PluginThatKeepsTheContractPasses) {
  const absl::StatusOr<CheckReport> report = CheckPlugin(Module("scale"));
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_TRUE(report->ok()) << Printed(*report);
  ASSERT_EQ(report->ops.size(), 1u);
  EXPECT_EQ(report->ops[0].id, "test.scale");
  EXPECT_EQ(report->ops[0].cases, 3);
  EXPECT_GT(TotalChecks(report->ops[0]), 300);
  EXPECT_THAT(NotExercised(report->ops[0]), ::testing::ElementsAre("transposed == dense", "variants"));
  EXPECT_THAT(Printed(*report), HasSubstr("test.scale"));
}

struct Broken {
  const char *name, *clause, *seen;
  // Clauses that follow from the same fault, besides; all others must stay silent.
  std::vector<std::string> also = {};
};

class BrokenTest : public ::testing::TestWithParam<Broken> {};

TEST_P(BrokenTest, IsCaughtForItsReason) {
  const Broken &broken = GetParam();
  CheckOptions options;
  options.timeout_seconds = std::string(broken.name) == "never_ends" ? 1 : 60;
  const absl::StatusOr<CheckReport> report = CheckPlugin(Module(broken.name), options);
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_FALSE(report->ok());
  bool found = false;
  for (const Violation &v : report->violations) {
    const bool expected = v.clause == broken.clause;
    found |= expected && v.seen.find(broken.seen) != std::string::npos;
    EXPECT_TRUE(expected || std::count(broken.also.begin(), broken.also.end(), v.clause) > 0)
        << v.clause << ": " << v.seen;
  }
  EXPECT_TRUE(found) << Printed(*report);
}

const Broken kBroken[] = {
    {"writes_past_row", "guard bytes", "output 0: byte 1 of the gap that follows byte 5"},
    {"ignores_strides", "strided == dense", "rows 3 elements apart", {"guard bytes"}},
    {"stale_scratch", "stale scratch", "with other bytes in scratch on entry"},
    {"static_state", "no static state", "run() changed 1 bytes of the plugin's .data or .bss"},
    {"short_last_tile", "rows == whole", "rows=5, last tile 3: output 0 [0, 7, 0]"},
    {"understates_scratch", "scratch_bytes", "asks for 5 bytes of scratch, run() wrote to byte 1 past the end"},
    {"impure_infer", "infer is pure", "params byte 0"},
    {"emits_other", "emitted C == run", "case 8 rows, whole: output 0, byte 0 of 48: run() gives"},
    {"fails_in_infer", "infer accepts", "input 0 has the wrong colour; blue would work"},
    {"changes_input", "inputs unmodified", "wrote to input 0: row 0"},
    {"false_in_place", "overwritten == not overwritten", "output 0 over input 0 at distance 0"},
    {"reads_ahead", "rows == whole", "rows=1"},
    {"leaves_output", "outputs written", "with other bytes in the outputs on entry"},
    {"crashes", "no static state", "died of signal"},
    {"never_ends", "no static state", "did not end within 1 s"},
    {"kernel_state", "kernel symbols", "scale.c: check_scale_calls can be written"},
    {"emits_warnings", "emitted C compiles", "extra.c:"},
    {"negative_terms", "terms", "fewer than none"},
    {"wrong_table", "unary table", "run() against the table"},
    {"wrong_split", "split", "choice 0, part 0 of 2"},
    {"ignores_epilogue", "epilogue", "a random table"},
    {"impure_memory", "memory is pure", "two equal calls gave two contracts"},
    {"lazy_pack", "pack is deterministic", "byte 256 keeps what the memory held before"},
    {"exports_more", "exports", "the first is scale_helper"},
};
INSTANTIATE_TEST_SUITE_P(Clauses, BrokenTest, ::testing::ValuesIn(kBroken),
                         [](const auto &test) { return std::string(test.param.name); });

// Every module of broken/ is either above or refused by the registry (registry_test.cc).
TEST(CheckTest, EveryBrokenPluginFails) {
  int seen = 0;
  for (const auto &entry : fs::directory_iterator(std::string(O2M_SOURCE_DIR) + "/tests/plugins/broken")) {
    const std::string name = entry.path().stem().string();
    Registry registry;
    const bool listed =
        std::any_of(std::begin(kBroken), std::end(kBroken), [&](const Broken &broken) { return name == broken.name; });
    EXPECT_TRUE(listed || !registry.Load(Module(name)).ok()) << name;
    seen++;
  }
  EXPECT_GE(seen, 28);
}

TEST(CheckTest, FileThatCannotBeLoadedIsAnError) {
  const absl::StatusOr<CheckReport> report = CheckPlugin(Module("another_abi"));
  EXPECT_EQ(report.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(report.status().message()),
              HasSubstr("another_abi.so: built for ABI " + std::to_string(O2M_ABI_MAJOR + 7) + "."));
}

TEST(CheckTest, IdTakenByAnotherPluginIsAFinding) {
  Registry registry;
  ASSERT_TRUE(registry.Load(Module("writes_past_row")).ok());
  CheckOptions options;
  options.loaded = &registry;
  const absl::StatusOr<CheckReport> report = CheckPlugin(Module("scale"), options);
  ASSERT_TRUE(report.ok());
  ASSERT_EQ(report->violations.size(), 1u) << Printed(*report);
  EXPECT_EQ(report->violations[0].clause, "op id");
  EXPECT_THAT(report->violations[0].seen, HasSubstr("writes_past_row.so"));
}

TEST(CheckTest, MissingCompilerIsAFinding) {
  CheckOptions options;
  options.compiler = "no-such-compiler";
  const absl::StatusOr<CheckReport> report = CheckPlugin(Module("scale"), options);
  ASSERT_TRUE(report.ok());
  ASSERT_FALSE(report->ok());
  EXPECT_THAT(report->violations[0].seen, HasSubstr("no-such-compiler"));
}

TEST(CheckTest, SameReportTwice) {
  for (const char *name : {"scale", "writes_past_row", "stale_scratch"}) {
    const absl::StatusOr<CheckReport> one = CheckPlugin(Module(name)), two = CheckPlugin(Module(name));
    ASSERT_TRUE(one.ok() && two.ok());
    EXPECT_EQ(Printed(*one), Printed(*two));
  }
}

TEST(CheckTest, LeavesNoFilesBehind) {
  const auto folders = [] {
    int count = 0;
    for (const auto &entry : fs::directory_iterator(fs::temp_directory_path()))
      count += entry.path().filename().string().rfind("onnx2mcu-check-", 0) == 0;
    return count;
  };
  const std::string temporary = ::testing::TempDir() + "/leaves_no_files_" + std::to_string(getpid());
  fs::create_directories(temporary);
  setenv("TMPDIR", temporary.c_str(), 1);
  EXPECT_TRUE(CheckPlugin(Module("scale"))->ok());
  EXPECT_FALSE(CheckPlugin(Module("emits_other"))->ok());
  EXPECT_EQ(folders(), 0);
  unsetenv("TMPDIR");
}

// The built-in ops keep the contract they define.
class BuiltInTest : public ::testing::TestWithParam<std::string> {};

TEST_P(BuiltInTest, KeepsTheContract) {
  CheckOptions options;
  const absl::StatusOr<CheckReport> report =
      CheckPlugin(std::string(O2M_PLUGIN_DIR) + "/" + GetParam() + ".so", options);
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_TRUE(report->ok()) << Printed(*report);
}

std::vector<std::string> BuiltIns() {
  std::vector<std::string> names;
  std::error_code error;
  for (const auto &entry : fs::directory_iterator(O2M_PLUGIN_DIR, error))
    if (entry.path().extension() == ".so") names.push_back(entry.path().stem().string());
  std::sort(names.begin(), names.end());
  return names;
}
INSTANTIATE_TEST_SUITE_P(Ops, BuiltInTest, ::testing::ValuesIn(BuiltIns()),
                         [](const auto &test) { return test.param; });
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(BuiltInTest);

}  // namespace
}  // namespace onnx2mcu
