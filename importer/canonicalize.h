// importer/canonicalize.h - the families of rewrites that Canonicalize() runs. Private to importer/canonicalize*.cc.
#pragma once
#include <vector>

#include "importer/rewriter.h"

namespace onnx2mcu {

// One family per file. Later families rely on what earlier ones establish.
std::vector<FloatRewrite> QOperatorRewrites();   // the float operator between DequantizeLinear and QuantizeLinear
std::vector<FloatRewrite> QuantRewrites();       // both of them as onnx2mcu.FakeQuantize
std::vector<FloatRewrite> ArithmeticRewrites();  // Add and Mul with the constant second, for Sub, Div, Neg, Pow
std::vector<FloatRewrite> SpellingRewrites();    // opset differences, axes, Softmax, ReduceMean, Clip, no-ops
std::vector<FloatRewrite>
DecomposeRewrites();                       // normalisations, reductions and sums of several operands by simpler ones
std::vector<FloatRewrite> PoolRewrites();  // poolings of two axes; convolutions of three by those of two
std::vector<FloatRewrite> TransposedRewrites();  // transposed convolutions and sums of patches as convolutions
std::vector<FloatRewrite> CopyRewrites();        // movement of every kind as Reshape, Transpose, Gather and Concat
std::vector<FloatRewrite> ReshapeRewrites();  // Reshape and Transpose for all movement, composed, sunk below arithmetic
std::vector<FloatRewrite> SliceRewrites();    // Slice for Split and Gather, hoisted to what computes the values
std::vector<FloatRewrite> ContribRewrites();  // RotaryEmbedding, FusedConv
std::vector<FloatRewrite> FusedRewrites();    // operators of com.microsoft and opset 23 taken apart
std::vector<FloatRewrite> NormRewrites();     // LayerNormalization and RMSNormalization
std::vector<FloatRewrite> ActivationRewrites();  // Gelu, HardSwish, Mish
std::vector<FloatRewrite> AttentionRewrites();   // scores, masks, keys by queries
std::vector<FloatRewrite> ScoreRewrites();       // factors of q and k that no weights took, onto the scores
std::vector<FloatRewrite> LinearRewrites();      // MatMul + Add for every linear layer
std::vector<FloatRewrite> ConvRewrites();        // 2-D, with bias and all attributes
std::vector<FloatRewrite> FoldRewrites();        // constant factors and terms into weights
std::vector<FloatRewrite> PixelRewrites();       // normalisation that no layer took
std::vector<FloatRewrite> CutRewrites();         // a linear layer that is read in slices
std::vector<FloatRewrite> TruthRewrites();       // comparisons and choices as arithmetic with 0 and 1
std::vector<FloatRewrite> PaddingRewrites();     // padding that no window took
std::vector<FloatRewrite> WideWeightRewrites();  // weights of more than s8 as more rows of s8
std::vector<FloatRewrite> ResampleRewrites();    // interpolation and running sums as products with a matrix

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
