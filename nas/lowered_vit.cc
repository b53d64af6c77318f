#include "nas/lowered_vit.h"

#include "importer/passes.h"
#include "importer/quant/quantize.h"
#include "nas/vit_graph.h"
#include "planner/variants.h"

namespace onnx2mcu {
namespace {

constexpr uint64_t kSeed = 1;  // of weights that nobody looks at, but for there being no zeros

}  // namespace

absl::StatusOr<Graph> LoweredVit(const VitConfig &config, const PriceOptions &options, const Registry &registry,
                                 Host &host, const o2m_target &target) {
  Graph graph = FloatGraphOf({config, RandomWeights(config, kSeed)});
  graph.metadata = options.metadata;
  O2M_ASSIGN_OR_RETURN(const Preprocessing preprocessing, PreprocessingOf(graph, {}));
  O2M_RETURN_IF_ERROR(ApplyPreprocessing(graph, preprocessing));
  O2M_RETURN_IF_ERROR(FoldConstants(graph));
  O2M_RETURN_IF_ERROR(Canonicalize(graph));
  O2M_RETURN_IF_ERROR(LowerToOps(graph, registry));
  O2M_RETURN_IF_ERROR(ResolveViews(graph, registry));
  QuantOptions quant;
  quant.shapes_only = true, quant.residual = options.residual, quant.pixels = preprocessing.known();
  O2M_RETURN_IF_ERROR(Quantize(graph, quant, host, target));
  O2M_RETURN_IF_ERROR(LegalizeLayouts(graph, registry, target));
  O2M_RETURN_IF_ERROR(InferAll(graph, host, target));
  O2M_RETURN_IF_ERROR(FuseEpilogues(graph, host, target));
  VariantOptions variants;
  variants.smallest = options.optimize == "flash";
  O2M_RETURN_IF_ERROR(ChooseVariants(graph, host, target, variants));
  return graph;
}

}  // namespace onnx2mcu
