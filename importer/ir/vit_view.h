// importer/ir/vit_view.h - the ViT structure read out of a graph: for names, summaries and NAS. Never a second IR; a
// graph that it does not recognise still compiles.
#pragma once
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "importer/ir/graph.h"

namespace onnx2mcu {

struct VitView {
  bool found = false;
  int depth = 0;  // blocks, one per attention
  int64_t heads = 0, tokens = 0, dim = 0, head_dim = 0, mlp_dim = 0;
};
// From the float half after Canonicalize(). found is false where no attention lies on a residual stream.
VitView ViewAsVit(const Graph &graph);
// The same as names and numbers, for people: "blocks" 4, "heads" 4, "tokens" 50 ...; empty where nothing was found.
std::vector<std::pair<std::string, int64_t>> StructureOf(const Graph &graph);

// What an op node is called in generated code and reports. `block`: "embed", "block3", "head", or "" where no structure
// was found; `part`: "attn", "mlp" or ""; `name`: "norm1", "q", "fc1", "linear"; `result`: of its output, "x" for the
// residual stream. All are C identifiers; several nodes may have the same.
struct NodeLabel {
  std::string block, part, name, result;
};
std::vector<NodeLabel> LabelNodes(const Graph &graph);  // one per graph.nodes

}  // namespace onnx2mcu
