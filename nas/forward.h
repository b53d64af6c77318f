// nas/forward.h - a Vit in float on many images at once: one thread, matrix products over the tokens of all images.
//
// Activations are [count * tokens, width], the tokens of the first image first.
#pragma once
#include <cstdint>
#include <functional>
#include <vector>

#include "nas/vit.h"

namespace onnx2mcu {

// [count, channels * image * image]: pixels as the network takes them (normalised), channel by channel, row by row.
using Images = Matrix;

// What reads an activation.
enum class Layer { kQkv, kProj, kFc1, kFc2, kHead };
// Sees what each linear layer reads, batch by batch. block: 0 .., of kHead the depth; its input is [count, dim].
using Hook = std::function<void(int64_t block, Layer layer, const Matrix &input)>;

// [count, classes]. Precondition: the weights have the shapes that the config says, as do the images.
Matrix Logits(const Vit &vit, const Images &images, const Hook &hook = {});

// Share of the images, 0 .. 1, whose largest logit is the label's, and the same one in both networks.
double Accuracy(const Matrix &logits, const std::vector<int64_t> &labels);
double Agreement(const Matrix &a, const Matrix &b);

// ---- the parts

Matrix Embed(const Vit &vit, const Images &images);               // patches, class token, positions
Matrix PatchesOf(const VitConfig &config, const Images &images);  // [count * side * side, channels * patch^2]
Matrix Standardise(const Matrix &x, float epsilon);               // LayerNorm without gain and bias
Matrix Normalise(const NormWeights &norm, const Matrix &x, float epsilon);
Matrix Apply(const LinearWeights &linear, const Matrix &x);
Matrix Attend(const BlockConfig &block, const Matrix &qkv, int64_t tokens);      // softmax(q k^T / sqrt(head_dim)) v
void Gelu(Matrix &x);                                                            // x (1 + erf(x / sqrt(2))) / 2
void AddBlock(const Vit &vit, int64_t block, Matrix &x, const Hook &hook = {});  // x: the embedding, before and after
Matrix PoolTokens(const VitConfig &config, const Matrix &x);                     // [count, dim]

}  // namespace onnx2mcu
