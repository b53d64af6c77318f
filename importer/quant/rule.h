// importer/quant/rule.h - what an op says of the types and scales of its operands.
#pragma once
#include "importer/ir/op_node.h"

namespace onnx2mcu {

// "o2m.quant/1" of a node; zeroed where the op has none: bytes.
o2m_quant_rule RuleOf(const Graph &graph, const Node &node);
// "o2m.quant_wide/1" of a node; zeroed where the op has none.
o2m_wide_rule WideRuleOf(const Graph &graph, const Node &node);

}  // namespace onnx2mcu
