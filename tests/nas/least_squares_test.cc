#include "nas/cut/least_squares.h"

#include <gtest/gtest.h>

#include "tests/nas/made_vit.h"

namespace onnx2mcu {
namespace {

double Error(const LinearWeights &linear, const Matrix &x, const Matrix &y) {
  return (Apply(linear, x) - y).squaredNorm();
}

TEST(Regress, FindsTheLayerThatMadeTheValues) {
  Maker maker(1);
  const LinearWeights made = maker.Linear(6, 4, 0), other = maker.Linear(6, 4, 0);
  const Matrix x = maker.Normal(5000, 6, 1);
  const LinearWeights found = Regress(MomentsOf(x, Apply(made, x), Vector::Ones(1)), other, 1e-8);
  EXPECT_LT(LargestDifference(found.v, made.v), 1e-4f);
  EXPECT_LT(LargestDifference(found.bias, made.bias), 1e-4f);
}

TEST(Regress, StaysWithThePriorWhereNothingIsSaid) {
  Maker maker(2);
  const LinearWeights prior = maker.Linear(3, 2, 0);
  Matrix x = maker.Normal(100, 3, 1);
  x.col(1).setZero();
  const LinearWeights found = Regress(MomentsOf(x, maker.Normal(100, 2, 1), Vector::Ones(1)), prior, 1e-4);
  EXPECT_LT(LargestDifference(found.v.col(1), prior.v.col(1)), 1e-6f);
}

TEST(Regress, RowsOfWeightZeroDoNotCount) {
  Maker maker(3);
  const LinearWeights made = maker.Linear(4, 3, 0);
  const Matrix x = maker.Normal(600, 4, 1);
  Matrix y = Apply(made, x);
  for (int64_t row = 1; row < y.rows(); row += 2) y.row(row).setConstant(100);
  Vector weights(2);
  weights << 1, 0;
  EXPECT_LT(LargestDifference(Regress(MomentsOf(x, y, weights), made, 1e-8).v, made.v), 1e-4f);
}

TEST(LowRank, IsExactAtFullRankAndBeatsTruncationBelow) {
  Maker maker(4);
  const LinearWeights made = maker.Linear(8, 6, 0);
  Matrix x = maker.Normal(3000, 8, 1);
  for (int64_t i = 0; i < 8; i++) x.col(i) = x.col(i) * std::pow(0.4f, static_cast<float>(7 - i)) + Vector::Ones(3000);
  const Matrix y = Apply(made, x);
  const Moments moments = MomentsOf(x, y, Vector::Ones(1));
  EXPECT_LT(Error(LowRank(moments, made, 6), x, y), 1e-4);
  for (int64_t rank = 1; rank < 5; rank++) {
    const LinearWeights low = LowRank(moments, made, rank);
    EXPECT_EQ(low.u.rows(), rank);
    EXPECT_LT(Error(low, x, y), 0.5 * Error(TruncatedSvd(made, rank), x, y)) << rank;
  }
}

TEST(TruncatedSvd, IsTheNearestOfItsRank) {
  Maker maker(5);
  const LinearWeights made = maker.Linear(7, 5, 0), low = TruncatedSvd(made, 2);
  const Vector values = Eigen::MatrixXf(made.v).jacobiSvd().singularValues();
  EXPECT_NEAR((Dense(low).v - made.v).squaredNorm(), values.tail(3).squaredNorm(), 1e-4);
}

}  // namespace
}  // namespace onnx2mcu
