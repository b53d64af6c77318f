#include "nas/cut/resize.h"

#include <gtest/gtest.h>

#include "tests/nas/made_vit.h"

namespace onnx2mcu {
namespace {

TEST(ResizeAxis, KeepsConstantsAndRampsAndEqualSizes) {
  EXPECT_TRUE(ResizeAxis(7, 7).isIdentity(1e-6f));
  for (const auto &[from, to] : {std::pair{7, 4}, {4, 7}, {28, 14}, {1, 3}})
    EXPECT_TRUE(ResizeAxis(from, to).rowwise().sum().isOnes(1e-5f)) << from << " " << to;
  const Vector ramp = ResizeAxis(8, 16) * Vector::LinSpaced(8, 0, 7);
  for (int64_t i = 2; i < 14; i++) EXPECT_NEAR(ramp[i], (static_cast<float>(i) + 0.5f) / 2 - 0.5f, 1e-5f);
}

// Patches that were enlarged are read by the enlarged kernel as they were by the one it comes from.
TEST(ResizePatches, EnlargedKernelReadsEnlargedPatchesAlike) {
  Maker maker(3);
  VitConfig config = SmallConfig();
  const Vit small = maker.Network(config), large = ResizePatches(small, 14, 7);
  const Images images = maker.Pixels(config, 6);
  Images enlarged(6, 2 * 14 * 14);
  const Matrix axis = ResizeAxis(4, 7);
  for (int64_t n = 0; n < 6; n++)
    for (int64_t c = 0; c < 2; c++)
      for (int64_t patch = 0; patch < 4; patch++) {
        const Eigen::Map<const Matrix> from(images.row(n).data() + c * 64, 8, 8);
        Eigen::Map<Matrix> to(enlarged.row(n).data() + c * 196, 14, 14);
        to.block(patch / 2 * 7, patch % 2 * 7, 7, 7) =
            axis * from.block(patch / 2 * 4, patch % 2 * 4, 4, 4) * axis.transpose();
      }
  EXPECT_LT(LargestDifference(Logits(large, enlarged), Logits(small, images)), 1e-4f);
}

TEST(ResizeTokens, KeepsTheClassTokenApart) {
  VitConfig from = SmallConfig(), to = from;
  from.image = to.image = 28, from.patch = 4, to.patch = 7;
  const Matrix map = ResizeTokens(from, to);
  EXPECT_EQ(map.rows(), 17);
  EXPECT_EQ(map.cols(), 50);
  EXPECT_EQ(map(0, 0), 1);
  EXPECT_EQ(map.row(0).sum(), 1);
  EXPECT_EQ(map.col(0).sum(), 1);
  EXPECT_TRUE(map.rowwise().sum().isOnes(1e-5f));
}

}  // namespace
}  // namespace onnx2mcu
