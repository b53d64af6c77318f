#include "nas/search/reach.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"

namespace onnx2mcu {
namespace {

// How far over its limits a network is, as fractions of them; 0: legal.
double Excess(const Cost &cost, const Limits &limits) {
  double excess = 0;
  for (const Need &need : Needs(cost, limits))
    if (need.broken()) excess += static_cast<double>(need.value - need.limit) / static_cast<double>(need.limit);
  return excess;
}

struct Descent {
  Genes genes;
  double score = 0;
};

// The best value of one gene; keeps the gene where none is better.
absl::Status DescendGene(size_t gene, const Score &score, Sampler &sampler, Descent *descent) {
  const auto values = static_cast<int32_t>(sampler.problem().objective.genes[gene].values.size());
  Genes genes = descent->genes;
  for (int32_t value = 0; value < values; value++) {
    genes[gene] = value;
    O2M_ASSIGN_OR_RETURN(const Cost cost, sampler.Price(CanonicalOf(sampler.problem(), genes)));
    if (score(cost) < descent->score) *descent = {genes, score(cost)};
  }
  return absl::OkStatus();
}

absl::StatusOr<Descent> DescendFrom(const Genes &start, const Score &score, Sampler &sampler) {
  O2M_ASSIGN_OR_RETURN(const Cost cost, sampler.Price(CanonicalOf(sampler.problem(), start)));
  Descent descent = {start, score(cost)};
  for (double before = descent.score + 1; descent.score < before;) {
    before = descent.score;
    for (size_t gene = 0; gene < start.size(); gene++) O2M_RETURN_IF_ERROR(DescendGene(gene, score, sampler, &descent));
  }
  return descent;
}

std::vector<Genes> Starts(const Sampler &sampler) {
  std::vector<Genes> starts(2);
  for (const Gene &gene : sampler.problem().objective.genes) {
    starts[0].push_back(0);
    starts[1].push_back(static_cast<int32_t>(gene.values.size()) - 1);
  }
  for (uint64_t i = 0; i < 2; i++) {
    RandomStream random(i);
    starts.push_back(sampler.Uniform(random));
  }
  return starts;
}

std::string Parts(const std::string &limit, const Cost &cost) {
  if (limit == "ram") return absl::StrCat("arena ", cost.arena_bytes, " B, stack ", cost.stack_bytes, " B");
  if (limit == "flash")
    return absl::StrCat("weights ", cost.weight_bytes, " B, constants ", cost.constant_bytes, " B, code ",
                        cost.code_bytes, " B");
  return "estimated";
}

// "ram: least found 3412 B of 2048 B allowed (arena 3156 B, stack 256 B; dim 32, depth 2)".
absl::StatusOr<std::string> LeastText(const SearchProblem &problem, size_t which, Prices *prices, bool *reachable) {
  const Score score = [which](const Cost &cost) { return static_cast<double>(Needs(cost, {})[which].value); };
  O2M_ASSIGN_OR_RETURN(const Genes genes, Least(problem, score, prices));
  const Cost &cost = prices->at(genes);
  const Need need = Needs(cost, problem.limits)[which];
  *reachable = !need.broken();
  const std::string unit = which == 2 ? "" : " B";
  return absl::StrCat(need.name, ": least found ", need.value, unit, " of ", need.limit, unit, " allowed (",
                      Parts(need.name, cost), "; ", Describe(problem.objective, genes), ")");
}

absl::Status Infeasible(const SearchProblem &problem, const Genes &nearest, Prices *prices) {
  std::vector<std::string> unreachable, texts;
  const std::array<Need, 3> needs = Needs(prices->at(nearest), problem.limits);
  for (size_t i = 0; i < needs.size(); i++) {
    if (needs[i].limit == 0) continue;
    bool reachable = false;
    O2M_ASSIGN_OR_RETURN(const std::string text, LeastText(problem, i, prices, &reachable));
    texts.push_back(text);
    if (!reachable) unreachable.push_back(needs[i].name);
  }
  std::string together;
  for (const Need &need : needs)
    if (need.broken()) absl::StrAppend(&together, ", ", need.name, " ", need.value, " over ", need.limit);
  const std::string what =
      unreachable.empty()
          ? absl::StrCat("no network found meets all limits together (the nearest: ", together.substr(2), ")")
          : absl::StrCat("no network found meets the limit of ", absl::StrJoin(unreachable, " and of "));
  return absl::ResourceExhaustedError(absl::StrCat("the space: ", what, "; ", absl::StrJoin(texts, "; "),
                                                   "; raise the limit or add smaller values to the space"));
}

}  // namespace

absl::StatusOr<Genes> Least(const SearchProblem &problem, const Score &score, Prices *prices) {
  const History none;
  Sampler sampler(problem, 0, 0, none, prices);
  std::vector<Descent> found;
  for (const Genes &start : Starts(sampler)) {
    O2M_ASSIGN_OR_RETURN(Descent descent, DescendFrom(start, score, sampler));
    found.push_back(std::move(descent));
  }
  const auto least = std::min_element(found.begin(), found.end(),
                                      [](const Descent &a, const Descent &b) { return a.score < b.score; });
  return CanonicalOf(problem, least->genes);
}

absl::StatusOr<Genes> ReachLegal(const SearchProblem &problem, Prices *prices) {
  const Score excess = [&](const Cost &cost) { return Excess(cost, problem.limits); };
  O2M_ASSIGN_OR_RETURN(Genes nearest, Least(problem, excess, prices));
  if (!Within(prices->at(nearest), problem.limits)) return Infeasible(problem, nearest, prices);
  return nearest;
}

absl::StatusOr<Binding> BindingOf(const SearchProblem &problem, const Genes &genes, Prices *prices) {
  const History none;
  Sampler sampler(problem, 0, 0, none, prices);
  std::set<Genes> neighbours;
  for (size_t i = 0; i < genes.size(); i++) {
    for (const int32_t value : {genes[i] - 1, genes[i] + 1}) {
      if (value < 0 || value >= static_cast<int32_t>(problem.objective.genes[i].values.size())) continue;
      Genes changed = genes;
      changed[i] = value;
      neighbours.insert(CanonicalOf(problem, changed));
    }
  }
  neighbours.erase(genes);
  Refusals refusals;
  for (const Genes &neighbour : neighbours) {
    O2M_ASSIGN_OR_RETURN(const Cost cost, sampler.Price(neighbour));
    Count(cost, problem.limits, &refusals);
  }
  const auto most = std::max_element(refusals.by_limit.begin(), refusals.by_limit.end());
  const auto names = Needs({}, {});
  return Binding{refusals.drawn, refusals.by_limit,
                 *most == 0 ? "none" : names[static_cast<size_t>(most - refusals.by_limit.begin())].name};
}

}  // namespace onnx2mcu
