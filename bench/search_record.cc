// build/bin/search_record SPACE IMAGES LABELS TEST-IMAGES TEST-LABELS FOLDER SEED [options]: one seed of the recorded
// search (docs/search_fmnist.md). Trains a supernet, which all limits share; under each limit searches by evolution and
// at random, with equally many evaluations, and for the largest network; fine-tunes the finalists of each and five
// random legal networks equally long; of the finalists the best on held-out images wins, as in `onnx2mcu search`.
// Writes each winner and random network as ONNX and a row to FOLDER/rows_SEED.csv, from which a second run goes on;
// what holds evolution's winners back to FOLDER/binds_SEED.csv.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "importer/ir/text.h"
#include "nas/cost.h"
#include "nas/search/finalists.h"
#include "nas/search/reach.h"
#include "nas/search/search.h"
#include "nas/search/strategy.h"
#include "nas/train/trainer.h"
#include "nas/verbs.h"
#include "nas/vit_onnx.h"

namespace onnx2mcu {
namespace {

struct Options {
  std::string space, images, labels, test_images, test_labels, folder;
  std::vector<std::string> limits = {"8K/96K", "4K/96K", "3K/48K"};
  uint64_t seed = 1;
  int64_t steps = 6000, tuning = 600, held_out = 5000, randoms = 5, finalists = 3;
  int32_t generations = 6;
  size_t population = 20;
};

struct Data {
  ImageSet train, held_out, test;
};
absl::StatusOr<Data> ReadData(const Options &o, const VitConfig &config) {
  O2M_ASSIGN_OR_RETURN(ImageSet all, ReadImageSet(o.images, o.labels, config));
  O2M_ASSIGN_OR_RETURN(ImageSet test, ReadImageSet(o.test_images, o.test_labels, config));
  NormalizeByItself(all);
  test.mean = all.mean, test.std = all.std;
  auto [train, held_out] = HoldOut(all, o.held_out, o.seed);
  return Data{std::move(train), std::move(held_out), std::move(test)};
}

// All that the limits share.
struct Run {
  const Options &options;
  const Space space;
  const Data data;
  TrainOptions training;
  Trainer trainer;
  const Registry registry;
  std::map<int32_t, Learnt> learnt;   // of the pricer: limits do not change it
  std::map<Genes, double> inherited;  // held-out accuracy of inherited weights
  std::map<Genes, Tuned> tuned;       // limits and strategies come to the same networks now and then
  std::set<std::string> done;         // rows that an earlier run wrote
};

std::string Joined(const std::vector<float> &values) { return absl::StrJoin(values, ","); }
Metadata MetadataOf(const Run &run) {
  return {{"onnx2mcu.mean", Joined(run.data.train.mean)}, {"onnx2mcu.std", Joined(run.data.train.std)}};
}

std::string RowsFile(const Options &o) { return absl::StrCat(o.folder, "/rows_", o.seed, ".csv"); }
constexpr char kHeader[] =
    "seed,limit,kind,inherited,tuned,test,ram_bytes,flash_bytes,instructions,legal_share,by_ram,by_flash,file,network";

// Seed, limit and kind of the rows there are.
std::set<std::string> RowsDone(const Options &o) {
  std::set<std::string> done;
  std::ifstream file(RowsFile(o));
  for (std::string line; std::getline(file, line);) {
    const std::vector<std::string> cells = absl::StrSplit(line, ',');
    if (cells.size() > 2) done.insert(absl::StrCat(cells[1], ",", cells[2]));
  }
  return done;
}

SearchProblem ProblemOf(Run &run, Pricer &pricer) {
  SearchProblem problem;
  problem.objective.genes = run.space.genes;
  problem.objective.live = [&run](const Genes &genes) { return LiveGenes(run.space, genes); };
  problem.objective.cost = [&](const Genes &genes) { return PriceVit(pricer, ConfigOf(run.space, genes)); };
  problem.objective.accuracy = [&](const Genes &genes) -> absl::StatusOr<double> {
    const auto known = run.inherited.find(genes);
    if (known != run.inherited.end()) return known->second;
    O2M_ASSIGN_OR_RETURN(const double accuracy, run.trainer.Accuracy(ConfigOf(run.space, genes), run.data.held_out));
    return run.inherited[genes] = accuracy;
  };
  problem.limits = LimitsOf(pricer);
  return problem;
}

absl::StatusOr<History> SearchBy(const Run &run, const SearchProblem &problem, const std::string &limit,
                                 const std::string &strategy_name) {
  StrategyOptions o;
  o.generations = run.options.generations, o.population = run.options.population;
  o.parents = std::max<size_t>(o.population / 5, 2);
  o.crossovers = o.population / 2, o.mutations = o.population - o.crossovers;
  O2M_ASSIGN_OR_RETURN(const Strategy strategy, StrategyNamed(strategy_name, o));
  SearchOptions search;
  search.seed = run.options.seed;
  search.identity = absl::StrCat(run.space.name, " ", limit, " ", strategy_name, " ", run.options.seed);
  search.checkpoint = absl::StrCat(run.options.folder, "/", absl::StrReplaceAll(limit, {{"/", "_"}}), "_",
                                   strategy_name, "_", run.options.seed, ".json");
  search.resume = std::filesystem::exists(search.checkpoint);
  return Search(problem, strategy, search);
}

// What a row is about: the best of some networks after training.
struct Contest {
  std::string kind;
  std::vector<Evaluation> finalists;  // most accurate with inherited weights first
};

absl::StatusOr<const Tuned *> TunedOf(Run &run, const Genes &genes) {
  const auto known = run.tuned.find(genes);
  if (known != run.tuned.end()) return &known->second;
  Tuned tuned;
  O2M_ASSIGN_OR_RETURN(tuned.vit, FineTune(run.trainer.Subnet(ConfigOf(run.space, genes)), run.data.train, nullptr,
                                           run.training, {0, run.options.tuning}));
  O2M_ASSIGN_OR_RETURN(const Matrix held, Logits(tuned.vit, run.data.held_out));
  tuned.accuracy = Top1(held, run.data.held_out.labels);
  return &run.tuned.emplace(genes, std::move(tuned)).first->second;
}

absl::Status WriteRow(Run &run, const SearchProblem &problem, const std::string &limit, const Contest &contest,
                      const Refusals &drawn) {
  const Options &o = run.options;
  const Evaluation *winner = nullptr;
  const Tuned *best = nullptr;
  for (const Evaluation &finalist : contest.finalists) {
    O2M_ASSIGN_OR_RETURN(const Tuned *tuned, TunedOf(run, finalist.genes));
    if (!best || tuned->accuracy > best->accuracy) best = tuned, winner = &finalist;
  }
  O2M_ASSIGN_OR_RETURN(const Matrix test, Logits(best->vit, run.data.test));
  const std::string file =
      absl::StrCat(absl::StrReplaceAll(limit, {{"/", "_"}}), "_", contest.kind, "_", o.seed, ".onnx");
  O2M_RETURN_IF_ERROR(WriteVit(best->vit, MetadataOf(run), absl::StrCat(o.folder, "/", file)));
  const auto percent = [](int64_t part, int64_t of) {
    return 100.0 * static_cast<double>(part) / static_cast<double>(of);
  };
  const Cost &cost = winner->cost;
  std::ofstream rows(RowsFile(o), std::ios::app);
  rows << absl::StrFormat("%d,%s,%s,%.2f,%.2f,%.2f,%d,%d,%d,%.1f,%.1f,%.1f,%s,\"%s\"\n", o.seed, limit, contest.kind,
                          100 * winner->accuracy, 100 * best->accuracy, 100 * Top1(test, run.data.test.labels),
                          cost.ram_bytes(), cost.flash_bytes(), cost.instructions,
                          percent(drawn.drawn - drawn.refused, drawn.drawn), percent(drawn.by_limit[0], drawn.drawn),
                          percent(drawn.by_limit[1], drawn.drawn), file, Describe(problem.objective, winner->genes));
  return rows.good() ? absl::OkStatus() : absl::InvalidArgumentError(absl::StrCat("cannot write ", RowsFile(o)));
}

// The finalists of three strategies, and random legal networks: the first of the random search.
absl::StatusOr<std::vector<Contest>> ContestsOf(Run &run, const SearchProblem &problem, const std::string &limit) {
  std::vector<Contest> contests;
  for (const std::string strategy : {"evolution", "random", "maximal"}) {
    O2M_ASSIGN_OR_RETURN(const History history, SearchBy(run, problem, limit, strategy));
    Contest &contest = contests.emplace_back(Contest{strategy, {}});
    for (const size_t index : MostAccurate(history.evaluations, static_cast<size_t>(run.options.finalists)))
      contest.finalists.push_back(history.evaluations[index]);
    if (strategy != "random") continue;
    for (int64_t i = 0; i < run.options.randoms && i < std::ssize(history.evaluations); i++)
      contests.push_back({absl::StrCat("legal", i + 1), {history.evaluations[i]}});
  }
  return contests;
}

// How many networks one gene from evolution's winner each limit refuses: the winner is the finalist that the row names.
absl::Status WriteBinding(const Run &run, const SearchProblem &problem, const std::string &limit,
                          const Contest &contest, Prices *prices) {
  const Options &o = run.options;
  std::set<std::string> networks;
  std::ifstream rows(RowsFile(o));
  for (std::string line; std::getline(rows, line);)
    if (absl::StrContains(line, absl::StrCat(",", limit, ",", contest.kind, ",")))
      networks.insert(line.substr(line.find('"')));
  std::ofstream file(absl::StrCat(o.folder, "/binds_", o.seed, ".csv"), std::ios::app);
  for (const Evaluation &finalist : contest.finalists) {
    if (!networks.count(absl::StrCat("\"", Describe(problem.objective, finalist.genes), "\""))) continue;
    O2M_ASSIGN_OR_RETURN(const Binding binding, BindingOf(problem, finalist.genes, prices));
    file << absl::StrFormat("%d,%s,%d,%d,%d\n", o.seed, limit, binding.neighbours, binding.refused[0],
                            binding.refused[1]);
  }
  return file.good() ? absl::OkStatus() : absl::InvalidArgumentError(absl::StrCat("cannot write to ", o.folder));
}

absl::Status UnderLimit(Run &run, const std::string &limit) {
  const std::vector<std::string> parts = absl::StrSplit(limit, '/');
  PriceOptions price;
  price.metadata = MetadataOf(run);
  if (parts.size() != 2)
    return absl::InvalidArgumentError(absl::StrCat("--limit=", limit, ": RAM/FLASH, such as 8K/96K"));
  O2M_RETURN_IF_ERROR(ReadBudgets(parts[0], parts[1], price));
  O2M_ASSIGN_OR_RETURN(const std::unique_ptr<Pricer> pricer, MakePricer(run.registry, price));
  std::swap(pricer->learnt, run.learnt);
  const SearchProblem problem = ProblemOf(run, *pricer);
  Prices prices;
  O2M_ASSIGN_OR_RETURN(const Refusals drawn, RefusedShare(problem, 1000, run.options.seed, &prices));
  O2M_ASSIGN_OR_RETURN(const std::vector<Contest> contests, ContestsOf(run, problem, limit));
  for (const Contest &contest : contests)
    if (!run.done.count(absl::StrCat(limit, ",", contest.kind)))
      O2M_RETURN_IF_ERROR(WriteRow(run, problem, limit, contest, drawn));
  O2M_RETURN_IF_ERROR(WriteBinding(run, problem, limit, contests.front(), &prices));
  std::swap(pricer->learnt, run.learnt);
  return absl::OkStatus();
}

absl::Status RunSeed(const Options &o) {
  std::filesystem::create_directories(o.folder);
  O2M_ASSIGN_OR_RETURN(const Space space, ReadSpace(o.space));
  O2M_ASSIGN_OR_RETURN(Data data, ReadData(o, space.base));
  TrainOptions training;
  training.seed = o.seed;
  O2M_ASSIGN_OR_RETURN(Trainer trainer, Trainer::Create(space, data.train, training));
  O2M_RETURN_IF_ERROR(trainer.Train({0, o.steps}, {absl::StrCat(o.folder, "/supernet_", o.seed, ".npz"), true}));
  O2M_ASSIGN_OR_RETURN(Registry registry, LoadPlugins({}));
  Run run{o, space, std::move(data), training, std::move(trainer), std::move(registry), {}, {}, {}, RowsDone(o)};
  if (run.done.empty()) std::ofstream(RowsFile(o)) << kHeader << "\n";
  std::ofstream(absl::StrCat(o.folder, "/binds_", o.seed, ".csv")) << "seed,limit,neighbours,by_ram,by_flash\n";
  for (const std::string &limit : o.limits) O2M_RETURN_IF_ERROR(UnderLimit(run, limit));
  return absl::OkStatus();
}

void AddOptions(CLI::App &app, Options &o) {
  app.add_option("space", o.space)->required();
  app.add_option("images", o.images)->required();
  app.add_option("labels", o.labels)->required();
  app.add_option("test_images", o.test_images)->required();
  app.add_option("test_labels", o.test_labels)->required();
  app.add_option("folder", o.folder)->required();
  app.add_option("seed", o.seed)->required();
  app.add_option("--limit", o.limits, "RAM/FLASH (repeatable)")->expected(-1)->allow_extra_args(false);
  app.add_option("--steps", o.steps, "of the supernet");
  app.add_option("--tuning", o.tuning, "steps, of each finalist");
  app.add_option("--held-out", o.held_out, "images that the search looks at");
  app.add_option("--finalists", o.finalists, "of evolution and of random search, tuned before the best of them wins");
  app.add_option("--generations", o.generations);
  app.add_option("--population", o.population);
}

}  // namespace
}  // namespace onnx2mcu

int main(int count, char **arguments) {
  CLI::App app("One seed of the recorded search.");
  onnx2mcu::Options options;
  onnx2mcu::AddOptions(app, options);
  CLI11_PARSE(app, count, arguments);
  const absl::Status status = onnx2mcu::RunSeed(options);
  if (!status.ok()) std::fprintf(stderr, "search_record: %s\n", std::string(status.message()).c_str());
  return status.ok() ? 0 : 1;
}
