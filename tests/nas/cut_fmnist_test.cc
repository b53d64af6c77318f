// A trained ViT cut to half of its flash without labels and without training: loosely the margins that bench/cut prints
// of all 10,000 test images.
#include <gtest/gtest.h>

#include "bench/fmnist.h"
#include "nas/cut/cut.h"
#include "nas/vit_onnx.h"

namespace onnx2mcu {
namespace {

TEST(CutFmnist, KeepsAccuracyWhereSlicesLoseIt) {
  const auto parent = ReadVit(O2M_SOURCE_DIR "/models/vit_fmnist.onnx");
  ASSERT_TRUE(parent.ok()) << parent.status();
  const auto calibration = ReadFmnist("train", 0, 500), test = ReadFmnist("t10k", 0, 1000);
  ASSERT_TRUE(calibration.ok() && test.ok()) << calibration.status() << test.status();
  VitConfig target = parent->vit.config;
  target.dim = 44, target.blocks.assign(4, {4, 8, 80, {}});
  const Matrix logits = Logits(parent->vit, test->images);
  const double whole = Accuracy(logits, test->labels);
  EXPECT_GT(whole, 0.89);
  const auto of = [&](const absl::StatusOr<Vit> &vit) {
    if (!vit.ok()) return ADD_FAILURE() << vit.status(), 0.0;
    return Accuracy(Logits(*vit, test->images), test->labels);
  };
  const auto cut = CutTo(parent->vit, target, calibration->images);
  const double refit = of(cut), plain = of(CutTo(parent->vit, target, calibration->images, {.least_squares = false}));
  EXPECT_GT(refit, whole - 0.035);
  EXPECT_GT(refit, plain + 0.02);
  EXPECT_GT(refit, of(NaiveCut(parent->vit, target)) + 0.3);
  EXPECT_GT(Agreement(Logits(*cut, test->images), logits), 0.93);
}

}  // namespace
}  // namespace onnx2mcu
