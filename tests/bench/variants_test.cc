// Every case of every op, in the kernel that each core gets, for several rows per call: the bytes are the host's, which
// are those of scalar C. random_cases takes rows per call by chance.
#include <gtest/gtest.h>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "bench/case_network.h"
#include "codegen/emulator.h"

namespace onnx2mcu {
namespace {

using Bytes = std::vector<uint8_t>;

// A network of all cases on the emulator against the host.
void CheckOnEmulator(const CaseOptions &options, size_t least) {
  Registry registry;
  registry.LoadFolder(O2M_PLUGIN_DIR);
  Host host;
  const auto network = NetworkOfCases(registry, options, host);
  ASSERT_TRUE(network.ok()) << network.status();
  EXPECT_GT(network->cases.size(), least);
  const auto files = EmitProgram(network->compilation, {}, host);
  ASSERT_TRUE(files.ok()) << files.status();
  const std::vector<Bytes> inputs = InputsOf(*network);
  Bytes sample;
  for (const Bytes &bytes : inputs) sample.insert(sample.end(), bytes.begin(), bytes.end());
  const auto run =
      RunOnEmulator(network->compilation, *files, {sample}, {.page_guards = true, .quick_build = true, .count = false});
  ASSERT_TRUE(run.ok()) << run.status();
  EXPECT_EQ(FirstDifference(network->compilation.graph, HostBytes(network->compilation, inputs), run->outputs[0], 0xa5),
            "");
}

// Names of cases, in groups whose operands together fit every emulated machine: linear layers, all others by halves.
std::vector<std::vector<std::string>> Groups() {
  Registry registry;
  registry.LoadFolder(O2M_PLUGIN_DIR);
  std::vector<std::vector<std::string>> groups = {{}, {}, {"linear/"}};
  size_t others = 0;
  for (const o2m_op *op : registry.ops()) {
    const std::string name = absl::StrCat(absl::StripPrefix(op->id, "o2m."), "/");
    if (!absl::StrContains(name, "linear/")) groups[others++ % 2].push_back(name);
  }
  return groups;
}

class Variants : public ::testing::TestWithParam<const char *> {};

TEST_P(Variants, GiveTheHostsBytesForAnyRowsPerCall) {
  for (const int32_t rows : {0, 3}) {
    for (const auto &group : Groups()) {
      SCOPED_TRACE(testing::Message() << group[0] << " .., rows " << rows);
      CaseOptions options;
      options.target = GetParam(), options.prefix = "", options.rows = rows, options.select = group;
      CheckOnEmulator(options, 40);
    }
  }
}

// Every way to hold the weights of a linear layer, where the layer has it.
TEST_P(Variants, HoldWeightsInEveryWay) {
  for (const int32_t variant : {1, 2, 3}) {
    for (const int32_t rows : {0, 5}) {
      SCOPED_TRACE(testing::Message() << "variant " << variant << ", rows " << rows);
      CaseOptions options;
      options.target = GetParam(), options.prefix = "", options.select = {"linear/"};
      options.rows = rows, options.variant = variant;
      CheckOnEmulator(options, 40);
    }
  }
}

// Three cores whose kernels have nothing in common, and the others.
INSTANTIATE_TEST_SUITE_P(Cores, Variants, ::testing::Values("cortex-m4", "cortex-m55", "rv32imc"));
INSTANTIATE_TEST_SUITE_P(More, Variants, ::testing::Values("cortex-m0", "cortex-m3", "cortex-m7", "cortex-m33"));

}  // namespace
}  // namespace onnx2mcu
