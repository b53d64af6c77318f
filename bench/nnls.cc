#include "bench/nnls.h"

#include <vector>

namespace onnx2mcu {
namespace {

// The least squares of the columns in `free`, the others zero.
Eigen::VectorXd SolveFree(const Eigen::MatrixXd &a, const Eigen::VectorXd &b, const std::vector<bool> &free) {
  std::vector<Eigen::Index> columns;
  for (Eigen::Index j = 0; j < a.cols(); j++)
    if (free[j]) columns.push_back(j);
  Eigen::MatrixXd part(a.rows(), static_cast<Eigen::Index>(columns.size()));
  for (size_t i = 0; i < columns.size(); i++) part.col(static_cast<Eigen::Index>(i)) = a.col(columns[i]);
  const Eigen::VectorXd solution = part.colPivHouseholderQr().solve(b);
  Eigen::VectorXd x = Eigen::VectorXd::Zero(a.cols());
  for (size_t i = 0; i < columns.size(); i++) x[columns[i]] = solution[static_cast<Eigen::Index>(i)];
  return x;
}

// As far from x towards `to` as no entry becomes negative; those that became zero are no longer free.
void StepTowards(const Eigen::VectorXd &to, std::vector<bool> &free, Eigen::VectorXd &x) {
  double length = 1;
  for (Eigen::Index j = 0; j < x.size(); j++)
    if (free[j] && to[j] <= 0) length = std::min(length, x[j] / (x[j] - to[j]));
  x += length * (to - x);
  for (Eigen::Index j = 0; j < x.size(); j++) {
    if (!free[j] || x[j] > 1e-12) continue;
    x[j] = 0;
    free[j] = false;
  }
}

}  // namespace

Eigen::VectorXd NonNegativeLeastSquares(const Eigen::MatrixXd &a, const Eigen::VectorXd &b) {
  const Eigen::VectorXd norms = a.colwise().norm().transpose().cwiseMax(1e-300);
  const Eigen::MatrixXd unit = a * norms.cwiseInverse().asDiagonal();
  Eigen::VectorXd x = Eigen::VectorXd::Zero(a.cols());
  std::vector<bool> free(a.cols(), false);
  for (int round = 0; round < 10 * a.cols(); round++) {
    const Eigen::VectorXd gain = unit.transpose() * (b - unit * x);
    Eigen::Index best = -1;
    for (Eigen::Index j = 0; j < a.cols(); j++)
      if (!free[j] && gain[j] > 1e-9 && (best < 0 || gain[j] > gain[best])) best = j;
    if (best < 0) break;
    free[best] = true;
    Eigen::VectorXd to = SolveFree(unit, b, free);
    for (; (to.array() < 0).any(); to = SolveFree(unit, b, free)) StepTowards(to, free, x);
    x = to;
  }
  return x.cwiseQuotient(norms);
}

}  // namespace onnx2mcu
