// importer/copies.h - copy nodes, the last resort where strides cannot say a movement or an op cannot take them.
#pragma once
#include "importer/ir/graph.h"
#include "importer/ir/status.h"
#include "plugins/registry.h"

namespace onnx2mcu {

absl::StatusOr<const o2m_op *> FindCopy(const Registry &registry, const Graph &graph);
Node MakeCopy(const Graph &graph, const o2m_op *copy, TensorId from, TensorId to);

}  // namespace onnx2mcu
