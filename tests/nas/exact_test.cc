// Folding, ordering and rotating leave the function alone, and bring it into the order that they promise.
#include "nas/cut/exact.h"

#include <gtest/gtest.h>

#include "nas/cut/slice.h"
#include "tests/nas/made_vit.h"

namespace onnx2mcu {
namespace {

struct Case {
  Vit vit;
  Images images;
  Statistics statistics;  // of the folded network
};

Case MakeCase(Pool pool) {
  Maker maker(7);
  const Vit vit = maker.Network(SmallConfig(pool));
  const Images images = maker.Pixels(vit.config, 40);
  return {vit, images, StatisticsOf(FoldNorms(vit), images)};
}

class Exact : public testing::TestWithParam<Pool> {};

TEST_P(Exact, NoStepChangesTheFunction) {
  const Case made = MakeCase(GetParam());
  const Matrix logits = Logits(made.vit, made.images);
  Vit vit = FoldNorms(made.vit);
  const auto same = [&](const char *step) {
    EXPECT_LT(LargestDifference(Logits(vit, made.images), logits), 1e-4f) << step;
  };
  same("fold");
  RotateEmbedding(vit, made.statistics), same("rotate");
  vit = FoldNorms(made.vit);
  for (int64_t b = 0; b < 3; b++) OrderHeadDims(vit, b, made.statistics);
  same("head dims");
  vit = FoldNorms(made.vit);
  OrderHeads(vit, made.statistics), same("heads");
  OrderNeurons(vit, made.statistics), same("neurons");
  for (int64_t b = 0; b < 3; b++) OrderHeadDims(vit, b, StatisticsOf(vit, made.images));
  RotateEmbedding(vit, made.statistics), same("all");
}
INSTANTIATE_TEST_SUITE_P(Pools, Exact, testing::Values(Pool::kClassToken, Pool::kMean));

// A neuron whose output no weight takes, and one that is another's double, are the two that can go.
TEST(OrderNeurons, PutsLastWhatIsNotMissed) {
  Case made = MakeCase(Pool::kClassToken);
  Vit vit = FoldNorms(made.vit);
  BlockWeights &block = vit.weights.blocks[0];
  block.fc2.v.col(2).setZero();
  block.fc1.v.row(7) = block.fc1.v.row(4), block.fc1.bias[7] = block.fc1.bias[4];
  OrderNeurons(vit, StatisticsOf(vit, made.images));
  const auto &w = vit.weights.blocks[0];
  const double kept = w.fc2.v.leftCols(8).norm();
  const Matrix logits = Logits(vit, made.images);
  EXPECT_GT(kept, 0);
  // without the last two, the double's weight given to its twin, nothing is lost
  EXPECT_LT(w.fc2.v.rightCols(2).colwise().norm().minCoeff(), 1e-6f);
  int doubles = 0;
  for (int64_t i = 0; i < 8; i++) doubles += (w.fc1.v.row(i) - w.fc1.v.row(8)).norm() < 1e-5f;
  for (int64_t i = 0; i < 8; i++) doubles += (w.fc1.v.row(i) - w.fc1.v.row(9)).norm() < 1e-5f;
  EXPECT_EQ(doubles, 1);
}

TEST(OrderHeads, PutsLastTheHeadThatNothingReads) {
  Case made = MakeCase(Pool::kClassToken);
  Vit vit = FoldNorms(made.vit);
  vit.weights.blocks[1].proj.v.leftCols(2).setZero();
  OrderHeads(vit, StatisticsOf(vit, made.images));
  EXPECT_EQ(vit.weights.blocks[1].proj.v.rightCols(2).norm(), 0);
  EXPECT_GT(vit.weights.blocks[1].proj.v.leftCols(4).norm(), 0);
}

// The first k entries hold k - 1 components; those behind add only to their mean.
TEST(RotateEmbedding, SlicedLeavesTheLeadingComponentsAndAConstant) {
  const Case made = MakeCase(Pool::kClassToken);
  Vit vit = FoldNorms(made.vit);
  RotateEmbedding(vit, made.statistics);
  const Matrix x = Embed(vit, made.images);
  const int64_t k = 5;
  Matrix helmert = Matrix::Zero(12, 11);
  for (int64_t i = 1; i < 12; i++) {
    helmert.col(i - 1).head(i).setConstant(1 / std::sqrt(static_cast<float>(i * (i + 1))));
    helmert(i, i - 1) = -static_cast<float>(i) / std::sqrt(static_cast<float>(i * (i + 1)));
  }
  const Matrix components = x * helmert, leading = x.leftCols(k);
  const Matrix centred = leading.colwise() - leading.rowwise().mean();
  EXPECT_LT(LargestDifference(centred, components.leftCols(k - 1) * helmert.topLeftCorner(k, k - 1).transpose()),
            1e-5f);
}

}  // namespace
}  // namespace onnx2mcu
