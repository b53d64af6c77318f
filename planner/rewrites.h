// planner/rewrites.h - schedule alternatives as graphs: each rewrite is a pure function Graph -> Graph that is marked
// exact (the same bytes come out) or numeric. All do the same with a graph whose constants have no data, since that is
// what the search prices, and leave the ids of tensors that they do not touch.
#pragma once
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "planner/plan.h"
#include "planner/spans.h"

namespace onnx2mcu {

struct RewriteTools {
  Host &host;
  const o2m_target &target;
  const o2m_op *copy = nullptr;    // moves rows from one place to another; null: no rewrite that needs it
  const Border *border = nullptr;  // of a segment: bases that others read or write beyond it
};

struct Rewrite {
  std::string name;
  bool exact = true;
  std::function<absl::StatusOr<Graph>(const Graph &, const RewriteTools &)> apply;
};

// What the search tries on a segment, each chain applied in its order; the first is empty. A chain that fails on a
// graph (an op refuses a part of itself) is one that graph has not.
std::vector<std::vector<Rewrite>> RewriteChains(const Graph &graph, const RewriteTools &tools);

// Rows that nobody reads are not computed (rewrite_rows.cc). Never dearer, so always done.
absl::StatusOr<Graph> DropUnreadRows(const Graph &graph, const RewriteTools &tools);

// Every reader of a cheap step-wise result but the first gets a clone of its node (rewrite_recompute.cc).
absl::StatusOr<Graph> RecomputeCheap(const Graph &graph, const RewriteTools &tools);

// Part by part (rewrite_parts.cc): `kept` of `parts` parts run in the loop of the reader. Nodes that offer no such
// split stay as they are.
absl::StatusOr<Graph> SplitIntoParts(const Graph &graph, const RewriteTools &tools, int32_t parts, int32_t kept);
// Every (parts, kept) that differs in the fraction kept, the least first. None without tools.copy.
std::vector<std::pair<int32_t, int32_t>> PartChoices(const Graph &graph, const RewriteTools &tools);

// The graph without what only execution needs: constants' data and the float half. Ids stay.
Graph WithoutData(const Graph &graph);
Tensor WithoutData(const Tensor &tensor);

// By node: the first node that computes the same from the same operands, or itself. Clones of a clone count as well.
std::vector<NodeId> FirstOfDuplicates(const Graph &graph);

// Nodes that a stage computes again (same op, operands, attributes), each with the node of that stage that did so
// first.
using Duplicates = std::vector<std::pair<NodeId, NodeId>>;
Duplicates DuplicatesIn(const Graph &graph, const std::vector<Stage> &stages);

// Without those nodes: recomputation that ended up in one loop is done once. Exact. Ids of tensors stay; ids of later
// nodes move up.
Graph MergeDuplicates(const Graph &graph, const Duplicates &duplicates);

}  // namespace onnx2mcu
