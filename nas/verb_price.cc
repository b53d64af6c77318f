// `onnx2mcu price`: what the networks of a search space cost on a board, as CSV.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <ctime>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "nas/cost.h"
#include "nas/space.h"
#include "nas/verbs.h"

namespace onnx2mcu {
namespace {

constexpr double kMostOfAll = 1e7;  // networks that --samples=all may print

struct PriceCommand {
  std::string space, samples = "100", ram, flash, mean, std;
  std::vector<std::string> plugins;
  uint64_t seed = 1;
  bool json = false, quiet = false, verbose = false, only_fitting = false;
  PriceOptions options;
  std::string help;  // not empty: print it, and that is all
};

void AddOptions(CLI::App &app, PriceCommand &c) {
  app.add_option("--space", c.space, "the search space: a YAML file, see docs/nas.md")->required()->type_name("FILE");
  app.add_option("--board", c.options.board, "board: sets target, RAM and flash; see `onnx2mcu targets`");
  app.add_option("--target", c.options.target, "core, where no board is given")->capture_default_str();
  app.add_option("--ram", c.ram, "budget of arena + stack, such as 8K, instead of the board's");
  app.add_option("--flash", c.flash, "budget of weights + constants + code, such as 96K, instead of the board's");
  app.add_option("--samples", c.samples, "networks to price: drawn by --seed, or all")
      ->type_name("N|all")
      ->capture_default_str();
  app.add_option("--seed", c.seed, "of the samples")->capture_default_str();
  app.add_option("--residual", c.options.residual, "width of the residual stream")
      ->check(CLI::IsMember({"auto", "s8", "s16"}))
      ->capture_default_str();
  app.add_option("--optimize", c.options.optimize, "what to favour")
      ->check(CLI::IsMember({"balanced", "speed", "ram", "flash"}))
      ->capture_default_str();
  app.add_option("--mean", c.mean, "pixel mean in units of pixel/255: the input is pixels then, as of a camera");
  app.add_option("--std", c.std, "pixel standard deviation, likewise");
  app.add_flag("--fitting", c.only_fitting, "print only what fits the budgets");
  app.add_flag("--json", c.json, "print a JSON object per network and line");
  app.add_flag("-q,--quiet", c.quiet, "print no summary");
  app.add_flag("-v,--verbose", c.verbose, "accepted as by other verbs; there is nothing more to tell");
  app.add_option("--plugin", c.plugins, "load an operator plugin (repeatable)")
      ->type_name("FILE.so")
      ->expected(-1)
      ->allow_extra_args(false);
}

absl::StatusOr<PriceCommand> ParsePrice(const Words &words) {
  PriceCommand c;
  CLI::App app("Prices networks of a search space on a board, without training or compiling them: CSV on stdout.",
               "onnx2mcu price");
  app.footer("example: onnx2mcu price --space=nas/spaces/fmnist.yaml --board=stm32f427 --samples=1000 --seed=1");
  AddOptions(app, c);
  O2M_ASSIGN_OR_RETURN(c.help, ParseWords(app, words));
  O2M_RETURN_IF_ERROR(ReadBudgets(c.ram, c.flash, c.options));
  if (!c.mean.empty()) c.options.metadata["onnx2mcu.mean"] = c.mean;
  if (!c.std.empty()) c.options.metadata["onnx2mcu.std"] = c.std;
  return c;
}

// The networks to price: `all`, or so many that are drawn; one may be drawn twice.
absl::StatusOr<std::vector<Genes>> Candidates(const PriceCommand &c, const Space &space) {
  std::vector<Genes> rows;
  if (c.samples == "all") {
    if (CandidatesOf(space) > kMostOfAll)
      return absl::InvalidArgumentError(absl::StrFormat(
          "price: --samples=all: %s has %.3g networks; a number of samples works", c.space, CandidatesOf(space)));
    Genes genes(space.genes.size());
    do rows.push_back(genes);
    while (NextGenes(space, genes));
    return rows;
  }
  int64_t count = 0;
  if (!absl::SimpleAtoi(c.samples, &count) || count < 1 || count > static_cast<int64_t>(kMostOfAll))
    return absl::InvalidArgumentError(
        absl::StrCat("price: --samples: '", c.samples, "' is no number of networks; 1 to 10000000 work, or all"));
  std::mt19937_64 random(c.seed);
  for (int64_t i = 0; i < count; i++) rows.push_back(RandomGenes(space, random));
  return rows;
}

using Column = std::pair<const char *, int64_t>;
std::vector<Column> ColumnsOf(const Cost &cost) {
  return {
      {"arena_bytes", cost.arena_bytes},           {"ram_bytes", cost.ram_bytes()}, {"weight_bytes", cost.weight_bytes},
      {"constant_bytes", cost.constant_bytes},     {"code_bytes", cost.code_bytes}, {"flash_bytes", cost.flash_bytes()},
      {"instructions_estimate", cost.instructions}};
}

void PrintHeader(const Space &space) {
  for (const Gene &gene : space.genes) std::printf("%s,", gene.name.c_str());
  const std::vector<Column> columns = ColumnsOf({});
  for (size_t i = 0; i < columns.size(); i++) std::printf("%s%s", i > 0 ? "," : "", columns[i].first);
  std::printf("\n");
}

// Genes that change nothing are left empty.
void PrintRow(const PriceCommand &c, const Space &space, const Genes &genes, const Cost &cost) {
  const std::vector<bool> live = LiveGenes(space, genes);
  std::string line = c.json ? "{" : "";
  for (size_t i = 0; i < genes.size(); i++) {
    const std::string value = live[i] ? absl::StrFormat("%.10g", space.genes[i].values[genes[i]]) : "";
    if (!c.json) absl::StrAppend(&line, value, ",");
    if (c.json && live[i]) absl::StrAppend(&line, "\"", space.genes[i].name, "\": ", value, ", ");
  }
  const std::vector<Column> columns = ColumnsOf(cost);
  for (size_t i = 0; i < columns.size(); i++)
    absl::StrAppend(&line,
                    i == 0   ? ""
                    : c.json ? ", "
                             : ",",
                    c.json ? absl::StrCat("\"", columns[i].first, "\": ") : "", columns[i].second);
  std::printf("%s%s\n", line.c_str(), c.json ? "}" : "");
}

// What fits, and how long it took.
void PrintSummary(const Pricer &pricer, size_t fitting, size_t networks, double seconds) {
  const Limits limits = LimitsOf(pricer);
  if (limits.ram_bytes > 0 || limits.flash_bytes > 0)
    std::fprintf(stderr, "%zu of %zu networks fit RAM of %lld B and flash of %lld B (0: no limit)\n", fitting, networks,
                 static_cast<long long>(limits.ram_bytes), static_cast<long long>(limits.flash_bytes));
  std::fprintf(stderr, "%lld kinds of blocks learnt in %.1f s, %zu networks priced at %.0f a second\n",
               static_cast<long long>(pricer.blocks_learnt), pricer.learning_seconds, networks,
               static_cast<double>(networks) / std::max(seconds - pricer.learning_seconds, 1e-6));
}

absl::Status PriceAll(const PriceCommand &c, const Space &space, const std::vector<Genes> &rows, Pricer &pricer) {
  const Limits limits = LimitsOf(pricer);
  const std::clock_t start = std::clock();
  size_t fitting = 0;
  if (!c.json) PrintHeader(space);
  for (const Genes &genes : rows) {
    O2M_ASSIGN_OR_RETURN(const Cost cost, PriceVit(pricer, ConfigOf(space, genes)));
    const bool fits = Within(cost, limits);
    fitting += fits;
    if (fits || !c.only_fitting) PrintRow(c, space, genes, cost);
  }
  if (!c.quiet) PrintSummary(pricer, fitting, rows.size(), static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC);
  return absl::OkStatus();
}

}  // namespace

absl::Status PriceVerb(const Words &words) {
  O2M_ASSIGN_OR_RETURN(const PriceCommand command, ParsePrice(words));
  if (!command.help.empty()) return std::fputs(command.help.c_str(), stdout), absl::OkStatus();
  O2M_ASSIGN_OR_RETURN(const Registry registry, LoadPlugins(command.plugins));
  O2M_ASSIGN_OR_RETURN(const Space space, ReadSpace(command.space));
  O2M_ASSIGN_OR_RETURN(const std::vector<Genes> rows, Candidates(command, space));
  O2M_ASSIGN_OR_RETURN(const std::unique_ptr<Pricer> pricer, MakePricer(registry, command.options));
  return PriceAll(command, space, rows, *pricer);
}

}  // namespace onnx2mcu
