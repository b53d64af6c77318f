// `onnx2mcu search`: price, train, search, write.
#include "nas/verb_search.h"

#include <CLI/CLI.hpp>
#include <cstdio>
#include <filesystem>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "importer/data/files.h"
#include "importer/sha256.h"
#include "nas/atomic_file.h"
#include "nas/event_file.h"
#include "nas/search/pareto.h"
#include "nas/search/progress.h"
#include "nas/search/ranks.h"
#include "nas/search/record.h"
#include "nas/search/search.h"
#include "nas/search_command.h"
#include "nas/verb_search_model.h"
#include "nas/verb_search_outer.h"
#include "nas/verbs.h"
#include "nas/vit_onnx.h"

namespace onnx2mcu {
namespace {

constexpr int64_t kSamples = 1000;  // uniform draws that tell which share of a space is legal

void AddModelOptions(CLI::App &app, SearchCommand &c) {
  const char *group = "With MODEL.onnx";
  app.add_option("--mean", c.mean, "pixel mean in units of pixel/255, instead of the model's metadata")->group(group);
  app.add_option("--std", c.std, "pixel standard deviation, likewise")->group(group);
  app.add_option("--calibration", c.calibration, "images that cuts are fitted to and ordered by, half each")
      ->check(CLI::PositiveNumber)
      ->capture_default_str()
      ->group(group);
}

void AddFinalistOptions(CLI::App &app, SearchCommand &c) {
  app.add_option("--finalists", c.finalists,
                 "networks that are compared on the images held out after all of them were trained")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_option("--finetune-steps", c.finetuning.steps,
                 "of training each finalist, from labels, and with a model from its answers");
  app.add_option("--finetune-seconds", c.finetuning.seconds, "instead of steps");
}

void AddOuterOptions(CLI::App &app, SearchCommand &c) {
  const char *group = "The space";
  app.add_option("--outer", c.outer.by,
                 "choose patch and rank_ratio before the search: evolution (of spaces, MCUFormer), random or maximal; "
                 "left out, they are searched with all else")
      ->group(group);
  app.add_option("--outer-steps", c.outer.steps, "of training in a round of a candidate space, for evolution")
      ->group(group);
  app.add_option("--outer-candidates", c.outer.candidates, "spaces that evolve")
      ->check(CLI::PositiveNumber)
      ->capture_default_str()
      ->group(group);
  app.add_option("--outer-iterations", c.outer.iterations, "rounds that each of them is trained and moved")
      ->check(CLI::PositiveNumber)
      ->capture_default_str()
      ->group(group);
  app.add_option("--outer-samples", c.outer.samples, "legal networks whose mean accuracy scores a space")
      ->check(CLI::PositiveNumber)
      ->capture_default_str()
      ->group(group);
}

void AddOptions(CLI::App &app, SearchCommand &c) {
  app.add_option("model", c.model, "an exported ViT to cut to the limits, instead of --space")->type_name("MODEL.onnx");
  app.add_option("--space", c.space, "the search space: a YAML file, see docs/nas.md")->type_name("FILE");
  app.add_option("--inputs", c.predictor.inputs, "images to train the supernet on, or to fit cuts of a model to")
      ->type_name("FILE");
  app.add_option("--labels", c.predictor.labels, "their classes")->type_name("FILE");
  app.add_option("--accuracies", c.accuracies,
                 "accuracies of all networks, instead of training; weights are random then")
      ->type_name("FILE.csv");
  app.add_option("--board", c.price.board, "board: sets target, RAM and flash; see `onnx2mcu targets`");
  app.add_option("--target", c.price.target, "core, where no board is given")->capture_default_str();
  app.add_option("--ram", c.ram, "limit of arena + stack, such as 8K, instead of the board's");
  app.add_option("--flash", c.flash, "limit of weights + constants + code, such as 96K, instead of the board's");
  app.add_option("--instructions", c.instructions, "limit of estimated instructions per inference");
  app.add_option("--strategy", c.strategy, "evolution, random, nsga2 or maximal")->capture_default_str();
  app.add_option("--generations", c.strategy_options.generations)->check(CLI::PositiveNumber)->capture_default_str();
  app.add_option("--population", c.strategy_options.population, "networks evaluated in a generation")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_option("--seed", c.seed, "of training and search")->capture_default_str();
  app.add_option("--train-steps", c.predictor.train_steps, "of the supernet");
  app.add_option("--train-seconds", c.predictor.train_seconds, "of the supernet, instead of steps");
  app.add_option("--held-out", c.predictor.held_out,
                 "images not trained on, that accuracies are of; with a model at most a quarter")
      ->capture_default_str();
  AddFinalistOptions(app, c);
  AddOuterOptions(app, c);
  AddModelOptions(app, c);
  app.add_flag("--resume", c.resume, "go on from the folder's checkpoint");
  app.add_option("-o", c.folder, "folder of the results")->type_name("DIR")->capture_default_str();
  app.add_flag("--tensorboard", c.tensorboard, "write the progress of the search as events into the folder too");
  app.add_flag("--json", c.json, "print search.json instead of the winner");
  app.add_flag("-q,--quiet", c.quiet, "print the winner only");
  app.add_flag("-v,--verbose", c.verbose, "print a line for each generation");
  app.add_option("--plugin", c.plugins, "load an operator plugin (repeatable)")
      ->type_name("FILE.so")
      ->expected(-1)
      ->allow_extra_args(false);
}

absl::StatusOr<SearchCommand> ParseSearch(const Words &words) {
  SearchCommand c;
  CLI::App app(
      "Searches a space of vision transformers, or cuts of a trained one, for the most accurate within limits; writes "
      "ONNX files.",
      "onnx2mcu search");
  app.footer(
      "example: onnx2mcu search --space=nas/spaces/fmnist.yaml --inputs=train-images.gz --labels=train-labels.gz "
      "--ram=8K --flash=96K --train-steps=20000 -o found\n"
      "example: onnx2mcu search vit.onnx --inputs=images.npy --ram=8K --flash=96K -o found");
  AddOptions(app, c);
  O2M_ASSIGN_OR_RETURN(c.help, ParseWords(app, words));
  if (!c.help.empty()) return c;
  if (c.model.empty() == c.space.empty())
    return absl::InvalidArgumentError(absl::StrCat("search: what is searched ",
                                                   c.model.empty() ? "is missing" : "is two",
                                                   "; give --space=FILE or MODEL.onnx; see onnx2mcu search --help"));
  O2M_RETURN_IF_ERROR(ReadBudgets(c.ram, c.flash, c.price));
  // the paper's halves and fifth, of any population
  c.strategy_options.crossovers = c.strategy_options.population / 2;
  c.strategy_options.mutations = c.strategy_options.population - c.strategy_options.crossovers;
  c.strategy_options.parents = std::max<size_t>(c.strategy_options.population / 5, 2);
  c.predictor.seed = c.seed;
  c.predictor.resume = c.resume;
  c.finetuning.seed = c.seed;
  c.finetuning.resume = c.resume;
  c.predictor.checkpoint = absl::StrCat(c.folder, "/supernet.npz");
  return c;
}

std::string CheckpointOf(const SearchCommand &c) { return absl::StrCat(c.folder, "/checkpoint.json"); }

// Without accuracies: those come after training.
SearchProblem ProblemOf(const Space &space, Pricer &pricer, int64_t instructions) {
  SearchProblem problem;
  problem.objective.genes = space.genes;
  problem.objective.live = [&space](const Genes &genes) { return LiveGenes(space, genes); };
  problem.objective.cost = [&](const Genes &genes) { return PriceVit(pricer, ConfigOf(space, genes)); };
  problem.limits = LimitsOf(pricer, instructions);
  return problem;
}

void PrintRefusals(const SearchRecord &record) {
  const auto names = Needs({}, record.limits);
  std::string parts;
  for (size_t i = 0; i < names.size(); i++)
    if (names[i].limit != 0)
      absl::StrAppendFormat(&parts, "; %s of %d refuses %.1f %%", names[i].name, names[i].limit,
                            100.0 * static_cast<double>(record.sampled.by_limit[i]) / kSamples);
  std::fprintf(stderr, "%.1f %% of the space is within the limits%s\n",
               100.0 * static_cast<double>(kSamples - record.sampled.refused) / kSamples, parts.c_str());
}

// Everything that a checkpoint must agree on.
std::string Identity(const SearchCommand &c, const SearchRecord &record) {
  const StrategyOptions &o = c.strategy_options;
  return absl::StrCat("space ", record.space_sha256.substr(0, 16), ", ", c.strategy, " of ", o.population, ", seed ",
                      c.seed, ", limits ", record.limits.ram_bytes, "/", record.limits.flash_bytes, "/",
                      record.limits.instructions, ", target ", record.board.empty() ? record.target : record.board,
                      ", accuracies of ", record.source,
                      record.outer.by.empty() ? "" : absl::StrCat(", space by ", record.outer.by));
}

void PrintGeneration(const History &history) {
  if (history.evaluations.empty()) return;
  std::fprintf(stderr, "generation %d: %zu networks, best %.2f %%, %lld of %lld draws refused\n", history.generations,
               history.evaluations.size(), 100 * history.evaluations[BestOf(history.evaluations)].accuracy,
               static_cast<long long>(history.refusals.refused), static_cast<long long>(history.refusals.drawn));
}

// After each generation, for TensorBoard.
absl::Status AppendProgress(const std::string &folder, const History &history) {
  if (history.evaluations.empty()) return absl::OkStatus();
  const Refusals &drawn = history.refusals;
  const double legal = 1 - static_cast<double>(drawn.refused) / static_cast<double>(std::max<int64_t>(drawn.drawn, 1));
  return AppendScalars(absl::StrCat(folder, "/events.out.tfevents.search"), history.generations,
                       {{"search/best_accuracy", history.evaluations[BestOf(history.evaluations)].accuracy},
                        {"search/legal_share", legal},
                        {"search/networks", static_cast<double>(history.evaluations.size())}});
}

absl::StatusOr<History> RunSearch(const SearchCommand &c, const SearchRecord &record, SearchProblem problem) {
  const StrategyOptions &o = c.strategy_options;
  O2M_ASSIGN_OR_RETURN(const Strategy strategy, StrategyNamed(c.strategy, o));
  SearchProgress progress(o.generations * static_cast<int64_t>(o.population), o.generations,
                          c.quiet || ThisRank().rank != 0);
  const auto accuracy = problem.objective.accuracy;
  problem.objective.accuracy = [&](const Genes &genes) {
    const auto result = accuracy(genes);
    progress.Evaluated();
    return result;
  };
  SearchOptions options;
  absl::Status events;
  options.seed = c.seed;
  options.checkpoint = CheckpointOf(c);
  options.writes = ThisRank().rank == 0;
  options.identity = Identity(c, record);
  options.resume = c.resume;
  options.spread = OverRanks;
  options.observe = [&](const History &history) {
    progress.Generation(history);
    if (c.verbose && options.writes) PrintGeneration(history);
    if (c.tensorboard && options.writes) events.Update(AppendProgress(c.folder, history));
  };
  O2M_ASSIGN_OR_RETURN(History found, Search(problem, strategy, options));
  O2M_RETURN_IF_ERROR(events);
  return found;
}

// What a file says of where it comes from.
Metadata MetadataOf(const SearchCommand &c, const SearchRecord &record, const Evaluation &evaluation,
                    const Tuned *tuned) {
  nlohmann::ordered_json search = {{"space", record.space},        {"space_sha256", record.space_sha256},
                                   {"strategy", record.strategy},  {"seed", record.seed},
                                   {"accuracy_of", record.source}, {"evaluation", JsonOf(evaluation)}};
  if (tuned != nullptr) search["accuracy_finetuned"] = tuned->accuracy;
  Metadata metadata = c.price.metadata;
  metadata["onnx2mcu.search"] = search.dump();
  return metadata;
}

absl::Status WriteNetwork(const SearchCommand &c, const SearchRecord &record, const Space &space,
                          const Predictor &predictor, size_t index, const std::string &path) {
  const Evaluation &evaluation = record.history.evaluations[index];
  for (const Finalist &finalist : record.finalists)
    if (finalist.evaluation == index)
      return WriteVit(finalist.tuned.vit, MetadataOf(c, record, evaluation, &finalist.tuned), path);
  O2M_ASSIGN_OR_RETURN(const Vit vit, predictor.subnet(ConfigOf(space, evaluation.genes)));
  return WriteVit(vit, MetadataOf(c, record, evaluation, nullptr), path);
}

// The best of all evaluated; with --finetune-steps the best of the finalists, each trained by itself.
absl::Status ChooseBest(const SearchCommand &c, const Space &space, const Predictor &predictor, SearchRecord &record) {
  record.best = BestOf(record.history.evaluations);
  if (!c.finetuning.wanted()) return absl::OkStatus();
  const auto tune = [&](const Genes &genes, size_t evaluation) {
    FineTuning finetuning = c.finetuning;
    finetuning.checkpoint = absl::StrFormat("%s/finetune_%03d.npz", c.folder, evaluation);
    if (!c.quiet) std::fprintf(stderr, "training network %zu of the search by itself\n", evaluation);
    return predictor.tune(ConfigOf(space, genes), finetuning);
  };
  const Peers peers = ThisRank();
  O2M_ASSIGN_OR_RETURN(record.finalists,
                       TuneMostAccurate(record.history.evaluations, static_cast<size_t>(c.finalists), tune, OverRanks));
  for (size_t i = 0; i < record.finalists.size(); i++) {
    Finalist &finalist = record.finalists[i];
    if (!peers.Owns(i)) {
      const Genes &genes = record.history.evaluations[finalist.evaluation].genes;
      O2M_ASSIGN_OR_RETURN(finalist.tuned.vit, predictor.subnet(ConfigOf(space, genes)));  // for its shapes
    }
    ShareWeights(peers, peers.OwnerOf(i), finalist.tuned.vit);
  }
  record.best = record.finalists[BestOf(record.finalists)].evaluation;
  return absl::OkStatus();
}

absl::Status WriteResults(const SearchCommand &c, const SearchRecord &record, const Space &space,
                          const Objective &objective, const Predictor &predictor) {
  std::error_code error;
  const std::string frontier = absl::StrCat(c.folder, "/frontier");
  std::filesystem::remove_all(frontier, error);
  std::filesystem::create_directories(frontier, error);
  if (error) return absl::InvalidArgumentError(absl::StrCat(frontier, ": cannot be made: ", error.message()));
  for (size_t i = 0; i < record.frontier.size(); i++)
    O2M_RETURN_IF_ERROR(
        WriteNetwork(c, record, space, predictor, record.frontier[i], absl::StrFormat("%s/%03d.onnx", frontier, i)));
  O2M_RETURN_IF_ERROR(WriteNetwork(c, record, space, predictor, record.best, absl::StrCat(c.folder, "/best.onnx")));
  O2M_RETURN_IF_ERROR(WriteFileAtomically(absl::StrCat(c.folder, "/report.html"), HtmlOf(record, objective)));
  return WriteFileAtomically(absl::StrCat(c.folder, "/search.json"), JsonOf(record, objective).dump(1) + "\n");
}

void PrintWinner(const SearchCommand &c, const SearchRecord &record, const Objective &objective) {
  const Evaluation &best = record.history.evaluations[record.best];
  if (!record.finalists.empty())
    std::printf("best of %zu finalists: %.2f %% after training\n", record.finalists.size(),
                100 * record.finalists[BestOf(record.finalists)].tuned.accuracy);
  std::printf("%s/best.onnx: accuracy %.2f %%, RAM %lld B, flash %lld B, %lld instructions (estimate); %s\n",
              c.folder.c_str(), 100 * best.accuracy, static_cast<long long>(best.cost.ram_bytes()),
              static_cast<long long>(best.cost.flash_bytes()), static_cast<long long>(best.cost.instructions),
              Describe(objective, best.genes).c_str());
  if (!c.quiet)
    std::printf("%zu networks evaluated, %zu on the frontier; what holds the winner back: %s\n",
                record.history.evaluations.size(), record.frontier.size(), record.binding.limit.c_str());
}

absl::StatusOr<SearchRecord> StartRecord(const SearchCommand &c, const Space &space, const SearchProblem &problem,
                                         Prices *prices) {
  SearchRecord record;
  O2M_ASSIGN_OR_RETURN(const std::string text, ReadFileBytes(c.space));
  record.space = space.name;
  record.space_sha256 = Sha256Hex(text);
  record.board = c.price.board;
  record.target = c.price.target;
  record.strategy = c.strategy;
  record.seed = c.seed;
  record.limits = problem.limits;
  O2M_ASSIGN_OR_RETURN(record.sampled, RefusedShare(problem, kSamples, c.seed, prices));
  // nothing is trained where nothing can be found
  if (record.sampled.refused == kSamples) O2M_RETURN_IF_ERROR(ReachLegal(problem, prices).status());
  return record;
}

// What --outer chooses; the record is of that space then.
absl::Status HoldChoice(const SearchCommand &c, const Space &space, const Supernet &supernet, SearchProblem &problem,
                        SearchRecord &record, Prices *prices) {
  if (c.outer.by.empty()) return absl::OkStatus();
  O2M_ASSIGN_OR_RETURN(record.outer, ChooseSpace(c, space, record, problem, supernet, prices));
  problem.held = record.outer.held;
  O2M_ASSIGN_OR_RETURN(record.sampled, RefusedShare(problem, kSamples, c.seed, prices));
  if (ThisRank().rank != 0 || c.quiet) return absl::OkStatus();
  std::fprintf(stderr, "the space chosen: %s\n", DescribeHeld(space.genes, problem.held).c_str());
  PrintRefusals(record);
  return absl::OkStatus();
}

absl::Status SearchSpace(SearchCommand c, const Registry &registry, const Supernet &supernet) {
  O2M_ASSIGN_OR_RETURN(const Space space, ReadSpace(c.space));
  O2M_RETURN_IF_ERROR(StrategyNamed(c.strategy, {}).status());
  O2M_RETURN_IF_ERROR(CheckOuter(c, space));
  if (c.finetuning.wanted() && !c.accuracies.empty())
    return absl::InvalidArgumentError(
        "search: --accuracies trains nothing, so --finetune-steps has nothing to go on from; give --inputs and "
        "--labels");
  const bool first = ThisRank().rank == 0;
  c.predictor.peers = ThisRank();
  if (c.accuracies.empty()) {
    O2M_ASSIGN_OR_RETURN(c.price.metadata, supernet.metadata(space, c.predictor));
  }
  O2M_ASSIGN_OR_RETURN(const std::unique_ptr<Pricer> pricer, MakePricer(registry, c.price));
  SearchProblem problem = ProblemOf(space, *pricer, c.instructions);
  Prices prices;
  O2M_ASSIGN_OR_RETURN(SearchRecord record, StartRecord(c, space, problem, &prices));
  if (first && !c.quiet) PrintRefusals(record);
  std::error_code error;
  std::filesystem::create_directories(c.folder, error);
  if (error) return absl::InvalidArgumentError(absl::StrCat(c.folder, ": cannot be made: ", error.message()));
  if (!c.resume) O2M_RETURN_IF_ERROR(StartOrResume(CheckpointOf(c), "", false).status());  // before hours of training
  O2M_RETURN_IF_ERROR(HoldChoice(c, space, supernet, problem, record, &prices));
  O2M_ASSIGN_OR_RETURN(const Predictor predictor, c.accuracies.empty()
                                                      ? supernet.train(Restricted(space, problem.held), c.predictor)
                                                      : TablePredictor(space, c.accuracies));
  problem.objective.accuracy = [&](const Genes &genes) { return predictor.accuracy(ConfigOf(space, genes)); };
  record.source = predictor.source;
  O2M_ASSIGN_OR_RETURN(record.history, RunSearch(c, record, problem));
  O2M_RETURN_IF_ERROR(ChooseBest(c, space, predictor, record));
  if (!first) return absl::OkStatus();
  record.frontier = FrontierOf(record.history.evaluations);
  record.winner = ConfigOf(space, record.history.evaluations[record.best].genes);
  O2M_ASSIGN_OR_RETURN(record.binding, BindingOf(problem, record.history.evaluations[record.best].genes, &prices));
  O2M_RETURN_IF_ERROR(WriteResults(c, record, space, problem.objective, predictor));
  if (c.json) std::printf("%s\n", JsonOf(record, problem.objective).dump(1).c_str());
  if (!c.json) PrintWinner(c, record, problem.objective);
  return absl::OkStatus();
}

}  // namespace

absl::Status SearchVerb(const Words &words, const Supernet &supernet) {
  O2M_ASSIGN_OR_RETURN(const SearchCommand command, ParseSearch(words));
  if (!command.help.empty()) return std::fputs(command.help.c_str(), stdout), absl::OkStatus();
  O2M_ASSIGN_OR_RETURN(const Registry registry, LoadPlugins(command.plugins));
  O2M_RETURN_IF_ERROR(StartRanks());
  O2M_RETURN_IF_ERROR(command.model.empty() ? SearchSpace(command, registry, supernet)
                                            : SearchModel(command, registry, supernet));
  EndRanks();
  return absl::OkStatus();
}

}  // namespace onnx2mcu
