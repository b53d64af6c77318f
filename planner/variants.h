// planner/variants.h - which of the ways that an op offers to hold a node's weights ("o2m.variants/1") is taken: the
// quickest, or the smallest. What a variant is, only its op knows.
#pragma once
#include <string>
#include <vector>

#include "importer/ir/op_node.h"
#include "planner/plan.h"

namespace onnx2mcu {

struct VariantPrice {
  int32_t variant = 0;
  std::string name;
  bool exact = true;    // the bytes of variant 0
  int64_t bytes = 0;    // of the node's constants
  int64_t time = 0;     // TimeOf() all steps
  int64_t scratch = 0;  // bytes of one call
};

// The name of a node's variant; empty where its op offers none.
std::string VariantName(const Node &node);
bool IsExact(const Node &node);

// What a node may be held as, variant 0 first: those that infer() accepts. `rows` per call, 0: all steps in one.
absl::StatusOr<std::vector<VariantPrice>> VariantsOf(Graph &graph, NodeId node, Host &host, const o2m_target &target,
                                                     int32_t rows);
absl::Status SetVariant(Graph &graph, NodeId node, int32_t variant, Host &host, const o2m_target &target);

struct VariantOptions {
  bool smallest = false;      // by bytes, then time; else by time, then bytes
  int64_t constant_room = 0;  // bytes of flash for constants; 0: any. Where they do not fit, those nodes become smaller
                              // that lose the least time per byte
  int32_t rows = 0;           // per call; 0: all steps
};

// Sets the variant of every node, exact ones only; a node that has an inexact one keeps it. Equal nodes choose alike.
absl::Status ChooseVariants(Graph &graph, Host &host, const o2m_target &target, const VariantOptions &options);

// The same for the rows per call that a plan has come to: a node takes the quickest exact variant whose scratch has
// room where the plan left it.
absl::Status RefineVariants(Graph &graph, const Plan &plan, Host &host, const o2m_target &target);

}  // namespace onnx2mcu
