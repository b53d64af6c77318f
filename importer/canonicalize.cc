// Canonicalize(): small exact rewrites, run to a fixed point in six steps. A step runs its own families and those of
// the steps before it, so that whatever a rewrite leaves behind is brought to the canonical spelling again.
#include "importer/canonicalize.h"

#include <iterator>

#include "absl/strings/str_cat.h"
#include "importer/passes.h"

namespace onnx2mcu {
namespace {

using Families = std::vector<std::vector<FloatRewrite> (*)()>;

std::vector<Families> Steps() {
  return {
      // One spelling for each operator; what was fused is taken apart, what computes on integers is float.
      {QOperatorRewrites, QuantRewrites, SpellingRewrites, ArithmeticRewrites, FusedRewrites, ContribRewrites,
       DecomposeRewrites, TransposedRewrites, CopyRewrites},
      // Patterns of several operators, before movement and folding take their parts away.
      {NormRewrites, ActivationRewrites},
      // Linear layers and convolutions in their forms; movement composed and out of the way.
      {LinearRewrites, ConvRewrites, PoolRewrites, ReshapeRewrites, SliceRewrites, AttentionRewrites},
      // Constant factors and terms into weights.
      {FoldRewrites},
      // Linear layers read in slices; factors that no weights took.
      {CutRewrites, ScoreRewrites},
      // What nothing above could use: slower forms, so that it is not refused.
      {TruthRewrites, PaddingRewrites, ResampleRewrites, PixelRewrites, WideWeightRewrites},
  };
}

// One pass over the nodes. Returns the name of a rewrite that applied, or "".
std::string Sweep(Rewriter &r, const std::vector<FloatRewrite> &rewrites) {
  std::string applied;
  for (NodeId id : r.TopologicalOrder())
    for (const FloatRewrite &rewrite : rewrites)
      if (r.alive(id) && rewrite.apply(r, id)) applied = rewrite.name;
  return MergeEqual(r) ? "merge equal" : applied;
}

absl::Status RunToFixedPoint(Rewriter &r, const std::vector<FloatRewrite> &rewrites) {
  constexpr int kMostSweeps = 200;  // a model needs about as many as its longest chain of movement
  std::string applied;
  for (int sweep = 0; sweep < kMostSweeps; sweep++) {
    applied = Sweep(r, rewrites);
    O2M_RETURN_IF_ERROR(r.status());
    if (applied.empty()) return absl::OkStatus();
  }
  return absl::InternalError(
      absl::StrCat(r.graph().file, ": rewrite '", applied, "' comes to no end; please report this model"));
}

}  // namespace

absl::Status Canonicalize(Graph &graph) {
  RemoveDeadFloatNodes(graph);
  Rewriter rewriter(graph);
  std::vector<FloatRewrite> rewrites;
  absl::Status status;
  for (const Families &families : Steps()) {
    for (const auto &family : families) {
      const std::vector<FloatRewrite> more = family();
      rewrites.insert(rewrites.end(), more.begin(), more.end());
    }
    if (status.ok()) status = RunToFixedPoint(rewriter, rewrites);
  }
  MarkInPlace(rewriter);
  rewriter.Commit();
  if (!status.ok()) return status;
  OrderGraph(graph);
  return absl::OkStatus();
}

}  // namespace onnx2mcu
