#include "nas/cut/resize.h"

#include <algorithm>
#include <cmath>

#include "nas/cut/least_squares.h"

namespace onnx2mcu {
namespace {

// [a.rows * b.rows, a.cols * b.cols]: both axes of a square, row by row.
Matrix Kronecker(const Matrix &a, const Matrix &b) {
  Matrix product(a.rows() * b.rows(), a.cols() * b.cols());
  for (Eigen::Index i = 0; i < a.rows(); i++)
    for (Eigen::Index j = 0; j < a.cols(); j++)
      product.block(i * b.rows(), j * b.cols(), b.rows(), b.cols()) = a(i, j) * b;
  return product;
}

Matrix ResizeSquare(int64_t from, int64_t to) {
  const Matrix axis = ResizeAxis(from, to);
  return Kronecker(axis, axis);
}

// Of full rank.
Matrix PseudoInverse(const Matrix &map) {
  const Eigen::MatrixXd a = map.cast<double>();
  if (a.rows() >= a.cols()) return (Inverse(a.transpose() * a) * a.transpose()).cast<float>();
  return (a.transpose() * Inverse(a * a.transpose())).cast<float>();
}

Matrix ChannelByChannel(const Matrix &x, int64_t channels, const Matrix &map) {
  Matrix y(x.rows(), channels * map.rows());
  for (int64_t c = 0; c < channels; c++)
    y.middleCols(c * map.rows(), map.rows()).noalias() = x.middleCols(c * map.cols(), map.cols()) * map.transpose();
  return y;
}

}  // namespace

Matrix ResizeAxis(int64_t from, int64_t to) {
  const double ratio = static_cast<double>(from) / static_cast<double>(to), support = std::max(1.0, ratio);
  Matrix map = Matrix::Zero(to, from);
  for (int64_t i = 0; i < to; i++) {
    const double middle = (static_cast<double>(i) + 0.5) * ratio - 0.5;
    for (auto j = static_cast<int64_t>(std::floor(middle - support)); j <= middle + support; j++) {
      const double weight = std::max(0.0, 1 - std::abs(static_cast<double>(j) - middle) / support);
      map(i, std::clamp<int64_t>(j, 0, from - 1)) += static_cast<float>(weight);
    }
    map.row(i) /= map.row(i).sum();
  }
  return map;
}

Images ResizeImages(const Images &images, int64_t channels, int64_t from, int64_t to) {
  return from == to ? images : ChannelByChannel(images, channels, ResizeSquare(from, to));
}

Matrix ResizeTokens(const VitConfig &from, const VitConfig &to) {
  const Matrix grid = ResizeSquare(from.image / from.patch, to.image / to.patch);
  const int64_t first = from.pool == Pool::kClassToken ? 1 : 0;
  Matrix map = Matrix::Zero(grid.rows() + first, grid.cols() + first);
  if (first == 1) map(0, 0) = 1;
  map.bottomRightCorner(grid.rows(), grid.cols()) = grid;
  return map;
}

Vit ResizePatches(const Vit &vit, int64_t image, int64_t patch) {
  Vit resized = vit;
  resized.config.image = image, resized.config.patch = patch;
  if (vit.config.image == image && vit.config.patch == patch) return resized;
  // <w, x> = <w', B x> for each x where B has full column rank, nearest otherwise: w' = pinv(B^T) w
  const Matrix axis = PseudoInverse(ResizeAxis(vit.config.patch, patch).transpose());
  const Matrix map = Kronecker(axis, axis);
  resized.weights.patch = ChannelByChannel(vit.weights.patch, vit.config.channels, map);
  resized.weights.positions = ResizeTokens(vit.config, resized.config) * vit.weights.positions;
  return resized;
}

}  // namespace onnx2mcu
