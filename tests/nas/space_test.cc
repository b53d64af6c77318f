#include "nas/space.h"

#include <gmock/gmock.h>

#include <cstdio>
#include <fstream>
#include <set>

#include "absl/strings/str_replace.h"

namespace onnx2mcu {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

const std::string kSpaces = O2M_SOURCE_DIR "/nas/spaces/";

std::string Small(const std::string &from = "", const std::string &to = "") {
  const std::string text =
      "image: 28\n"
      "channels: 1\n"
      "classes: 10\n"
      "patch: [4, 7]\n"
      "dim: {from: 32, to: 64, step: 16}\n"
      "depth: [1, 3]\n"
      "per_block:\n"
      "  heads: [2, 4]\n"
      "  mlp_ratio: [1, 2.5]\n";
  return from.empty() ? text : absl::StrReplaceAll(text, {{from, to}});
}

absl::StatusOr<Space> SpaceOf(const std::string &text) {
  const std::string path = testing::TempDir() + "space_under_test.yaml";
  std::ofstream(path) << text;
  return ReadSpace(path);
}

std::string Refusal(const std::string &text) { return std::string(SpaceOf(text).status().message()); }

TEST(Space, GenesStandInOrderOfTheNetworkThenOfItsBlocks) {
  const auto space = SpaceOf(Small());
  ASSERT_TRUE(space.ok()) << space.status();
  std::vector<std::string> names;
  for (const Gene &gene : space->genes) names.push_back(gene.name);
  EXPECT_THAT(names, ElementsAre("patch", "dim", "depth", "blocks[0].heads", "blocks[0].mlp_ratio", "blocks[1].heads",
                                 "blocks[1].mlp_ratio", "blocks[2].heads", "blocks[2].mlp_ratio"));
  EXPECT_THAT(space->genes[1].values, ElementsAre(32, 48, 64));
  EXPECT_EQ(space->name, "space_under_test");
  EXPECT_EQ(space->base.blocks.size(), 3u);
  EXPECT_EQ(space->base.dim, 64);
}

TEST(Space, ConfigHasWhatGenesSay) {
  const auto space = SpaceOf(Small());
  ASSERT_TRUE(space.ok()) << space.status();
  const VitConfig config = ConfigOf(*space, {1, 1, 1, 0, 1, 1, 0, 1, 1});
  EXPECT_EQ(config.patch, 7);
  EXPECT_EQ(config.dim, 48);
  ASSERT_EQ(config.blocks.size(), 3u);
  EXPECT_EQ(config.blocks[0], (BlockConfig{2, 24, 120, {}}));
  EXPECT_EQ(config.blocks[1], (BlockConfig{4, 12, 48, {}}));
  EXPECT_EQ(TokensOf(config), 17);
}

TEST(Space, GenesBeyondTheDepthAreDead) {
  const auto space = SpaceOf(Small());
  ASSERT_TRUE(space.ok()) << space.status();
  const Genes genes = {1, 1, 0, 0, 1, 1, 1, 1, 1};
  EXPECT_THAT(LiveGenes(*space, genes), ElementsAre(1, 1, 1, 1, 1, 0, 0, 0, 0));
  EXPECT_THAT(Canonical(*space, genes), ElementsAre(1, 1, 0, 0, 1, 0, 0, 0, 0));
  EXPECT_EQ(ConfigOf(*space, genes), ConfigOf(*space, Canonical(*space, genes)));
}

TEST(Space, RankIsAShareOfTheSmallerSideAndDenseWhereItSavesNothing) {
  EXPECT_EQ(RankOf(0.5, 64, 128), 32);
  EXPECT_EQ(RankOf(0.7, 64, 128), 0) << "45 * 192 = 8,640 of 8,192 weights";
  EXPECT_EQ(RankOf(0.66, 64, 128), 42);
  EXPECT_EQ(RankOf(1, 64, 128), 0);
  EXPECT_EQ(RankOf(0.01, 32, 32), 1);
  const auto space = SpaceOf(Small() + "rank_ratio: 0.5\nrank_layers: [fc2, qkv]\n");
  ASSERT_TRUE(space.ok()) << space.status();
  const VitConfig config = ConfigOf(*space, {0, 0, 0, 0, 1, 0, 0, 0, 0});
  EXPECT_EQ(config.blocks[0].ranks, (BlockRanks{16, 0, 0, 16}));
  EXPECT_EQ(space->base.blocks[0].ranks, BlockRanks{});
}

TEST(Space, EveryCandidateIsVisitedOnce) {
  const auto space = SpaceOf(Small());
  ASSERT_TRUE(space.ok()) << space.status();
  EXPECT_EQ(CandidatesOf(*space), 2 * 3 * (4 + 4 * 4 * 4));
  std::set<VitConfig> seen;
  Genes genes(space->genes.size());
  int count = 0;
  do {
    EXPECT_EQ(genes, Canonical(*space, genes));
    seen.insert(ConfigOf(*space, genes)), count++;
  } while (NextGenes(*space, genes));
  EXPECT_EQ(count, CandidatesOf(*space));
  EXPECT_EQ(static_cast<int>(seen.size()), count);
}

TEST(Space, SamplesFollowTheSeed) {
  const auto space = ReadSpace(kSpaces + "fmnist.yaml");
  ASSERT_TRUE(space.ok()) << space.status();
  std::mt19937_64 a(7), b(7), c(8);
  bool differs = false;
  for (int i = 0; i < 20; i++) {
    const Genes genes = RandomGenes(*space, a);
    EXPECT_EQ(genes, RandomGenes(*space, b));
    EXPECT_EQ(genes, Canonical(*space, genes));
    differs |= genes != RandomGenes(*space, c);
  }
  EXPECT_TRUE(differs);
}

TEST(Space, FilesOfTheTreeAreWhatTheySay) {
  const auto paper = ReadSpace(kSpaces + "mcuformer.yaml");
  ASSERT_TRUE(paper.ok()) << paper.status();
  EXPECT_EQ(paper->base.blocks.size(), 14u);
  EXPECT_EQ(paper->genes[1].name, "dim");
  EXPECT_THAT(paper->genes[1].values, ElementsAre(168, 192, 216));
  EXPECT_THAT(paper->genes[3].name, "rank_ratio");
  EXPECT_EQ(paper->genes[3].values.size(), 12u);
  EXPECT_EQ(paper->genes[3].values[3], 0.55);
  for (const char *name : {"autoformer_tiny", "fmnist", "fmnist_small"})
    EXPECT_TRUE(ReadSpace(kSpaces + name + ".yaml").ok()) << name;
}

struct Mistake {
  std::string from, to;
  int line;
  std::string what, works;
};

TEST(Space, MistakesAreNamedWithTheirLineAndWhatWouldWork) {
  const Mistake mistakes[] = {
      {"patch: [4, 7]", "patch: [4, 5]", 4, "28 is no multiple of 5", "1, 2, 4, 7, 14, 28 fit"},
      {"dim:", "dmi:", 5, "unknown key 'dmi'", "did you mean 'dim'"},
      {"to: 64", "to: 63", 5, "do not meet 63", "they meet 48 and 64"},
      {"to: 64", "to: 16", 5, "is empty", "swap the two"},
      {"step: 16", "step: 0", 5, "a step of 0", "above 0"},
      {"step: 16", "stride: 16", 5, "unknown key 'stride'", "from, to and step"},
      {"depth: [1, 3]", "depth: []", 6, "empty list", "give a value"},
      {"depth: [1, 3]", "depth: [1, 2.5]", 6, "2.5 is not possible", "integers from 1 to 100"},
      {"depth: [1, 3]", "depth: [1, 1]", 6, "twice", "once"},
      {"depth: [1, 3]", "depth: [one]", 6, "'one' is no number", "write one"},
      {"heads: [2, 4]", "heads: [2, 3]", 8, "32 does not split into 3", "head_dim"},
      {"  heads: [2, 4]", "  dim: [2, 4]", 8, "one for all blocks", "heads"},
      {"mlp_ratio: [1, 2.5]", "mlp_ratio: [1, 99]", 9, "99 is not possible", "to 64"},
      {"classes: 10", "classes: [10, 20]", 3, "does not vary", "one value"},
      {"classes: 10", "image: 28", 3, "twice", "line 1"},
      {"classes: 10\n", "", 1, "'classes' is missing", "give"},
      {"classes: 10", "pool: max", 3, "'max' is unknown", "mean"},
      {"classes: 10", "rank_layers: [fc3]", 3, "rank_layers", "fc1"},
      {"classes: 10", "classes: [10", 4, "no YAML", "docs"},
  };
  for (const Mistake &mistake : mistakes)
    EXPECT_THAT(Refusal(Small(mistake.from, mistake.to)),
                AllOf(HasSubstr("under_test.yaml:" + std::to_string(mistake.line) + ": "), HasSubstr(mistake.what),
                      HasSubstr(mistake.works)))
        << mistake.to;
  EXPECT_THAT(Refusal("- 3\n"), HasSubstr(":1: no search space"));
  EXPECT_THAT(Refusal(""), HasSubstr(":1: no search space"));
}

TEST(Space, AMissingFileIsNotFound) { EXPECT_TRUE(absl::IsNotFound(ReadSpace("no/such/space.yaml").status())); }

}  // namespace
}  // namespace onnx2mcu
