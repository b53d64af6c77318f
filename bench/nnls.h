// bench/nnls.h - least squares whose solution has no negative entry.
#pragma once
#include <Eigen/Dense>

namespace onnx2mcu {

// x >= 0 with least |a x - b| (Lawson and Hanson, Solving Least Squares Problems, chapter 23). Columns of zeros get 0.
Eigen::VectorXd NonNegativeLeastSquares(const Eigen::MatrixXd &a, const Eigen::VectorXd &b);

}  // namespace onnx2mcu
