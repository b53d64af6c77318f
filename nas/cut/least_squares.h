// nas/cut/least_squares.h - a linear layer from the moments of what it reads and what it should give.
#pragma once
#include <Eigen/Dense>

#include "nas/vit.h"

namespace onnx2mcu {

// Sums over rows, a constant 1 appended to x: xx [in + 1, in + 1], xy [in + 1, out].
struct Moments {
  Eigen::MatrixXd xx, xy;
};
// Rows weigh weights[row % weights.size()]: by token. y may be empty: xy is then.
Moments MomentsOf(const Matrix &x, const Matrix &y, const Vector &weights);

// The dense layer that least squares asks for, ridge (relative to the mean square of x) pulling it to `prior`.
LinearWeights Regress(const Moments &moments, const LinearWeights &prior, double ridge);

// The layer of rank r nearest to a dense one in what it gives for x, mean aside, which the bias keeps: V is the leading
// eigenvectors of the output's covariance, U = V^T W. Of a plain layer this is activation-aware SVD (whitened by the
// input's covariance; SVD-LLM), of Regress()'s it is reduced-rank regression (Izenman 1975). rank 0: unchanged.
LinearWeights LowRank(const Moments &moments, const LinearWeights &dense, int64_t rank);

// The nearest layer of that rank in its weights alone. rank 0: unchanged.
LinearWeights TruncatedSvd(const LinearWeights &dense, int64_t rank);

// Eigenvectors of a symmetric matrix, the largest eigenvalue first, each with its largest entry positive.
Eigen::MatrixXd LeadingEigenvectors(const Eigen::MatrixXd &symmetric);

// Of a symmetric positive definite matrix: its inverse, and the lower triangular L with L L^T.
Eigen::MatrixXd Inverse(const Eigen::MatrixXd &positive);
Eigen::MatrixXd Cholesky(const Eigen::MatrixXd &positive);

// One layer [out, in] of `linear`, whatever its rank.
LinearWeights Dense(const LinearWeights &linear);

}  // namespace onnx2mcu
