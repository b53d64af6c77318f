// bench_code FILE [--check]: planner/code_table.inc, what programs take of flash beside their weights, from programs
// that are compiled: transformers of every form, small ones, on every core. Kernels, structs and library functions are
// measured; what a call, a loop and a stage add to NAME.c is fitted (non-negative least squares). --check makes nothing
// and says where the file differs.
#include <Eigen/Dense>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <map>
#include <memory>
#include <random>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "bench/nnls.h"
#include "codegen/compiler.h"
#include "codegen/process.h"
#include "codegen/sizes.h"
#include "importer/data/files.h"
#include "nas/cost.h"
#include "nas/vit_graph.h"
#include "nas/vit_onnx.h"
#include "planner/code_size.h"
#include "planner/cost.h"

namespace onnx2mcu {
namespace {

constexpr int kNetworks = 120;

// By kind and name, one figure per core; -1: not met there.
using Table = std::map<std::pair<std::string, std::string>, std::vector<int64_t>>;

void Set(Table &table, const std::string &kind, const std::string &name, int32_t core, int64_t value) {
  auto [row, fresh] = table.try_emplace({kind, name}, std::vector<int64_t>(kCostCoreCount, -1));
  row->second[core] = value;
}

int64_t Pick(std::mt19937_64 &random, std::initializer_list<int64_t> values) {
  return values.begin()[random() % values.size()];
}

VitConfig RandomConfig(std::mt19937_64 &random) {
  VitConfig config;
  config.patch = Pick(random, {2, 4, 7}), config.image = config.patch * Pick(random, {3, 4, 7, 7});
  config.channels = Pick(random, {1, 1, 3}), config.dim = Pick(random, {16, 24, 32, 48, 64, 80, 96, 112});
  config.pool = random() % 2 ? Pool::kMean : Pool::kClassToken;
  for (int64_t i = Pick(random, {1, 2, 3, 4, 5}); i > 0; i--) {
    BlockConfig block{Pick(random, {1, 2, 4}), Pick(random, {8, 16}), Pick(random, {16, 32, 48, 64}), {}};
    for (int64_t *rank : {&block.ranks.qkv, &block.ranks.proj, &block.ranks.fc1, &block.ranks.fc2})
      *rank = Pick(random, {0, 0, 4, 8});
    config.blocks.push_back(block);
  }
  return config;
}

// A program: what its price is put together from, and what NAME.c came to.
struct Sample {
  std::map<std::string, int64_t> counts;
  int64_t text = 0;
};

// sh_addralign by section name, of a 32-bit little-endian ELF file that ElfSections() has accepted.
std::map<std::string, int64_t> SectionAligns(const std::string &elf) {
  const auto word = [&elf](size_t at) {
    uint32_t value = 0;
    std::memcpy(&value, elf.data() + at, sizeof value);
    return value;
  };
  const auto half = [&elf](size_t at) {
    return static_cast<uint32_t>(static_cast<uint8_t>(elf[at]) | static_cast<uint8_t>(elf[at + 1]) << 8);
  };
  const uint32_t headers = word(32), size = half(46), count = half(48), names = word(headers + half(50) * size + 16);
  std::map<std::string, int64_t> aligns;
  for (uint32_t i = 0; i < count; i++)
    aligns[elf.c_str() + names + word(headers + i * size)] = word(headers + i * size + 32);
  return aligns;
}

// The bytes of a library function and all that it calls.
absl::StatusOr<int64_t> LibraryBytes(const Compilation &c, const std::string &folder, const std::string &function) {
  const std::string text =
      absl::StrCat("extern void ", function, "(void);\nvoid (*const o2m_stub)(void) = ", function, ";\n");
  O2M_RETURN_IF_ERROR(CompileObjects(c, {{"stub.c", text}}, folder).status());
  O2M_ASSIGN_OR_RETURN(const ElfBytes bytes, JoinedBytes(c, folder, {"stub.c"}));
  return bytes.text;
}

// NAME_params.h: "static const TYPE NAME = {", whose section is .rodata.NAME.
void ReadObjects(Table &table, int32_t core, const std::string &params, const std::map<std::string, int64_t> &sections,
                 const std::map<std::string, int64_t> &aligns) {
  constexpr char kHead[] = "static const ";
  for (size_t at = params.find(kHead); at != std::string::npos; at = params.find(kHead, at + 1)) {
    const size_t type = at + sizeof kHead - 1, space = params.find(' ', type), end = params.find(' ', space + 1);
    const auto section = sections.find(absl::StrCat(".rodata.", params.substr(space + 1, end - space - 1)));
    if (section == sections.end()) continue;
    Set(table, "object", params.substr(type, space - type), core, section->second);
    Set(table, "align", params.substr(type, space - type), core, aligns.at(section->first));
  }
}

absl::Status ReadKernel(Table &table, int32_t core, const Compilation &c, const std::string &folder,
                        const std::string &source) {
  O2M_ASSIGN_OR_RETURN(const std::string object,
                       ReadFileBytes(absl::StrCat(folder, "/", source.substr(0, source.size() - 2), ".o")));
  O2M_ASSIGN_OR_RETURN(const ElfBytes bytes, ElfBytesOf(object));
  Set(table, "text", source, core, bytes.text), Set(table, "rodata", source, core, bytes.rodata);
  for (const std::string &function : ElfUndefined(object)) {
    if (absl::StrContains(function, "o2m_") || function.empty()) continue;
    Set(table, "needs", absl::StrCat(source, " ", function), core, 1);
    if (const auto known = table.find({"library", function}); known != table.end() && known->second[core] >= 0)
      continue;
    O2M_ASSIGN_OR_RETURN(const int64_t library, LibraryBytes(c, folder, function));
    Set(table, "library", function, core, library);
  }
  return absl::OkStatus();
}

// The text of NAME.c; what else was compiled is entered in the table.
absl::StatusOr<int64_t> Measure(Table &table, int32_t core, const Compilation &c,
                                const std::vector<GeneratedFile> &files) {
  const TempFolder folder(TempPrefix());
  int64_t text = 0;
  O2M_ASSIGN_OR_RETURN(const Objects objects, CompileObjects(c, files, folder.path()));
  for (const std::string &source : objects.sources) {
    if (source != c.graph.name + ".c") {
      O2M_RETURN_IF_ERROR(ReadKernel(table, core, c, folder.path(), source));
      continue;
    }
    O2M_ASSIGN_OR_RETURN(const std::string object, ReadFileBytes(absl::StrCat(folder.path(), "/", c.graph.name, ".o")));
    O2M_ASSIGN_OR_RETURN(const auto sections, ElfSections(object));
    for (const GeneratedFile &file : files)
      if (file.name == c.graph.name + "_params.h") ReadObjects(table, core, file.text, sections, SectionAligns(object));
    O2M_ASSIGN_OR_RETURN(const ElfBytes bytes, ElfBytesOf(object));
    text = bytes.text;
  }
  return text;
}

absl::StatusOr<Sample> MeasureVit(Table &table, int32_t core, const VitConfig &config, const CompileOptions &options,
                                  const PriceOptions &as, const Registry &registry) {
  Sample sample;
  O2M_ASSIGN_OR_RETURN(const std::unique_ptr<Pricer> pricer, MakePricer(registry, as));
  O2M_ASSIGN_OR_RETURN(sample.counts, CodeCounts(*pricer, config));
  O2M_ASSIGN_OR_RETURN(const Cost cost, PriceVit(*pricer, config));
  Host host;
  O2M_ASSIGN_OR_RETURN(const Compilation c, Compile(options, registry, host));
  if (cost.arena_bytes != c.plan.arena_bytes)
    return absl::InternalError("a price of another schedule than that of compilation");
  if (c.stream.possible()) sample.counts["rows"] = 1;
  O2M_ASSIGN_OR_RETURN(const std::vector<GeneratedFile> files, EmitProgram(c, options, host));
  O2M_ASSIGN_OR_RETURN(sample.text, Measure(table, core, c, files));
  return sample;
}

absl::StatusOr<std::vector<Sample>> MeasureCore(Table &table, int32_t core, const Registry &registry) {
  std::mt19937_64 random(1);
  std::vector<Sample> samples;
  const TempFolder folder(TempPrefix());
  for (int i = 0; i < kNetworks; i++) {
    const VitConfig config = RandomConfig(random);
    // "ram" goes head by head: long programs
    constexpr const char *kFavoured[] = {"balanced", "balanced", "speed", "ram", "ram"};
    PriceOptions price{.target = kCostCores[core]};
    price.residual = random() % 3 ? "auto" : "s8", price.optimize = kFavoured[random() % 5];
    if (random() % 2) price.metadata = {{"onnx2mcu.mean", "0.5"}, {"onnx2mcu.std", "0.25"}};
    CompileOptions options;
    options.model = absl::StrCat(folder.path(), "/vit.onnx"), options.target = price.target;
    options.residual = price.residual, options.optimize = price.optimize;
    O2M_RETURN_IF_ERROR(WriteVit({config, RandomWeights(config, random())}, price.metadata, options.model));
    O2M_ASSIGN_OR_RETURN(Sample sample, MeasureVit(table, core, config, options, price, registry));
    samples.push_back(std::move(sample));
  }
  return samples;
}

// What is fitted of a program's text, by name as StageCode has it.
std::map<std::string, int64_t> Features(const Sample &sample) {
  std::map<std::string, int64_t> features = sample.counts;
  features["program"] = 1;
  return features;
}

void Fit(Table &table, int32_t core, const std::vector<Sample> &samples) {
  std::map<std::string, int> columns;
  for (const Sample &sample : samples)
    for (const auto &[name, count] : Features(sample)) columns.try_emplace(name, 0);
  int next = 0;
  for (auto &[name, column] : columns) column = next++;
  Eigen::MatrixXd a = Eigen::MatrixXd::Zero(static_cast<int64_t>(samples.size()), next);
  Eigen::VectorXd b(samples.size());
  for (size_t i = 0; i < samples.size(); i++) {
    for (const auto &[name, count] : Features(samples[i]))
      a(static_cast<int64_t>(i), columns[name]) = static_cast<double>(count);
    b(static_cast<int64_t>(i)) = static_cast<double>(samples[i].text);
  }
  const Eigen::VectorXd x = NonNegativeLeastSquares(a, b);
  const Eigen::VectorXd error = a * x - b;
  std::fprintf(stderr, "%-12s %zu programs, NAME.c %.0f to %.0f bytes of text, at most %.0f off, %.0f on average\n",
               kCostCores[core], samples.size(), b.minCoeff(), b.maxCoeff(), error.cwiseAbs().maxCoeff(),
               error.cwiseAbs().mean());
  for (const auto &[name, column] : columns) {
    const bool call = absl::StartsWith(name, "call ");
    Set(table, call ? "call" : "program", call ? name.substr(5) : name, core, std::llround(1000 * x(column)));
  }
}

std::string TextOf(const Table &table) {
  std::string text =
      "// Made by bench_code from compiled programs: bytes by core; thousandths of a byte for call and program.\n//";
  for (const char *core : kCostCores) absl::StrAppend(&text, " ", core);
  absl::StrAppend(&text, "; -1: not met there.\n");
  for (const auto &[key, values] : table) {
    absl::StrAppend(&text, "{\"", key.first, "\", \"", key.second, "\", {");
    for (size_t i = 0; i < values.size(); i++) absl::StrAppend(&text, i > 0 ? ", " : "", values[i]);
    absl::StrAppend(&text, "}},\n");
  }
  return text;
}

absl::Status Run(const std::string &path, bool check) {
  Registry registry;
  for (const std::string &folder : DefaultPluginFolders()) registry.LoadFolder(folder);
  Table table;
  for (int32_t core = 0; core < kCostCoreCount; core++) {
    O2M_ASSIGN_OR_RETURN(const std::vector<Sample> samples, MeasureCore(table, core, registry));
    Fit(table, core, samples);
  }
  if (!check) return WriteFileBytes(path, TextOf(table));
  O2M_ASSIGN_OR_RETURN(const std::string known, ReadFileBytes(path));
  if (known == TextOf(table)) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat(path, ": other sizes than compiled programs have; make it again with bench_code"));
}

}  // namespace
}  // namespace onnx2mcu

int main(int argc, char **argv) {
  const bool check = argc == 3 && std::string(argv[2]) == "--check";
  if (argc != 2 && !check) return std::fprintf(stderr, "usage: bench_code FILE [--check]\n"), 1;
  const absl::Status status = onnx2mcu::Run(argv[1], check);
  if (!status.ok()) return std::fprintf(stderr, "bench_code: %s\n", std::string(status.message()).c_str()), 1;
  return 0;
}
