#include "nas/verb_search_outer.h"

#include <cstdio>
#include <filesystem>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "nas/search/ranks.h"

namespace onnx2mcu {
namespace {

// What the outer search is of, and where.
struct OuterSearch {
  const SearchCommand &command;
  const Space &space;
  const SearchProblem &problem;
  const Supernet &supernet;
  Prices *prices;
};

// Everything that its checkpoint must agree on.
std::string OuterIdentity(const SearchCommand &c, const SearchRecord &record) {
  const Limits &l = record.limits;
  return absl::StrCat("space ", record.space_sha256.substr(0, 16), ", seed ", c.seed, ", limits ", l.ram_bytes, "/",
                      l.flash_bytes, "/", l.instructions, ", target ",
                      record.board.empty() ? record.target : record.board, ", accuracies of ",
                      c.accuracies.empty() ? "supernets" : "a table", ", rounds of ", c.outer.steps, ", ",
                      c.outer.candidates, " candidates, ", c.outer.iterations, " iterations, ", c.outer.samples,
                      " networks of ", c.predictor.held_out, " images");
}

// The processes that score a space.
struct Team {
  Peers peers;
  Spread spread = OneAfterTheOther;
};

// The candidate's supernet after so many rounds of training.
absl::StatusOr<Predictor> Trained(const OuterSearch &o, const SpaceTraining &t, const Genes &held, const Team &team) {
  const SearchCommand &c = o.command;
  if (!c.accuracies.empty()) return TablePredictor(o.space, c.accuracies);
  PredictorOptions options = c.predictor;
  options.train_steps = c.outer.steps, options.train_seconds = 0, options.train_rounds = t.rounds;
  options.checkpoint = absl::StrFormat("%s/outer_%02d_%02d.npz", c.folder, t.point[0], t.point[1]);
  options.resume = c.resume || t.rounds > 1;
  options.peers = team.peers;
  return o.supernet.train(Restricted(o.space, held), options);
}

absl::StatusOr<SpaceScore> ScoreOf(const OuterSearch &o, const SpaceTraining &t, const Team &team) {
  SearchProblem there = o.problem;
  there.held = HeldAt(o.space.genes, t.point);
  const Accuracies accuracies = [&]() -> absl::StatusOr<AccuracyOfGenes> {
    O2M_ASSIGN_OR_RETURN(const Predictor predictor, Trained(o, t, there.held, team));
    return [&o, predictor](const Genes &genes) { return predictor.accuracy(ConfigOf(o.space, genes)); };
  };
  O2M_ASSIGN_OR_RETURN(const SpaceScore score,
                       ScoreSpace(there, o.command.outer.samples, o.command.seed, accuracies, team.spread, o.prices));
  if (team.peers.rank == 0 && !o.command.quiet)
    std::fprintf(stderr, "space %s, round %d: mean accuracy %.2f %%, %.1f %% legal\n",
                 DescribeHeld(o.space.genes, there.held).c_str(), t.rounds, 100 * score.accuracy,
                 100 * score.legal_share);
  return score;
}

// As many spaces at a time as there are ranks, each trained by one; the rest by all together. Who trains makes no
// difference to the bits.
absl::StatusOr<std::vector<SpaceScore>> ScoresOf(const OuterSearch &o, const std::vector<SpaceTraining> &trainings) {
  const Team all = {ThisRank(), OverRanks};
  const size_t alone = trainings.size() - trainings.size() % static_cast<size_t>(all.peers.ranks);
  std::vector<SpaceScore> scores(trainings.size());
  const auto score = [&](size_t i) -> absl::StatusOr<double> {
    O2M_ASSIGN_OR_RETURN(scores[i], ScoreOf(o, trainings[i], {}));
    return scores[i].accuracy;
  };
  O2M_ASSIGN_OR_RETURN(const std::vector<double> accuracies, OverRanks(alone, score));
  O2M_ASSIGN_OR_RETURN(const std::vector<double> shares,
                       OverRanks(alone, [&](size_t i) -> absl::StatusOr<double> { return scores[i].legal_share; }));
  for (size_t i = 0; i < alone; i++) scores[i] = {accuracies[i], shares[i]};
  for (size_t i = alone; i < trainings.size(); i++) {
    O2M_ASSIGN_OR_RETURN(scores[i], ScoreOf(o, trainings[i], all));
  }
  return scores;
}

absl::StatusOr<SpaceChoice> Evolve(const OuterSearch &o, const SearchRecord &record) {
  const SearchCommand &c = o.command;
  const std::vector<size_t> outer = OuterGenes(o.space.genes);
  OuterOptions options;
  for (size_t i = 0; i < outer.size(); i++)
    options.sizes[i] = static_cast<int32_t>(o.space.genes[outer[i]].values.size());
  options.candidates = c.outer.candidates, options.iterations = c.outer.iterations, options.seed = c.seed;
  const std::string path = absl::StrCat(c.folder, "/outer.json"), identity = OuterIdentity(c, record);
  std::vector<SpaceRecord> known;
  if (c.resume && std::filesystem::exists(path)) {
    O2M_ASSIGN_OR_RETURN(known, ReadSpaceRecords(path, identity));
  }
  const auto train = [&](const std::vector<SpaceTraining> &trainings) { return ScoresOf(o, trainings); };
  const auto remember = [&](const std::vector<SpaceRecord> &records) {
    return ThisRank().rank == 0 ? WriteSpaceRecords(path, identity, records) : absl::OkStatus();
  };
  O2M_ASSIGN_OR_RETURN(OuterResult result, EvolveSpace(options, train, std::move(known), remember));
  return SpaceChoice{"evolution", HeldAt(o.space.genes, result.best), std::move(result.records)};
}

}  // namespace

absl::Status CheckOuter(const SearchCommand &c, const Space &space) {
  const std::string &by = c.outer.by;
  if (by.empty()) return absl::OkStatus();
  if (by != "evolution" && by != "random" && by != "maximal")
    return absl::InvalidArgumentError(
        absl::StrCat("--outer=", by, ": no such choice of a space; there are evolution, random and maximal"));
  const size_t vary = OuterGenes(space.genes).size();
  if (vary < (by == "evolution" ? 2u : 1u))
    return absl::InvalidArgumentError(absl::StrCat("--outer=", by, ": ", c.space, " leaves no such choice; give patch ",
                                                   by == "evolution" ? "and" : "or",
                                                   " rank_ratio several values, not per block"));
  if (by == "evolution" && c.accuracies.empty() && c.outer.steps <= 0)
    return absl::InvalidArgumentError(
        "--outer=evolution: how long a candidate space is trained is missing; give --outer-steps");
  return absl::OkStatus();
}

absl::StatusOr<SpaceChoice> ChooseSpace(const SearchCommand &c, const Space &space, const SearchRecord &record,
                                        const SearchProblem &problem, const Supernet &supernet, Prices *prices) {
  const std::vector<size_t> outer = OuterGenes(space.genes);
  if (c.outer.by == "random") return SpaceChoice{c.outer.by, HoldRandom(problem.objective, outer, c.seed), {}};
  if (c.outer.by == "evolution") return Evolve({c, space, problem, supernet, prices}, record);
  if (c.outer.by.empty()) return SpaceChoice();
  O2M_ASSIGN_OR_RETURN(const Genes held, HoldMaximal(problem.objective, outer));
  return SpaceChoice{c.outer.by, held, {}};
}

}  // namespace onnx2mcu
