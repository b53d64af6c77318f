// importer/canonicalize.h - the families of rewrites that Canonicalize() runs. Private to importer/canonicalize*.cc.
#pragma once
#include <vector>

#include "importer/rewriter.h"

namespace onnx2mcu {

// One family per file. Later families rely on what earlier ones establish.
std::vector<Rewrite> QOperatorRewrites();   // the float operator between DequantizeLinear and QuantizeLinear
std::vector<Rewrite> QuantRewrites();       // both of them as onnx2mcu.FakeQuantize
std::vector<Rewrite> ArithmeticRewrites();  // Add and Mul with the constant second, for Sub, Div, Neg, Pow
std::vector<Rewrite> SpellingRewrites();    // opset differences, axes, Softmax, ReduceMean, Clip, no-ops
std::vector<Rewrite> DecomposeRewrites();   // normalisations, reductions and sums of several operands by simpler ones
std::vector<Rewrite> PoolRewrites();        // poolings of two axes; convolutions of three by those of two
std::vector<Rewrite> TransposedRewrites();  // transposed convolutions and sums of patches as convolutions
std::vector<Rewrite> CopyRewrites();        // movement of every kind as Reshape, Transpose, Gather and Concat
std::vector<Rewrite> ReshapeRewrites();     // Reshape and Transpose for all movement, composed, sunk below arithmetic
std::vector<Rewrite> SliceRewrites();       // Slice for Split and Gather, hoisted to what computes the values
std::vector<Rewrite> ContribRewrites();     // RotaryEmbedding, FusedConv
std::vector<Rewrite> FusedRewrites();       // operators of com.microsoft and opset 23 taken apart
std::vector<Rewrite> NormRewrites();        // LayerNormalization and RMSNormalization
std::vector<Rewrite> ActivationRewrites();  // Gelu, HardSwish, Mish
std::vector<Rewrite> AttentionRewrites();   // scores, masks, keys by queries
std::vector<Rewrite> ScoreRewrites();       // factors of q and k that no weights took, onto the scores
std::vector<Rewrite> LinearRewrites();      // MatMul + Add for every linear layer
std::vector<Rewrite> ConvRewrites();        // 2-D, with bias and all attributes
std::vector<Rewrite> FoldRewrites();        // constant factors and terms into weights
std::vector<Rewrite> PixelRewrites();       // normalisation that no layer took
std::vector<Rewrite> CutRewrites();         // a linear layer that is read in slices
std::vector<Rewrite> TruthRewrites();       // comparisons and choices as arithmetic with 0 and 1
std::vector<Rewrite> PaddingRewrites();     // padding that no window took
std::vector<Rewrite> WideWeightRewrites();  // weights of more than s8 as more rows of s8
std::vector<Rewrite> ResampleRewrites();    // interpolation and running sums as products with a matrix

// Equal constants become one, equal computations become one. True if anything changed.
bool MergeEqual(Rewriter &r);
// Marks the FakeQuantize nodes whose operand nobody else reads and whose producer can round. Last of all.
void MarkInPlace(Rewriter &r);
// Puts nodes and tensors into an order that depends on what is computed, not on how the file was written; drops tensors
// that nothing refers to.
void OrderGraph(Graph &graph);

// ---- What several families ask ----

// A linear layer y = x W (+ b): the MatMul, and the Add behind it where that is its only reader.
struct Linear {
  NodeId matmul = kNone, add = kNone;
  TensorId x = kNone, weight = kNone, bias = kNone, y = kNone;  // weight [K,N]; bias [N] or kNone
};
// The linear layer that writes `y`; matmul is kNone if none does.
Linear LinearOf(const Rewriter &r, TensorId y);
// True for nodes that only move elements of input 0 (Reshape, Transpose, Slice, Expand, ...).
bool Moves(const FloatNode &node);

}  // namespace onnx2mcu
