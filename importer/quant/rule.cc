#include "importer/quant/rule.h"

namespace onnx2mcu {

o2m_quant_rule RuleOf(const Graph &graph, const Node &node) {
  o2m_quant_rule rule{};
  const auto *quantizer = static_cast<const o2m_quantizer *>(ExtensionOf(node.op, "o2m.quant/1"));
  if (!quantizer) return rule;
  const OpNode view(graph, node);
  quantizer->rule(view.get(), &rule);
  return rule;
}

o2m_wide_rule WideRuleOf(const Graph &graph, const Node &node) {
  o2m_wide_rule rule{};
  const auto *quantizer = static_cast<const o2m_wide_quantizer *>(ExtensionOf(node.op, "o2m.quant_wide/1"));
  if (!quantizer) return rule;
  const OpNode view(graph, node);
  quantizer->rule(view.get(), &rule);
  return rule;
}

}  // namespace onnx2mcu
