#include "nas/cut/least_squares.h"

#include <algorithm>
#include <cmath>

namespace onnx2mcu {
namespace {

constexpr int64_t kRows = 4096;  // products of so many rows in float, their sum in double

// The rows [first, first + count) that count, a 1 appended to each, times the root of its weight.
Matrix Weighted(const Matrix &x, int64_t first, int64_t count, const Vector &weights) {
  Matrix rows(count, x.cols() + 1);
  int64_t kept = 0;
  for (int64_t row = first; row < first + count; row++) {
    const float weight = weights[row % weights.size()];
    if (weight > 0) rows.row(kept++) << std::sqrt(weight) * x.row(row), std::sqrt(weight);
  }
  return rows.topRows(kept);
}

// Covariance of x, and its mean.
Eigen::MatrixXd Covariance(const Moments &moments, Eigen::VectorXd *mean) {
  const Eigen::Index in = moments.xx.rows() - 1;
  const double count = moments.xx(in, in);
  *mean = moments.xx.topRightCorner(in, 1) / count;
  return moments.xx.topLeftCorner(in, in) / count - *mean * mean->transpose();
}

}  // namespace

Moments MomentsOf(const Matrix &x, const Matrix &y, const Vector &weights) {
  const int64_t in = x.cols() + 1;
  Moments moments{Eigen::MatrixXd::Zero(in, in), Eigen::MatrixXd::Zero(y.size() > 0 ? in : 0, y.cols())};
  for (int64_t first = 0; first < x.rows(); first += kRows) {
    const int64_t count = std::min<int64_t>(kRows, x.rows() - first);
    const Matrix rows = Weighted(x, first, count, weights);
    moments.xx += (rows.transpose() * rows).cast<double>();
    if (y.size() == 0) continue;
    const Matrix wanted = Weighted(y, first, count, weights);
    moments.xy += (rows.transpose() * wanted.leftCols(y.cols())).cast<double>();
  }
  return moments;
}

LinearWeights Regress(const Moments &moments, const LinearWeights &prior, double ridge) {
  const Eigen::Index in = moments.xx.rows() - 1, out = moments.xy.cols();
  Eigen::MatrixXd start(in + 1, out);
  start << prior.v.transpose().cast<double>(), prior.bias.transpose().cast<double>();
  Eigen::MatrixXd xx = moments.xx;
  const double pull = ridge * xx.diagonal().head(in).mean() + 1e-12;
  xx.diagonal().head(in).array() += pull;
  xx(in, in) += ridge * xx(in, in);
  const Eigen::MatrixXd step = Inverse(xx) * (moments.xy - moments.xx * start);
  const Eigen::MatrixXd solution = start + step;
  return {{}, solution.topRows(in).transpose().cast<float>(), solution.row(in).transpose().cast<float>()};
}

LinearWeights LowRank(const Moments &moments, const LinearWeights &dense, int64_t rank) {
  if (rank == 0) return dense;
  Eigen::VectorXd mean;
  const Eigen::MatrixXd covariance = Covariance(moments, &mean), w = dense.v.cast<double>();
  const Eigen::MatrixXd v = LeadingEigenvectors(w * covariance * w.transpose()).leftCols(rank);
  const Eigen::MatrixXd u = v.transpose() * w;
  const Eigen::VectorXd bias = dense.bias.cast<double>() + w * mean - v * (u * mean);
  return {u.cast<float>(), v.cast<float>(), bias.cast<float>()};
}

LinearWeights TruncatedSvd(const LinearWeights &dense, int64_t rank) {
  if (rank == 0) return dense;
  const Eigen::MatrixXd w = dense.v.cast<double>(), v = LeadingEigenvectors(w * w.transpose()).leftCols(rank);
  return {(v.transpose() * w).cast<float>(), v.cast<float>(), dense.bias};
}

Eigen::MatrixXd LeadingEigenvectors(const Eigen::MatrixXd &symmetric) {
  const Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> solver(symmetric);
  Eigen::MatrixXd vectors = solver.eigenvectors().rowwise().reverse();
  for (Eigen::Index i = 0; i < vectors.cols(); i++) {
    Eigen::Index at = 0;
    vectors.col(i).cwiseAbs().maxCoeff(&at);
    if (vectors(at, i) < 0) vectors.col(i) = -vectors.col(i);
  }
  return vectors;
}

Eigen::MatrixXd Inverse(const Eigen::MatrixXd &positive) {
  return positive.llt().solve(Eigen::MatrixXd::Identity(positive.rows(), positive.cols()));
}

Eigen::MatrixXd Cholesky(const Eigen::MatrixXd &positive) { return positive.llt().matrixL(); }

LinearWeights Dense(const LinearWeights &linear) {
  if (linear.u.size() == 0) return linear;
  return {{}, linear.v * linear.u, linear.bias};
}

}  // namespace onnx2mcu
