// Prices against what full compilation of the written ONNX file comes to.
#include "nas/cost.h"

#include <gmock/gmock.h>

#include <cstdlib>
#include <fstream>

#include "codegen/compiler.h"
#include "codegen/sizes.h"
#include "nas/space.h"
#include "nas/vit_graph.h"

namespace onnx2mcu {
namespace {

using testing::HasSubstr;

const std::string kSpaceFolder = O2M_SOURCE_DIR "/nas/spaces/";

// Compiled as `onnx2mcu compile FILE --board=.. --ram=..` compiles it, calibrated on noise.
struct Compiled {
  Compilation compilation;
  Sizes sizes;
};

absl::StatusOr<Compiled> CompileWhole(const VitConfig &config, const PriceOptions &options, const Registry &registry,
                                      const std::string &path) {
  O2M_RETURN_IF_ERROR(WriteVit({config, RandomWeights(config, 7)}, options.metadata, path));
  CompileOptions compile;
  compile.model = path, compile.target = options.target, compile.board = options.board;
  compile.ram = options.ram, compile.flash = options.flash;
  compile.residual = options.residual, compile.optimize = options.optimize;
  Host host;
  O2M_ASSIGN_OR_RETURN(Compilation compilation, Compile(compile, registry, host));
  O2M_ASSIGN_OR_RETURN(std::vector<GeneratedFile> files, EmitProgram(compilation, compile, host));
  O2M_ASSIGN_OR_RETURN(const Sizes sizes, MeasureSizes(compilation, files));
  return Compiled{std::move(compilation), sizes};
}

struct Pricing {
  Registry registry;
  Pricing() { registry.LoadFolder(O2M_PLUGIN_DIR); }
};

void ExpectAsCompiled(const Cost &cost, const Compiled &compiled) {
  ASSERT_TRUE(compiled.sizes.measured) << "no compiler for the target; scripts/setup installs it";
  EXPECT_TRUE(compiled.compilation.graph.raised.empty()) << "calibration on noise has raised a tensor";
  EXPECT_EQ(cost.arena_bytes, compiled.compilation.plan.arena_bytes);
  EXPECT_LE(compiled.sizes.stack, cost.stack_bytes);
  EXPECT_EQ(cost.instructions, compiled.compilation.alternatives[0].instructions);
  EXPECT_EQ(cost.weight_bytes, compiled.sizes.weights);
  EXPECT_EQ(cost.constant_bytes, compiled.sizes.rodata);
  EXPECT_NEAR(static_cast<double>(cost.code_bytes) / static_cast<double>(compiled.sizes.text), 1, 0.02)
      << cost.code_bytes << " of " << compiled.sizes.text << (compiled.compilation.stream.possible() ? "" : " without")
      << " rows";
}

// Candidates of a space; as many as O2M_CANDIDATES says (tests/sweep/price.sh). The files and their prices stay.
void ExpectPricesOf(const std::string &space_name, const PriceOptions &options, int count) {
  Pricing prices;
  const auto space = ReadSpace(kSpaceFolder + space_name + ".yaml");
  ASSERT_TRUE(space.ok()) << space.status();
  const auto pricer = MakePricer(prices.registry, options);
  ASSERT_TRUE(pricer.ok()) << pricer.status();
  std::mt19937_64 random(1);
  if (const char *more = std::getenv("O2M_CANDIDATES")) count = std::atoi(more);
  for (int i = 0; i < count; i++) {
    const VitConfig config = ConfigOf(*space, RandomGenes(*space, random));
    const std::string path = testing::TempDir() + space_name + "_" + std::to_string(i);
    const auto cost = PriceVit(**pricer, config);
    ASSERT_TRUE(cost.ok()) << cost.status();
    const auto compiled = CompileWhole(config, options, prices.registry, path + ".onnx");
    ASSERT_TRUE(compiled.ok()) << compiled.status();
    SCOPED_TRACE(path);
    ExpectAsCompiled(*cost, *compiled);
    std::ofstream(path + ".txt") << cost->instructions << "\n";
  }
}

TEST(Cost, IsWhatCompilationComesTo) { ExpectPricesOf("fmnist", {.board = "stm32f427"}, 4); }

TEST(Cost, IsWhatCompilationComesToWithinABudget) {
  ExpectPricesOf("fmnist_small", {.board = "stm32f427", .ram = 16384, .residual = "s8"}, 2);
}

TEST(Cost, OfPixelsIsWhatCompilationComesTo) {
  ExpectPricesOf("fmnist_small", {.metadata = {{"onnx2mcu.mean", "0.286"}, {"onnx2mcu.std", "0.353"}}}, 2);
}

TEST(Cost, OfTwelveBlocksThatDifferIsWhatCompilationComesTo) {
  Pricing prices;
  VitConfig config{16, 1, 4, 16, 10, Pool::kClassToken, {}};
  for (int i = 0; i < 12; i++)
    config.blocks.push_back({1 + i % 2, 8, 16 + 16 * (i % 3), {0, 0, i % 4 == 3 ? 4 : 0, 0}});
  const PriceOptions options{.board = "stm32f427"};
  const auto pricer = MakePricer(prices.registry, options);
  ASSERT_TRUE(pricer.ok()) << pricer.status();
  const auto cost = PriceVit(**pricer, config);
  ASSERT_TRUE(cost.ok()) << cost.status();
  const auto compiled = CompileWhole(config, options, prices.registry, testing::TempDir() + "twelve_blocks.onnx");
  ASSERT_TRUE(compiled.ok()) << compiled.status();
  ExpectAsCompiled(*cost, *compiled);
}

// Attention head by head: parts of one node, whose structs may be equal.
TEST(Cost, HeadByHeadIsWhatCompilationComesTo) {
  Pricing prices;
  const VitConfig config{28, 1, 4, 40, 10, Pool::kClassToken, std::vector<BlockConfig>(2, {4, 12, 56, {}})};
  const PriceOptions options{.ram = 8931};
  const auto pricer = MakePricer(prices.registry, options);
  ASSERT_TRUE(pricer.ok()) << pricer.status();
  const auto cost = PriceVit(**pricer, config);
  ASSERT_TRUE(cost.ok()) << cost.status();
  const auto compiled = CompileWhole(config, options, prices.registry, testing::TempDir() + "head_by_head.onnx");
  ASSERT_TRUE(compiled.ok()) << compiled.status();
  ExpectAsCompiled(*cost, *compiled);
}

TEST(Cost, WithoutAScheduleThatFitsTheSmallestIsPriced) {
  Pricing prices;
  const VitConfig config{28, 1, 4, 64, 10, Pool::kClassToken, {{4, 16, 128, {}}}};
  const auto tight = MakePricer(prices.registry, {.ram = 2048});
  const auto least = MakePricer(prices.registry, {.optimize = "ram"});
  ASSERT_TRUE(tight.ok() && least.ok());
  const auto cost = PriceVit(**tight, config);
  ASSERT_TRUE(cost.ok()) << cost.status();
  EXPECT_EQ(cost->arena_bytes, PriceVit(**least, config)->arena_bytes);
  EXPECT_FALSE(Within(*cost, {2048, 0, 0}));
  EXPECT_TRUE(Within(*cost, {}));
}

TEST(Cost, WrongBoardsAndBudgetsAreRefused) {
  Pricing prices;
  EXPECT_TRUE(absl::IsNotFound(MakePricer(prices.registry, {.board = "stm32f999"}).status()));
  EXPECT_THAT(std::string(MakePricer(prices.registry, {.ram = 1000}).status().message()), HasSubstr("--ram"));
}

}  // namespace
}  // namespace onnx2mcu
