// `onnx2mcu search MODEL.onnx`: read model and images, cut, train, write.
#include "nas/verb_search_model.h"

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <set>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "importer/ir/text.h"
#include "importer/quant/preprocessing.h"
#include "nas/atomic_file.h"
#include "nas/cut/search.h"
#include "nas/search/pareto.h"
#include "nas/search/ranks.h"
#include "nas/search/record.h"
#include "nas/vit_onnx.h"

namespace onnx2mcu {
namespace {

using Json = nlohmann::ordered_json;
using Rows = std::vector<int64_t>;  // numbers of images, ascending

// A parent, and images as it takes them.
struct Source {
  VitFile file;
  Preprocessing preprocessing;
  InputSet images;
  Rows held_out, rest;  // of the images
};

// All that is found.
struct Found {
  Cost parent_cost;
  HeldOut parent;         // accuracy only; it agrees with itself
  std::vector<Cut> cuts;  // the finalists first
  std::vector<size_t> frontier;
  size_t best = 0;
};

// A graph of nothing but the network's input, and what the file says of it.
Graph InputOf(const VitConfig &config, const Metadata &metadata) {
  Graph graph;
  Tensor input;
  input.name = "input", input.dims = {1, config.channels, config.image, config.image};
  graph.tensors.push_back(input);
  graph.inputs.push_back(0);
  graph.metadata = metadata;
  return graph;
}

// `count` of the rows, evenly spread, and the others.
std::pair<Rows, Rows> EvenlySpread(const Rows &rows, int64_t count) {
  const auto total = static_cast<int64_t>(rows.size());
  std::pair<Rows, Rows> parts;
  for (int64_t i = 0; i < total; i++)
    ((i + 1) * count / total > i * count / total ? parts.first : parts.second).push_back(rows[i]);
  return parts;
}

absl::Status ReadImages(const SearchCommand &c, Source &source) {
  if (c.predictor.inputs.empty())
    return absl::InvalidArgumentError("search: images to fit cuts to are missing; give --inputs, labels are optional");
  const VitConfig &config = source.file.vit.config;
  const Graph graph = InputOf(config, source.file.metadata);
  O2M_ASSIGN_OR_RETURN(source.preprocessing, PreprocessingOf(graph, {}));
  O2M_ASSIGN_OR_RETURN(source.images, ReadInputs(c.predictor.inputs, graph, 0, source.preprocessing, 0));
  if (!c.predictor.labels.empty()) {
    O2M_ASSIGN_OR_RETURN(source.images.labels, ReadLabels(c.predictor.labels, source.images.total, config.classes));
  }
  const std::vector<int64_t> &labels = source.images.labels;
  if (!labels.empty() && *std::max_element(labels.begin(), labels.end()) >= config.classes)
    return absl::InvalidArgumentError(absl::StrCat(c.predictor.inputs, ": more classes than the ", config.classes,
                                                   " of ", c.model, "; leave out folders that it does not know"));
  Rows all(source.images.count);
  for (size_t i = 0; i < all.size(); i++) all[i] = static_cast<int64_t>(i);
  std::tie(source.held_out, source.rest) = EvenlySpread(all, std::min(c.predictor.held_out, source.images.count / 4));
  if (!source.held_out.empty()) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("search: ", c.predictor.inputs, " has ", source.images.count,
                                                 " images, --held-out=", c.predictor.held_out,
                                                 "; one at least must be held out of four or more"));
}

absl::StatusOr<Source> ReadSource(const SearchCommand &c) {
  Source source;
  O2M_ASSIGN_OR_RETURN(source.file, ReadVit(c.model));
  if (!c.mean.empty()) source.file.metadata["onnx2mcu.mean"] = c.mean;
  if (!c.std.empty()) source.file.metadata["onnx2mcu.std"] = c.std;
  O2M_RETURN_IF_ERROR(ReadImages(c, source));
  return source;
}

// Images of those rows as the network takes them.
Images AsFed(const Source &source, const Rows &rows) {
  const VitConfig &config = source.file.vit.config;
  const int64_t plane = config.image * config.image, size = config.channels * plane;
  const Preprocessing &p = source.preprocessing;
  Images images(rows.size(), size);
  for (int64_t n = 0; n < images.rows(); n++)
    for (int64_t i = 0; i < size; i++) {
      const size_t c = p.std.size() > 1 ? i / plane : 0, at = rows[n] * size + i;
      images(n, i) = source.images.pixels ? (static_cast<float>(source.images.u8[at]) / 255 - p.mean[c]) / p.std[c]
                                          : source.images.f32[at];
    }
  return images;
}

// Images of those rows as they were read.
InputSet Chosen(const InputSet &set, const Rows &rows) {
  InputSet chosen{
      static_cast<int64_t>(rows.size()), static_cast<int64_t>(rows.size()), set.pixels, set.dims, {}, {}, {}};
  const int64_t size = ElementCount(set.dims);
  for (const int64_t row : rows) {
    if (set.pixels) chosen.u8.insert(chosen.u8.end(), &set.u8[row * size], &set.u8[row * size] + size);
    if (!set.pixels) chosen.f32.insert(chosen.f32.end(), &set.f32[row * size], &set.f32[row * size] + size);
    if (!set.labels.empty()) chosen.labels.push_back(set.labels[row]);
  }
  return chosen;
}

absl::Status CheckBinding(const std::string &model, const Cost &cost, const Limits &limits) {
  if (!Within(cost, limits)) return absl::OkStatus();
  std::string needs;
  for (const Need &need : Needs(cost, limits))
    absl::StrAppend(&needs, ", ", need.name, " ", need.value, need.limit > 0 ? absl::StrCat(" of ", need.limit) : "");
  return absl::InvalidArgumentError(absl::StrCat(model, ": keeps within the limits as it is (", needs.substr(2),
                                                 "), nothing is to be cut; give --ram or --flash below that"));
}

absl::Status MakeFolder(const std::string &folder) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (!error) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(folder, ": cannot be made: ", error.message()));
}

CutOptions CutOptionsOf(const SearchCommand &c, const Source &source, const Limits &limits, const Supernet &supernet) {
  CutOptions options;
  options.limits = limits;
  options.finalists = static_cast<size_t>(c.finalists);
  options.spread = OverRanks;
  options.peers = ThisRank();
  if (!c.finetuning.wanted()) return options;
  const InputSet images = Chosen(source.images, source.rest);
  options.finetune = [&c, &source, &supernet, images](const Vit &vit, size_t finalist) {
    FineTuning finetuning = c.finetuning;
    finetuning.checkpoint = absl::StrFormat("%s/finetune_%03d.npz", c.folder, finalist);
    if (!c.quiet) std::fprintf(stderr, "training cut %zu of at most %lld\n", finalist + 1, 0LL + c.finalists);
    return supernet.finetune(vit, source.file.vit, images, source.preprocessing, finetuning);
  };
  return options;
}

// Of the finalists; fitness is their accuracy, or agreement where there are no labels.
void Choose(Found &found) {
  std::vector<Evaluation> evaluations;
  for (const Cut &cut : found.cuts)
    if (cut.held_out) evaluations.push_back({{}, cut.held_out->fitness(), cut.cost, 0});
  found.best = BestOf(evaluations);
  found.frontier = FrontierOf(evaluations);
}

absl::StatusOr<Found> Search(const SearchCommand &c, const Source &source, Pricer &pricer, const Supernet &supernet) {
  const Vit &parent = source.file.vit;
  const Limits limits = LimitsOf(pricer, c.instructions);
  Found found;
  O2M_ASSIGN_OR_RETURN(found.parent_cost, PriceVit(pricer, parent.config));
  O2M_RETURN_IF_ERROR(CheckBinding(c.model, found.parent_cost, limits));
  O2M_RETURN_IF_ERROR(MakeFolder(c.folder));
  CutImages images{AsFed(source, EvenlySpread(source.rest, std::min<int64_t>(c.calibration, source.rest.size())).first),
                   AsFed(source, source.held_out),
                   {}};
  if (!source.images.labels.empty()) images.labels = Chosen(source.images, source.held_out).labels;
  found.parent = Compare(parent, Logits(parent, images.held_out), images);
  O2M_ASSIGN_OR_RETURN(found.cuts, SearchCuts(parent, images, pricer, CutOptionsOf(c, source, limits, supernet)));
  Choose(found);
  return found;
}

Json JsonOf(const VitConfig &config) {
  Json blocks = Json::array();
  for (const BlockConfig &b : config.blocks)
    blocks.push_back(
        {{"heads", b.heads},
         {"head_dim", b.head_dim},
         {"mlp_dim", b.mlp_dim},
         {"ranks", {{"qkv", b.ranks.qkv}, {"proj", b.ranks.proj}, {"fc1", b.ranks.fc1}, {"fc2", b.ranks.fc2}}}});
  return {{"image", config.image},      {"channels", config.channels},
          {"patch", config.patch},      {"dim", config.dim},
          {"classes", config.classes},  {"pool", config.pool == Pool::kMean ? "mean" : "class_token"},
          {"blocks", std::move(blocks)}};
}

Json JsonOf(const Cost &cost) {
  return {{"arena_bytes", cost.arena_bytes},   {"stack_bytes", cost.stack_bytes},
          {"weight_bytes", cost.weight_bytes}, {"constant_bytes", cost.constant_bytes},
          {"code_bytes", cost.code_bytes},     {"instructions", cost.instructions}};
}

Json JsonOf(const HeldOut &held_out) {
  Json json = {{"agreement", held_out.agreement}};
  if (held_out.accuracy) json["accuracy"] = *held_out.accuracy;
  return json;
}

Json JsonOf(const Cut &cut) {
  Json json = {{"config", JsonOf(cut.vit.config)}, {"cost", JsonOf(cut.cost)}, {"agreement", cut.agreement}};
  if (cut.held_out) json["held_out"] = JsonOf(*cut.held_out);
  return json;
}

// Where a network comes from, without what was found.
Json OriginOf(const SearchCommand &c, const Source &source) {
  return {{"model", std::filesystem::path(c.model).filename().string()},
          {"model_sha256", source.file.sha256},
          {"seed", c.seed},
          {"images", source.images.count},
          {"calibration", std::min<int64_t>(c.calibration, source.rest.size())},
          {"held_out", source.held_out.size()},
          {"fitness", source.images.labels.empty() ? "agreement" : "accuracy"},
          {"finetune_steps", c.finetuning.steps},
          {"finetune_seconds", c.finetuning.seconds}};
}

Json RecordOf(const SearchCommand &c, const Source &source, const Limits &limits, const Found &found) {
  Json record = {{"schema_version", 1}};
  record.update(OriginOf(c, source));
  Json proposals = Json::array();
  for (const Cut &cut : found.cuts) proposals.push_back(JsonOf(cut));
  record.update({{"board", c.price.board},
                 {"target", c.price.target},
                 {"limits", JsonOf(limits)},
                 {"parent",
                  {{"config", JsonOf(source.file.vit.config)},
                   {"cost", JsonOf(found.parent_cost)},
                   {"held_out", JsonOf(found.parent)}}},
                 {"best", found.best},
                 {"frontier", found.frontier},
                 {"proposals", std::move(proposals)}});
  return record;
}

absl::Status WriteCut(const SearchCommand &c, const Source &source, const Cut &cut, const std::string &path) {
  Json search = OriginOf(c, source);
  search["evaluation"] = JsonOf(cut);
  Metadata metadata = source.file.metadata;
  metadata["onnx2mcu.search"] = search.dump();
  return WriteVit(cut.vit, metadata, path);
}

absl::Status WriteFound(const SearchCommand &c, const Source &source, const Json &record, const Found &found) {
  const std::string frontier = absl::StrCat(c.folder, "/frontier");
  std::error_code error;
  std::filesystem::remove_all(frontier, error);
  O2M_RETURN_IF_ERROR(MakeFolder(frontier));
  for (size_t i = 0; i < found.frontier.size(); i++)
    O2M_RETURN_IF_ERROR(
        WriteCut(c, source, found.cuts[found.frontier[i]], absl::StrFormat("%s/%03d.onnx", frontier, i)));
  O2M_RETURN_IF_ERROR(WriteCut(c, source, found.cuts[found.best], absl::StrCat(c.folder, "/best.onnx")));
  return WriteFileAtomically(absl::StrCat(c.folder, "/search.json"), record.dump(1) + "\n");
}

// What cuts differ in, as genes; blocks of a cut differ at most where the parent's do.
struct CutGene {
  const char *name;
  double (*value)(const VitConfig &);
};
constexpr CutGene kCutGenes[] = {
    {"patch", [](const VitConfig &c) -> double { return c.patch; }},
    {"dim", [](const VitConfig &c) -> double { return c.dim; }},
    {"depth", [](const VitConfig &c) -> double { return std::ssize(c.blocks); }},
    {"heads", [](const VitConfig &c) -> double { return c.blocks[0].heads; }},
    {"head_dim", [](const VitConfig &c) -> double { return c.blocks[0].head_dim; }},
    {"mlp_dim", [](const VitConfig &c) -> double { return c.blocks[0].mlp_dim; }},
};

Gene GeneOf(const CutGene &cut_gene, const std::vector<Cut> &cuts) {
  std::set<double> values;
  for (const Cut &cut : cuts) values.insert(cut_gene.value(cut.vit.config));
  return {cut_gene.name, {values.begin(), values.end()}};
}

Objective ObjectiveOf(const std::vector<Cut> &cuts) {
  Objective objective;
  for (const CutGene &cut_gene : kCutGenes) objective.genes.push_back(GeneOf(cut_gene, cuts));
  objective.live = [](const Genes &genes) { return std::vector<bool>(genes.size(), true); };
  return objective;
}

Genes GenesOf(const std::vector<Gene> &genes, const VitConfig &config) {
  Genes row;
  for (size_t i = 0; i < genes.size(); i++) {
    const std::vector<double> &values = genes[i].values;
    const auto at = std::lower_bound(values.begin(), values.end(), kCutGenes[i].value(config));
    row.push_back(static_cast<int32_t>(at - values.begin()));
  }
  return row;
}

// The cuts as a search that made one generation of them.
SearchRecord PageOf(const Found &found, const Limits &limits, const Objective &objective) {
  SearchRecord page;
  page.limits = limits, page.best = found.best, page.frontier = found.frontier;
  page.winner = found.cuts[found.best].vit.config;
  for (size_t i = 0; i < found.cuts.size(); i++) {
    const Cut &cut = found.cuts[i];
    page.history.evaluations.push_back({GenesOf(objective.genes, cut.vit.config), cut.agreement, cut.cost, 0});
    if (cut.held_out) page.finalists.push_back({i, {{}, cut.held_out->fitness()}});
  }
  return page;
}

std::string HtmlOf(const SearchCommand &c, const Source &source, const Found &found, const Limits &limits) {
  const Objective objective = ObjectiveOf(found.cuts);
  const std::string fitness = source.images.labels.empty() ? "agreement" : "accuracy";
  Heading heading;
  heading.title = "Cuts of " + std::filesystem::path(c.model).filename().string();
  heading.subtitle =
      absl::StrCat("Model sha256 ", source.file.sha256.substr(0, 12), ", seed ", c.seed, "; ", source.held_out.size(),
                   " images held out, ", c.finetuning.wanted() ? "finalists trained equally long" : "nothing trained");
  heading.inherited = "agreement as cut";
  heading.frontier =
      absl::StrCat("No finalist is better in ", fitness, ", RAM, flash or instructions and worse in none.");
  heading.tuned = absl::StrCat(fitness, " on images held out");
  if (found.parent.accuracy)
    heading.figures.push_back({"the model's accuracy", absl::StrFormat("%.2f %%", 100 * *found.parent.accuracy)});
  heading.figures.push_back({"the model's RAM, bytes", Grouped(found.parent_cost.ram_bytes())});
  heading.figures.push_back({"the model's flash, bytes", Grouped(found.parent_cost.flash_bytes())});
  return HtmlOf(PageOf(found, limits, objective), objective, heading);
}

std::string TextOf(const Cost &cost) {
  return absl::StrFormat("RAM %d B, flash %d B, %d instructions (estimate)", cost.ram_bytes(), cost.flash_bytes(),
                         cost.instructions);
}

// What a cut may change of the sizes; blocks of a cut differ at most where the parent's do.
std::string TextOf(const VitConfig &config) {
  const BlockConfig &block = config.blocks[0];
  return absl::StrFormat("dim %d, depth %d, heads %d, head_dim %d, mlp_dim %d", config.dim, config.blocks.size(),
                         block.heads, block.head_dim, block.mlp_dim);
}

void PrintFound(const SearchCommand &c, const Found &found) {
  const Cut &best = found.cuts[found.best];
  const HeldOut &held_out = *best.held_out;
  const std::string accuracy = held_out.accuracy ? absl::StrFormat("accuracy %.2f %%, ", 100 * *held_out.accuracy) : "";
  std::printf("%s/best.onnx: %sagreement %.2f %%, %s; %s\n", c.folder.c_str(), accuracy.c_str(),
              100 * held_out.agreement, TextOf(best.cost).c_str(), TextOf(best.vit.config).c_str());
  if (c.quiet) return;
  const std::string of_parent =
      found.parent.accuracy ? absl::StrFormat("accuracy %.2f %%, ", 100 * *found.parent.accuracy) : "";
  std::printf("%s: %s%s\n", c.model.c_str(), of_parent.c_str(), TextOf(found.parent_cost).c_str());
  std::printf("%zu cuts fitted, %zu compared, %zu on the frontier\n", found.cuts.size(),
              std::min(found.cuts.size(), static_cast<size_t>(c.finalists)), found.frontier.size());
  if (!c.finetuning.wanted())
    std::fprintf(stderr, "nothing was trained; --finetune-steps or --finetune-seconds would make cuts better\n");
}

}  // namespace

absl::Status SearchModel(const SearchCommand &command, const Registry &registry, const Supernet &supernet) {
  O2M_ASSIGN_OR_RETURN(const Source source, ReadSource(command));
  PriceOptions price = command.price;
  price.metadata = source.file.metadata;
  O2M_ASSIGN_OR_RETURN(const std::unique_ptr<Pricer> pricer, MakePricer(registry, price));
  O2M_ASSIGN_OR_RETURN(const Found found, Search(command, source, *pricer, supernet));
  if (ThisRank().rank != 0) return absl::OkStatus();
  const Limits limits = LimitsOf(*pricer, command.instructions);
  const Json record = RecordOf(command, source, limits, found);
  O2M_RETURN_IF_ERROR(WriteFileAtomically(command.folder + "/report.html", HtmlOf(command, source, found, limits)));
  O2M_RETURN_IF_ERROR(WriteFound(command, source, record, found));
  if (command.json) std::printf("%s\n", record.dump(1).c_str());
  if (!command.json) PrintFound(command, found);
  return absl::OkStatus();
}

}  // namespace onnx2mcu
