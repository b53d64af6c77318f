#include "planner/plan_cache.h"

#include <algorithm>
#include <utility>

#include "planner/order.h"

namespace onnx2mcu {

absl::Status CheckSetting(PlanCache &cache, const RewriteTools &tools, int32_t rows) {
  std::string setting = tools.target.id ? tools.target.id : "";
  PutBytes(setting, tools.target.features, tools.target.flash_wait, tools.target.call_price, tools.copy, rows);
  for (const auto &[name, value] : tools.host.options) setting += '\0' + name + '=' + value;
  if (cache.setting.empty()) cache.setting = setting;
  if (cache.setting == setting) return absl::OkStatus();
  return absl::FailedPreconditionError("a plan cache serves one target, copy op, number of rows and set of options");
}

SegmentId KindOf(PlanCache &cache, const Graph &graph, const Contracts &contracts, const Spans &spans, int32_t begin,
                 int32_t end) {
  std::string signature = SignatureOf(graph, contracts, spans, begin, end);
  const auto [it, fresh] = cache.ids.try_emplace(std::move(signature), static_cast<SegmentId>(cache.kinds.size()));
  if (fresh) cache.kinds.push_back({Extract(graph, spans, begin, end, false), {}, {}});
  return it->second;
}

absl::StatusOr<const SegmentKind *> Searched(PlanCache &cache, SegmentId id, const RewriteTools &tools, int32_t rows) {
  SegmentKind &kind = cache.kinds[id];
  if (!kind.options.empty()) return &kind;
  O2M_ASSIGN_OR_RETURN(std::vector<Option> options, FrontierOf(kind.example, tools, rows));
  for (const Option &option : options) {
    O2M_ASSIGN_OR_RETURN(Piece piece, PieceOf(kind.example, option, tools.target, cache.placements));
    kind.pieces.push_back(std::move(piece));
  }
  kind.options = std::move(options);
  return &kind;
}

namespace {

// A graph in its order, cut as it is.
struct Cutting {
  PlanCache &cache;
  const Graph &graph;
  const RewriteTools &tools;
  Contracts contracts;
  Spans spans;
  std::vector<int32_t> cuts;
  std::vector<SegmentId> kinds;  // by segment
};

// The base that lives across the start of a segment, and is read or written behind it; kNone: there is none.
TensorId BaseAcross(const Cutting &c, size_t segment) {
  for (const Span &span : c.spans.all)
    if (span.first < c.cuts[segment] && span.last >= c.cuts[segment]) return span.base;
  return kNone;
}

// True if the nodes read some of a base, and not all of its rows.
bool ReadsInPart(const Graph &graph, const Contracts &contracts, TensorId base) {
  int64_t low = INT64_MAX, high = 0;
  for (const Node &node : graph.nodes)
    if (std::find(node.inputs.begin(), node.inputs.end(), base) != node.inputs.end()) return false;
  for (const Contract &contract : contracts.nodes)
    for (const Touch &touch : contract.touches) {
      if (touch.write || touch.base != base) continue;
      low = std::min(low, FirstByte(touch)), high = std::max(high, EndByte(touch));
    }
  return high > 0 && (low > 0 || high < BytesOf(graph.tensors[base]));
}

bool Touches(const Contracts &contracts, TensorId base) {
  return std::any_of(contracts.nodes.begin(), contracts.nodes.end(), [base](const Contract &contract) {
    return std::any_of(contract.touches.begin(), contract.touches.end(),
                       [base](const Touch &touch) { return touch.base == base; });
  });
}

TensorId LocalId(const Segment &segment, TensorId whole) {
  const auto it = std::find(segment.whole.begin(), segment.whole.end(), whole);
  return it == segment.whole.end() ? kNone : static_cast<TensorId>(it - segment.whole.begin());
}

// Segments [first, last] as a graph of their own, without the rows that nobody reads.
absl::StatusOr<Unit> MakeUnit(const Cutting &c, size_t first, size_t last) {
  Segment run = Extract(c.graph, c.spans, c.cuts[first], c.cuts[last + 1], false);
  const RewriteTools tools{c.tools.host, c.tools.target, c.tools.copy, &run.border};
  O2M_ASSIGN_OR_RETURN(const Graph graph, DropUnreadRows(run.graph, tools));
  O2M_ASSIGN_OR_RETURN(const Contracts contracts, ContractsOf(graph, tools.target, &c.cache.answers));
  Unit unit;
  unit.changed = graph.tensors.size() != run.graph.tensors.size();
  for (const TensorId base : run.border.in) unit.open |= ReadsInPart(graph, contracts, base);
  if (last > first) {
    const TensorId base = LocalId(run, BaseAcross(c, first + 1));
    const bool longer = std::find(run.border.in.begin(), run.border.in.end(), base) != run.border.in.end();
    unit.joined = longer || !Touches(contracts, base);  // the same base is open still, or a smaller one took its place
  }
  if (!unit.changed) {
    unit.kinds.assign(c.kinds.begin() + static_cast<int64_t>(first), c.kinds.begin() + static_cast<int64_t>(last) + 1);
    return unit;
  }
  const Spans spans = SpansOfAll(graph, contracts, run.border);
  const std::vector<int32_t> cuts = CutPoints(spans);
  for (size_t i = 0; i + 1 < cuts.size(); i++)
    unit.kinds.push_back(KindOf(c.cache, graph, contracts, spans, cuts[i], cuts[i + 1]));
  return unit;
}

absl::StatusOr<const Unit *> UnitOf(const Cutting &c, size_t first, size_t last) {
  std::vector<SegmentId> key(c.kinds.begin() + static_cast<int64_t>(first),
                             c.kinds.begin() + static_cast<int64_t>(last) + 1);
  const auto it = c.cache.units.find(key);
  if (it != c.cache.units.end()) return &it->second;
  O2M_ASSIGN_OR_RETURN(Unit unit, MakeUnit(c, first, last));
  return &c.cache.units.emplace(std::move(key), std::move(unit)).first->second;
}

// From the last segment to the first: a unit takes in what stands before it as long as it leaves rows of that unread,
// and they are dropped there. What is read as a whole closes it, since nothing further back can change then.
absl::StatusOr<std::vector<Layout::Run>> UnitsOf(const Cutting &c) {
  std::vector<Layout::Run> runs;
  for (size_t end = c.kinds.size(); end > 0;) {
    size_t first = end - 1, begin = first;
    O2M_ASSIGN_OR_RETURN(const Unit *unit, UnitOf(c, first, end - 1));
    for (const Unit *longer = unit; longer->open && begin > 0;) {
      O2M_ASSIGN_OR_RETURN(longer, UnitOf(c, --begin, end - 1));
      if (!longer->joined) break;
      unit = longer, first = begin;
    }
    runs.push_back({c.cuts[first], c.cuts[end], unit});
    end = first;
  }
  std::reverse(runs.begin(), runs.end());
  return runs;
}

}  // namespace

namespace {

// Again without the nodes that no output needs: what they touch must not count.
absl::StatusOr<Layout> LayOutKept(PlanCache &cache, const Graph &graph, const RewriteTools &tools,
                                  const std::vector<NodeId> &order) {
  Graph kept = WithoutData(graph);
  KeepNodes(kept, order);
  O2M_ASSIGN_OR_RETURN(Layout layout, LayOut(cache, kept, tools));
  for (NodeId &node : layout.order) node = order[node];
  return layout;
}

}  // namespace

absl::StatusOr<Layout> LayOut(PlanCache &cache, const Graph &graph, const RewriteTools &tools) {
  Cutting c{cache, graph, tools, {}, {}, {}, {}};
  O2M_ASSIGN_OR_RETURN(c.contracts, ContractsOf(graph, tools.target, &cache.answers));
  Layout layout;
  layout.order = OrderNodes(graph, c.contracts);
  if (layout.order.size() < graph.nodes.size()) return LayOutKept(cache, graph, tools, layout.order);
  c.spans = SpansOf(c.contracts, layout.order, {});
  c.cuts = CutPoints(c.spans);
  for (size_t i = 0; i + 1 < c.cuts.size(); i++)
    c.kinds.push_back(KindOf(cache, graph, c.contracts, c.spans, c.cuts[i], c.cuts[i + 1]));
  O2M_ASSIGN_OR_RETURN(layout.runs, UnitsOf(c));
  for (const Layout::Run &run : layout.runs)
    layout.kinds.insert(layout.kinds.end(), run.unit->kinds.begin(), run.unit->kinds.end());
  return layout;
}

}  // namespace onnx2mcu
