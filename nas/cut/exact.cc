#include "nas/cut/exact.h"

#include <cmath>
#include <limits>
#include <numeric>

#include "nas/cut/least_squares.h"

namespace onnx2mcu {
namespace {

using Eigen::MatrixXd;
using Eigen::VectorXd;
using Indices = std::vector<int64_t>;

// y = W (x * gain + norm bias) + b as a layer of x.
void Absorb(NormWeights &norm, LinearWeights &linear) {
  linear.bias += linear.v * norm.bias;
  linear.v = linear.v.array().rowwise() * norm.gain.transpose().array();
  norm.gain.setOnes(), norm.bias.setZero();
}

Indices Range(int64_t first, int64_t count) {
  Indices range(count);
  std::iota(range.begin(), range.end(), first);
  return range;
}

// Groups of `size` columns of `linear`, the most needed first. moments: of what it reads, a constant 1 last.
// While groups remain, the one whose loss is removed least costs tr(W_g (S^-1_gg)^-1 W_g^T), S being the covariance of
// the remaining inputs; the others then take over what they can of it.
Indices Importance(const LinearWeights &linear, const MatrixXd &moments, int64_t size) {
  const int64_t in = linear.v.cols();
  MatrixXd covariance = moments.topLeftCorner(in, in) / moments(in, in);
  const VectorXd mean = moments.topRightCorner(in, 1) / moments(in, in);
  covariance -= mean * mean.transpose();
  covariance.diagonal().array() += 1e-6 * covariance.diagonal().mean() + 1e-12;
  MatrixXd inverse = Inverse(covariance), w = linear.v.cast<double>();
  Indices left = Range(0, in / size), order(left.size());
  for (auto slot = order.rbegin(); slot != order.rend(); ++slot) {
    double least = std::numeric_limits<double>::infinity();
    auto worst = left.begin();
    for (auto group = left.begin(); group != left.end(); ++group) {
      const MatrixXd own = Inverse(inverse.block(*group * size, *group * size, size, size));
      const auto columns = w.middleCols(*group * size, size);
      const double loss = (columns * own * columns.transpose()).trace();
      if (loss < least) least = loss, worst = group;
    }
    const int64_t first = *worst * size;
    const MatrixXd shared = Inverse(inverse.block(first, first, size, size)) * inverse.middleRows(first, size);
    w -= MatrixXd(w.middleCols(first, size)) * shared;
    inverse -= MatrixXd(inverse.middleCols(first, size)) * shared;
    *slot = *worst;
    left.erase(worst);
  }
  return order;
}

Indices SpreadOver(const Indices &groups, int64_t size) {
  Indices indices;
  for (const int64_t group : groups)
    for (int64_t i = 0; i < size; i++) indices.push_back(group * size + i);
  return indices;
}

void TakeRows(LinearWeights &linear, const Indices &rows) {
  linear.v = Matrix(linear.v(rows, Eigen::all));
  linear.bias = Vector(linear.bias(rows));
}
void TakeColumns(LinearWeights &linear, const Indices &columns) { linear.v = Matrix(linear.v(Eigen::all, columns)); }

// T_a and T_b, T_a^T T_b = 1, such that T_a A and T_b B have the same diagonal moments, falling (balanced truncation's
// square root algorithm, Laub et al. 1987). aa = A A^T and bb = B B^T, [n, n].
std::pair<MatrixXd, MatrixXd> Balance(MatrixXd aa, const MatrixXd &bb) {
  aa.diagonal().array() += 1e-6 * aa.diagonal().mean() + 1e-12;
  const MatrixXd l = Cholesky(aa), product = l.transpose() * bb * l, vectors = LeadingEigenvectors(product);
  VectorXd squares = (vectors.transpose() * product * vectors).diagonal();
  squares = squares.cwiseMax(1e-12 * squares.maxCoeff() + 1e-30);
  const VectorXd root = squares.array().sqrt().sqrt();
  const MatrixXd turned = l * vectors;
  return {root.asDiagonal() * (Inverse(aa) * turned).transpose(),
          root.cwiseInverse().asDiagonal() * turned.transpose()};
}

// Rows [first, first + T.rows()) of a layer, bias included, multiplied by T.
void Mix(LinearWeights &linear, int64_t first, const MatrixXd &t) {
  const int64_t n = t.rows();
  const Eigen::MatrixXf m = t.cast<float>();
  linear.v.middleRows(first, n) = (m * linear.v.middleRows(first, n)).eval();
  linear.bias.segment(first, n) = (m * linear.bias.segment(first, n)).eval();
}

MatrixXd WithBias(const LinearWeights &linear, int64_t first, int64_t count) {
  MatrixXd wide(count, linear.v.cols() + 1);
  wide << linear.v.middleRows(first, count).cast<double>(), linear.bias.segment(first, count).cast<double>();
  return wide;
}

// Sums over the reads of the embedding: centred second moments of what they see (LayerNorm gives all the same energy),
// and W^T W of the layers that read. [dim, dim] both.
struct Reads {
  MatrixXd seen, used;
};
Reads ReadsOf(const Vit &vit, const Statistics &statistics) {
  const int64_t dim = vit.config.dim;
  Reads reads{MatrixXd::Zero(dim, dim), MatrixXd::Zero(dim, dim)};
  const auto add = [&](const MatrixXd &moments, const LinearWeights &linear) {
    reads.seen += moments.topLeftCorner(dim, dim) / moments(dim, dim);
    const MatrixXd w = linear.v.cast<double>();
    reads.used += w.transpose() * w;
  };
  for (size_t b = 0; b < vit.weights.blocks.size(); b++)
    add(statistics.qkv[b], vit.weights.blocks[b].qkv), add(statistics.fc1[b], vit.weights.blocks[b].fc1);
  add(statistics.head, vit.weights.head);
  return reads;
}

// [dim, dim - 1], orthonormal and orthogonal to (1 .. 1): the first k columns span what k numbers per token must say
// for all the reading layers together to give most nearly what they give (reduced-rank regression on their outputs).
MatrixXd Components(const Reads &reads) {
  const int64_t dim = reads.seen.rows();
  const MatrixXd centre = MatrixXd::Identity(dim, dim).array() - 1.0 / static_cast<double>(dim);
  const double all = reads.seen.trace(), least = 1e-8 * all / static_cast<double>(dim) + 1e-12;
  // the mean comes last, behind what rounding makes of directions that hold nothing, and is left out
  const MatrixXd seen = centre * reads.seen * centre - (all + 1) * (MatrixXd::Identity(dim, dim) - centre);
  const MatrixXd basis = LeadingEigenvectors(seen).leftCols(dim - 1);
  const VectorXd root = (basis.transpose() * seen * basis).diagonal().cwiseMax(least).cwiseSqrt();
  const MatrixXd scaled = basis * root.asDiagonal();
  const MatrixXd best = LeadingEigenvectors(scaled.transpose() * reads.used * scaled);
  // W^T best, less what it reads of directions that hold nothing: those would only change the length that LayerNorm
  // sees
  const VectorXd inverse =
      root.array() / (root.array().square() + 1e-4 * root.squaredNorm() / static_cast<double>(dim));
  const MatrixXd functionals = basis * (inverse.asDiagonal() * best);
  const MatrixXd products = functionals.transpose() * functionals;
  return functionals * (Inverse(products) * Cholesky(products));  // Gram-Schmidt
}

// [dim, dim - 1], columns as RotateEmbedding() has them.
MatrixXd Helmert(int64_t dim) {
  MatrixXd basis = MatrixXd::Zero(dim, dim - 1);
  for (int64_t i = 1; i < dim; i++) {
    const double norm = std::sqrt(static_cast<double>(i * (i + 1)));
    basis.col(i - 1).head(i).setConstant(1 / norm);
    basis(i, i - 1) = -static_cast<double>(i) / norm;
  }
  return basis;
}

}  // namespace

Statistics StatisticsOf(const Vit &vit, const Images &images) {
  const size_t depth = vit.weights.blocks.size();
  Statistics statistics{std::vector<MatrixXd>(depth),
                        std::vector<MatrixXd>(depth),
                        std::vector<MatrixXd>(depth),
                        std::vector<MatrixXd>(depth),
                        {}};
  const auto place = [&](int64_t block, Layer layer) -> MatrixXd & {
    if (layer == Layer::kQkv) return statistics.qkv[block];
    if (layer == Layer::kProj) return statistics.proj[block];
    if (layer == Layer::kFc1) return statistics.fc1[block];
    return layer == Layer::kFc2 ? statistics.fc2[block] : statistics.head;
  };
  Logits(vit, images, [&](int64_t block, Layer layer, const Matrix &input) {
    const MatrixXd moments = MomentsOf(input, {}, Vector::Ones(1)).xx;
    MatrixXd &sum = place(block, layer);
    sum = sum.size() > 0 ? MatrixXd(sum + moments) : moments;
  });
  return statistics;
}

Vit WithDenseLayers(const Vit &vit) {
  Vit dense = vit;
  for (BlockConfig &block : dense.config.blocks) block.ranks = {};
  for (BlockWeights &block : dense.weights.blocks) {
    block.qkv = Dense(block.qkv), block.proj = Dense(block.proj);
    block.fc1 = Dense(block.fc1), block.fc2 = Dense(block.fc2);
  }
  dense.weights.head = Dense(dense.weights.head);
  return dense;
}

Vit FoldNorms(const Vit &vit) {
  Vit folded = WithDenseLayers(vit);
  for (BlockWeights &block : folded.weights.blocks) Absorb(block.norm1, block.qkv), Absorb(block.norm2, block.fc1);
  Absorb(folded.weights.norm, folded.weights.head);
  return folded;
}

void OrderHeads(Vit &vit, const Statistics &statistics) {
  for (size_t b = 0; b < vit.weights.blocks.size(); b++) {
    const BlockConfig &config = vit.config.blocks[b];
    BlockWeights &block = vit.weights.blocks[b];
    const Indices columns = SpreadOver(Importance(block.proj, statistics.proj[b], config.head_dim), config.head_dim);
    Indices rows;
    for (int64_t part = 0; part < 3; part++)
      for (const int64_t column : columns) rows.push_back(part * config.heads * config.head_dim + column);
    TakeRows(block.qkv, rows), TakeColumns(block.proj, columns);
  }
}

void OrderNeurons(Vit &vit, const Statistics &statistics) {
  for (size_t b = 0; b < vit.weights.blocks.size(); b++) {
    BlockWeights &block = vit.weights.blocks[b];
    const Indices order = Importance(block.fc2, statistics.fc2[b], 1);
    TakeRows(block.fc1, order), TakeColumns(block.fc2, order);
  }
}

void OrderHeadDims(Vit &vit, int64_t b, const Statistics &statistics) {
  const int64_t heads = vit.config.blocks[b].heads, dim = vit.config.blocks[b].head_dim;
  BlockWeights &block = vit.weights.blocks[b];
  const MatrixXd &moments = statistics.qkv[b];
  for (int64_t head = 0; head < heads; head++) {
    const int64_t q = head * dim, k = (heads + head) * dim, v = (2 * heads + head) * dim;
    const auto energy = [&](int64_t first) -> MatrixXd {
      const MatrixXd wide = WithBias(block.qkv, first, dim);
      return wide * moments * wide.transpose();
    };
    const auto [tq, tk] = Balance(energy(q), energy(k));
    const MatrixXd out = block.proj.v.middleCols(q, dim).cast<double>();
    const auto [tv, to] = Balance(energy(v), out.transpose() * out);
    Mix(block.qkv, q, tq), Mix(block.qkv, k, tk), Mix(block.qkv, v, tv);
    block.proj.v.middleCols(q, dim) = (out * to.transpose()).cast<float>();
  }
}

void RotateEmbedding(Vit &vit, const Statistics &statistics) {
  const int64_t dim = vit.config.dim;
  const Eigen::MatrixXf turn = (Helmert(dim) * Components(ReadsOf(vit, statistics)).transpose()).cast<float>();
  const auto write = [&](LinearWeights &linear) {
    linear.v = (turn * linear.v).eval();
    linear.bias = (turn * linear.bias).eval();
  };
  const auto read = [&](LinearWeights &linear) { linear.v = (linear.v * turn.transpose()).eval(); };
  VitWeights &w = vit.weights;
  w.patch = (turn * w.patch).eval(), w.patch_bias = (turn * w.patch_bias).eval();
  w.positions = (w.positions * turn.transpose()).eval();
  if (w.class_token.size() > 0) w.class_token = (turn * w.class_token).eval();
  for (BlockWeights &block : w.blocks) {
    read(block.qkv), read(block.fc1);
    write(block.proj), write(block.fc2);
  }
  read(w.head);
}

}  // namespace onnx2mcu
