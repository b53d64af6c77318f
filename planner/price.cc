#include "planner/price.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include "planner/make_plan.h"

namespace onnx2mcu {
namespace {

using Kinds = std::vector<const SegmentKind *>;

Kinds Resolve(const PlanCache &cache, std::span<const SegmentId> ids) {
  Kinds kinds;
  for (const SegmentId id : ids) kinds.push_back(&cache.kinds[id]);
  return kinds;
}

// The pieces in a row, where they fit together in one region; else the plan as a whole, as PlaceBlocks() would.
void PlacePieces(PlanCache &cache, const std::vector<const Piece *> &pieces, const std::vector<int64_t> &boundaries,
                 Price &price) {
  if (boundaries.empty() && Plain(pieces)) {
    std::vector<Link> links;
    for (const Piece *piece : pieces) links.insert(links.end(), piece->links.begin(), piece->links.end());
    const ChainSolution chain = PlaceChain(cache.placements, links, 0);
    price.arena_bytes = chain.bytes, price.lower_bound_bytes = chain.lower_bound, price.arena_optimal = chain.optimal;
    if (chain.fits()) return;
  }
  Plan plan = Join(pieces, {}, 0);
  plan.boundaries = boundaries;
  PlaceBuffers(plan, &cache.placements);
  price.arena_bytes = plan.arena_bytes, price.lower_bound_bytes = plan.lower_bound_bytes;
  price.arena_optimal = plan.arena_optimal;
}

Price PriceKinds(PlanCache &cache, const Kinds &kinds, const Picks &picks, const std::vector<int64_t> &boundaries) {
  std::vector<const Piece *> pieces;
  Price price;
  for (size_t i = 0; i < kinds.size(); i++) {
    const Piece &piece = kinds[i]->pieces[picks[i]];
    pieces.push_back(&piece);
    price.instructions += piece.instructions, price.flash_bytes_read += piece.flash_bytes_read;
    price.time += piece.time;
    price.constant_bytes += piece.constant_bytes;
  }
  PlacePieces(cache, pieces, boundaries, price);
  return price;
}

// The option of each segment with the fewest instructions whose live bytes stay below the limit, or are the least; from
// those of a smaller limit.
void RaisePicks(const Kinds &kinds, int64_t limit, Picks &picks) {
  for (size_t i = 0; i < kinds.size(); i++) {
    const std::vector<Option> &options = kinds[i]->options;
    while (picks[i] + 1 < static_cast<int32_t>(options.size()) && options[picks[i] + 1].live <= limit) picks[i]++;
  }
}

// Limits of live bytes at which some segment's option changes, and the budget itself.
std::vector<int64_t> LimitsOf(Kinds kinds, const PlanOptions &options) {
  std::sort(kinds.begin(), kinds.end());
  kinds.erase(std::unique(kinds.begin(), kinds.end()), kinds.end());
  std::vector<int64_t> limits;
  for (const SegmentKind *kind : kinds)
    for (const Option &option : kind->options) limits.push_back(option.live);
  for (const int64_t percent : {100, 98, 95, 90})
    if (options.arena_budget > 0) limits.push_back(options.arena_budget * percent / 100);
  std::sort(limits.begin(), limits.end());
  limits.erase(std::unique(limits.begin(), limits.end()), limits.end());
  return limits;
}

int64_t InstructionsOf(const Kinds &kinds, const Picks &picks) {
  int64_t total = 0;
  for (size_t i = 0; i < picks.size(); i++) total += kinds[i]->options[picks[i]].instructions;
  return total;
}

// By arena upward, each noticeably faster than all before it: the estimate is not good to less than
// one in 2000, and RAM is not to be spent for nothing.
std::vector<PricedSchedule> NonDominated(std::vector<PricedSchedule> all) {
  std::stable_sort(all.begin(), all.end(), [](const PricedSchedule &a, const PricedSchedule &b) {
    return std::tie(a.price.arena_bytes, a.price.time) < std::tie(b.price.arena_bytes, b.price.time);
  });
  std::vector<PricedSchedule> kept;
  for (PricedSchedule &schedule : all)
    if (kept.empty() || schedule.price.time * 2000 < kept.back().price.time * 1999) kept.push_back(std::move(schedule));
  return kept;
}

}  // namespace

absl::StatusOr<std::vector<SegmentId>> KindsOf(PlanCache &cache, const Graph &graph, Host &host,
                                               const o2m_target &target, const PlanOptions &options) {
  const RewriteTools tools{host, target, options.copy};
  O2M_RETURN_IF_ERROR(CheckSetting(cache, tools, options.rows));
  O2M_ASSIGN_OR_RETURN(Layout layout, LayOut(cache, graph, tools));
  for (const SegmentId id : layout.kinds) O2M_RETURN_IF_ERROR(Searched(cache, id, tools, options.rows).status());
  return std::move(layout.kinds);
}

Price PriceOf(PlanCache &cache, std::span<const SegmentId> kinds, const Picks &picks) {
  return PriceKinds(cache, Resolve(cache, kinds), picks, {});
}

std::vector<PricedSchedule> PriceSchedules(PlanCache &cache, std::span<const SegmentId> ids,
                                           const PlanOptions &options) {
  const Kinds kinds = Resolve(cache, ids);
  std::vector<PricedSchedule> all;
  Picks picks(kinds.size());
  int64_t best = INT64_MAX;
  std::vector<int64_t> limits = LimitsOf(kinds, options);
  if (limits.empty()) limits.push_back(0);  // a network without nodes
  for (const int64_t limit : limits) {
    RaisePicks(kinds, limit, picks);
    const int64_t instructions = InstructionsOf(kinds, picks);
    if (instructions >= best) continue;
    best = instructions;
    all.push_back({picks, PriceKinds(cache, kinds, picks, options.boundaries)});
  }
  return NonDominated(std::move(all));
}

size_t ChosenOf(const std::vector<PricedSchedule> &frontier, const PlanOptions &options) {
  const int64_t least = frontier.front().price.arena_bytes;
  int64_t limit = options.arena_budget > 0 ? options.arena_budget : INT64_MAX;
  if (options.optimize == "ram") limit = std::min(limit, least);
  if (options.optimize == "balanced" && options.arena_budget == 0) limit = least * 106 / 100;
  size_t chosen = frontier.size();
  for (size_t i = 0; i < frontier.size(); i++)
    if (frontier[i].price.arena_bytes <= limit) chosen = i;
  if (options.optimize == "ram" && (options.arena_budget == 0 || least <= options.arena_budget)) return 0;
  return chosen;
}

}  // namespace onnx2mcu
