#include "bench/nnls.h"

#include <gtest/gtest.h>

#include <random>

namespace onnx2mcu {
namespace {

Eigen::MatrixXd Random(std::mt19937 &random, int rows, int columns, double low) {
  std::uniform_real_distribution<double> value(low, 1);
  Eigen::MatrixXd matrix(rows, columns);
  for (double &x : matrix.reshaped()) x = value(random);
  return matrix;
}

TEST(NonNegativeLeastSquares, FindsASolutionThatExists) {
  std::mt19937 random(1);
  for (int trial = 0; trial < 100; trial++) {
    const Eigen::MatrixXd a = Random(random, 12, 7, -1);
    Eigen::VectorXd x = Random(random, 7, 1, -1).cwiseMax(0);  // about half of them zero
    EXPECT_LT((NonNegativeLeastSquares(a, a * x) - x).norm(), 1e-6);
  }
}

// No entry could be larger, or smaller and not negative, for less of an error.
TEST(NonNegativeLeastSquares, MeetsTheConditionsOfAMinimum) {
  std::mt19937 random(2);
  for (int trial = 0; trial < 200; trial++) {
    const Eigen::MatrixXd a = Random(random, 9, 6, trial % 2 ? -1 : 0);
    const Eigen::VectorXd b = Random(random, 9, 1, -1), x = NonNegativeLeastSquares(a, b);
    const Eigen::VectorXd gain = a.transpose() * (b - a * x);
    for (int j = 0; j < 6; j++) {
      EXPECT_GE(x[j], 0);
      EXPECT_LT(gain[j], 1e-6);
      if (x[j] > 1e-9) {
        EXPECT_NEAR(gain[j], 0, 1e-6);
      }
    }
  }
}

TEST(NonNegativeLeastSquares, TakesEqualColumnsAndColumnsOfZeros) {
  Eigen::MatrixXd a(3, 4);
  a << 1, 1, 0, 2, 2, 2, 0, 1, 3, 3, 0, 5;
  const Eigen::VectorXd b = 4 * a.col(0) + a.col(3), x = NonNegativeLeastSquares(a, b);
  EXPECT_LT((a * x - b).norm(), 1e-9);
  EXPECT_EQ(x[2], 0);
}

TEST(NonNegativeLeastSquares, IsZeroWhereEveryStepHurts) {
  const Eigen::MatrixXd a = Eigen::MatrixXd::Ones(3, 2);
  EXPECT_EQ(NonNegativeLeastSquares(a, -Eigen::VectorXd::Ones(3)), Eigen::VectorXd::Zero(2));
}

}  // namespace
}  // namespace onnx2mcu
