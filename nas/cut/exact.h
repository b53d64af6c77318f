// nas/cut/exact.h - changes of a Vit's weights that leave its function alone (float rounding apart), so that what is
// least needed comes last and W[:k] keeps the rest.
#pragma once
#include <Eigen/Dense>
#include <vector>

#include "nas/forward.h"
#include "nas/vit.h"

namespace onnx2mcu {

// By block: uncentred second moments of what its linear layers read, a constant 1 appended; of the head too.
struct Statistics {
  std::vector<Eigen::MatrixXd> qkv, proj, fc1, fc2;
  Eigen::MatrixXd head;
};
Statistics StatisticsOf(const Vit &vit, const Images &images);

Vit WithDenseLayers(const Vit &vit);

// Every linear layer dense, every norm with gain 1 and bias 0: they go into the layers that read it.
Vit FoldNorms(const Vit &vit);

// Heads and MLP neurons in the order in which they are needed: the last is the one without which the others, refitted
// by least squares, give most nearly what all gave together, and so on (Hassibi & Stork 1993, group by group).
void OrderHeads(Vit &vit, const Statistics &statistics);
void OrderNeurons(Vit &vit, const Statistics &statistics);

// Other coordinates within each head: those of q and k in which their product's energy falls off fastest, and of v and
// proj (balanced truncation). Precondition: FoldNorms().
void OrderHeadDims(Vit &vit, int64_t block, const Statistics &statistics);

// Other coordinates for the embedding, everywhere at once. Only what is orthogonal to (1 .. 1) is ever read, since
// LayerNorm subtracts the mean; of that, component i of those that the reading layers need most becomes the Helmert
// vector (1 .. 1, -i, 0 .. 0) / sqrt(i (i + 1)), i = 1 .. dim - 1. These have mean 0, and the first k entries of those
// from k on are constant: cut to k entries, a LayerNorm reads the first k - 1 components and nothing of the others.
// Precondition: FoldNorms().
void RotateEmbedding(Vit &vit, const Statistics &statistics);

}  // namespace onnx2mcu
