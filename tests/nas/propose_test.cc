#include "nas/cut/propose.h"

#include <gmock/gmock.h>

#include "tests/nas/made_vit.h"

namespace onnx2mcu {
namespace {

int64_t Weights(const VitConfig &config) {
  int64_t count = 0;
  for (const BlockConfig &b : config.blocks) count += config.dim * (4 * b.heads * b.head_dim + 2 * b.mlp_dim);
  return count;
}

TEST(ProposeCuts, FillsTheLimitAndPutsTheNearestFirst) {
  Maker maker(9);
  VitConfig config = SmallConfig();
  config.dim = 16, config.blocks.assign(2, {2, 8, 32, {}});
  const Vit parent = maker.Network(config);
  const Images images = maker.Pixels(config, 120);
  int asked = 0;
  const Fits fits = [&](const VitConfig &c) { return asked++, absl::StatusOr<bool>(Weights(c) <= 2400); };
  const auto proposals = ProposeCuts(parent, images, fits, 5);
  ASSERT_TRUE(proposals.ok()) << proposals.status();
  ASSERT_EQ(proposals->size(), 5u);
  EXPECT_GT(asked, 10);
  for (size_t i = 0; i < proposals->size(); i++) {
    const Proposal &proposal = (*proposals)[i];
    EXPECT_LE(Weights(proposal.vit.config), 2400);
    VitConfig wider = proposal.vit.config;
    for (BlockConfig &block : wider.blocks) block.mlp_dim += 8;
    EXPECT_TRUE(Weights(wider) > 2400 || wider.blocks[0].mlp_dim > 32);
    EXPECT_LE(proposal.agreement, (*proposals)[i > 0 ? i - 1 : 0].agreement);
  }
  EXPECT_GT((*proposals)[0].agreement, 0.5);
}

TEST(ProposeCuts, SaysThatNothingFits) {
  Maker maker(9);
  const Vit parent = maker.Network(SmallConfig());
  const auto none = ProposeCuts(
      parent, maker.Pixels(parent.config, 20), [](const VitConfig &) { return false; }, 1);
  EXPECT_EQ(none.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(none.status().message()), testing::HasSubstr("keeps within the limits"));
}

}  // namespace
}  // namespace onnx2mcu
