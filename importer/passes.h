// importer/passes.h - the passes of the importer, in the order codegen/compiler.cc runs them. Each edits the graph in
// place; --dump=NAME prints the graph after the pass of that name.
#pragma once
#include <string>

#include "importer/ir/graph.h"
#include "importer/ir/status.h"
#include "plugins/registry.h"

namespace onnx2mcu {

// "read". The ONNX file as a Graph: checked, functions inlined, batch fixed to 1, external data loaded, node and tensor
// ids in topological order. Shapes of intermediate tensors may still be unknown (dims empty) until FoldConstants.
struct ReadOptions {
  std::string name;  // C identifier; empty: from the file's stem
};
absl::StatusOr<Graph> ReadOnnx(const std::string &path, const ReadOptions &options = {});

// "fold". Evaluates everything that depends on constants only (shape arithmetic included), gives every tensor its
// static dims by evaluating on zeros, removes no-ops and dead code. Afterwards no node has a computable output.
absl::Status FoldConstants(Graph &graph);

// Graph inputs that the file holds in s8, u8 or s16 with a scale become real numbers that are rounded so; what the
// caller gives is s8 (u8 less 128) or s16 then. Others stay. Fills graph.quantised_inputs. After FoldConstants().
void DequantiseInputs(Graph &graph);

// "canonical". One spelling for each thing: LayerNormalization, Gelu, MatMul + Add for every linear layer, Softmax on
// the last axis, scalar factors folded into weights, a linear layer that is read in slices cut into one per slice.
// The function computed does not change (float rounding apart).
absl::Status Canonicalize(Graph &graph);

// "lower". Lets ops claim subgraphs of the float half, largest match first, from the outputs upward. Fills graph.nodes;
// movement that no op claimed (Reshape, Transpose, Slice, Concat ...) becomes views, or copies where strides cannot
// say it (ResolveViews). Unimplemented lists every node that no op claims.
absl::Status LowerToOps(Graph &graph, const Registry &registry);

// "views". Gives every tensor that the op nodes touch its base, offset and strides; inserts copies where needed.
absl::Status ResolveViews(Graph &graph, const Registry &registry);

// "layout", where asked for by an option (named in messages): the caller gives these inputs, images [.., C, H, W], as
// [H][W][C], as cameras do. InvalidArgument where one is no image, or is read in an order that no strides can say.
absl::Status SetChannelsLast(Graph &graph, const std::string &option, const std::vector<TensorId> &inputs);

// "reassociate", where asked for. Attention over the layer's input instead of keys and values projected from it:
// q (x Wk)^T = (q Wk^T) x^T and A (x Wv + b) = (A x) Wv + b, head by head (Jung et al., "fused-weight self-attention").
// Keys and values then need no memory; the products are dim / head_dim times as long. The same function in float, other
// rounding in integers. Returns how many nodes it changed: those with "o2m.mixing/1" whose k and v are projections of
// one tensor and of nothing else's interest.
absl::StatusOr<int> Reassociate(Graph &graph);

// "legal". After infer(): dense copies around ops that do not take the strides their operands have.
absl::Status LegalizeLayouts(Graph &graph, const Registry &registry, const o2m_target &target);

// Renames nothing, computes nothing: drops nodes and warns of nothing whose outputs nobody reads; keeps order.
void RemoveDeadFloatNodes(Graph &graph);

}  // namespace onnx2mcu
