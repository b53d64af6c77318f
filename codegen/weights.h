// codegen/weights.h - how weights are held: any exact way by time or by flash, fewer bits where --weights allows it.
#pragma once
#include <optional>
#include <string>

#include "codegen/fidelity.h"
#include "importer/ir/op_node.h"

namespace onnx2mcu {

struct CompileOptions;
struct Compilation;

// Nodes whose weights give other results than in full, and what that costs where it was measured.
struct CoarseWeights {
  int64_t nodes = 0, of = 0;  // of those nodes that could
  std::optional<RoundingChange> change;
};

// Sets the variant of every node. room: bytes of flash for constants, 0: any. True where the room did not matter.
absl::StatusOr<bool> ChooseWeights(const CompileOptions &options, const o2m_target &target, int64_t room, Host &host,
                                   Graph &graph);

// Whether a smaller form of some node's weights is left that the options allow.
absl::StatusOr<bool> CanShrink(const CompileOptions &options, const o2m_target &target, Host &host, Graph &graph);

// Sets compilation->coarse, and a warning that states the measured drop, where a node has inexact weights. The graph is
// packed.
absl::Status StateCoarseWeights(const CompileOptions &options, Host &host, Compilation *compilation);

// "24 of 50 sparse_1x4, 2 s4": how the nodes that could be held otherwise are held; empty where all are as usual.
std::string WeightsText(const Graph &graph);

}  // namespace onnx2mcu
