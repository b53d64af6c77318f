#include "nas/cut/search.h"

#include <algorithm>
#include <limits>

#include "absl/strings/str_cat.h"
#include "nas/search/objective.h"

namespace onnx2mcu {
namespace {

// What was priced while sizes were tried.
struct Tried {
  std::array<int64_t, 3> least;  // in the order of Needs()
  bool fit = false;
};

void Note(const Cost &cost, const Limits &limits, Tried *tried) {
  const std::array<Need, 3> needs = Needs(cost, limits);
  for (size_t i = 0; i < needs.size(); i++) tried->least[i] = std::min(tried->least[i], needs[i].value);
  tried->fit |= Within(cost, limits);
}

absl::Status Infeasible(const Limits &limits, const Tried &tried) {
  const std::array<Need, 3> needs = Needs({}, limits);
  std::string texts;
  for (size_t i = 0; i < needs.size(); i++)
    if (needs[i].limit != 0)
      absl::StrAppend(&texts, "; ", needs[i].name, ": least found ", tried.least[i], " of ", needs[i].limit,
                      " allowed");
  return absl::ResourceExhaustedError(absl::StrCat("no cut keeps within the limits", texts,
                                                   "; raise them, or search a space of smaller networks (--space)"));
}

absl::StatusOr<std::vector<Proposal>> Propose(const Vit &parent, const Images &images, Pricer &pricer,
                                              const Limits &limits) {
  Tried tried;
  tried.least.fill(std::numeric_limits<int64_t>::max());
  const Fits fits = [&](const VitConfig &config) -> absl::StatusOr<bool> {
    O2M_ASSIGN_OR_RETURN(const Cost cost, PriceVit(pricer, config));
    Note(cost, limits, &tried);
    return Within(cost, limits);
  };
  auto proposals = ProposeCuts(parent, images, fits, std::numeric_limits<size_t>::max());
  if (!proposals.ok() && !tried.fit && tried.least[0] < std::numeric_limits<int64_t>::max())
    return Infeasible(limits, tried);
  return proposals;
}

// Trains the first `count`, each where the spread has it, and gives all to all.
absl::Status TuneFirst(size_t count, const CutOptions &options, std::vector<Cut> &cuts) {
  const auto tune = [&](size_t i) -> absl::StatusOr<double> {
    O2M_ASSIGN_OR_RETURN(cuts[i].vit, options.finetune(cuts[i].vit, i));
    return 0.0;
  };
  O2M_RETURN_IF_ERROR(options.spread(count, tune).status());
  for (size_t i = 0; i < count; i++) ShareWeights(options.peers, options.peers.OwnerOf(i), cuts[i].vit);
  return absl::OkStatus();
}

}  // namespace

HeldOut Compare(const Vit &vit, const Matrix &parent_logits, const CutImages &images) {
  const Matrix logits = Logits(vit, images.held_out);
  HeldOut held_out{Agreement(logits, parent_logits), {}};
  if (!images.labels.empty()) held_out.accuracy = Accuracy(logits, images.labels);
  return held_out;
}

absl::StatusOr<std::vector<Cut>> SearchCuts(const Vit &parent, const CutImages &images, Pricer &pricer,
                                            const CutOptions &options) {
  O2M_ASSIGN_OR_RETURN(std::vector<Proposal> proposals, Propose(parent, images.calibration, pricer, options.limits));
  std::vector<Cut> cuts;
  for (Proposal &proposal : proposals) {
    O2M_ASSIGN_OR_RETURN(const Cost cost, PriceVit(pricer, proposal.vit.config));
    cuts.push_back({std::move(proposal.vit), cost, proposal.agreement, {}});
  }
  const size_t finalists = std::min(options.finalists, cuts.size());
  if (options.finetune) O2M_RETURN_IF_ERROR(TuneFirst(finalists, options, cuts));
  const Matrix logits = Logits(parent, images.held_out);
  for (size_t i = 0; i < finalists; i++) cuts[i].held_out = Compare(cuts[i].vit, logits, images);
  return cuts;
}

}  // namespace onnx2mcu
