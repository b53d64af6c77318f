#include "nas/search/checkpoint.h"

#include <cmath>
#include <filesystem>
#include <set>

#include "absl/strings/str_cat.h"
#include "importer/data/files.h"
#include "nas/atomic_file.h"

namespace onnx2mcu {
namespace {

using Json = nlohmann::ordered_json;
constexpr int kSchemaVersion = 1;

absl::Status Malformed(const std::string &path, const std::string &what) {
  return absl::InvalidArgumentError(
      absl::StrCat(path, ": not a checkpoint of this version (", what, "); remove it to search anew"));
}

Cost CostFrom(const Json &json) {
  return {json.at("arena_bytes"),    json.at("stack_bytes"), json.at("weight_bytes"),
          json.at("constant_bytes"), json.at("code_bytes"),  json.at("instructions")};
}

// Throws what nlohmann throws.
History HistoryFrom(const Json &json) {
  History history;
  history.generations = json.at("generations");
  history.exhausted = json.at("exhausted");
  const Json &refusals = json.at("refusals");
  history.refusals = {refusals.at("drawn"),
                      refusals.at("refused"),
                      {refusals.at("ram"), refusals.at("flash"), refusals.at("instructions")}};
  for (const Json &row : json.at("evaluations")) {
    const Genes genes = row.at("genes");
    history.evaluations.push_back({genes, row.at("accuracy"), CostFrom(row), row.at("generation")});
  }
  return history;
}

// What no search of ours leaves behind.
std::string Wrong(const History &history) {
  std::set<Genes> seen;
  int32_t last = 0;
  for (const Evaluation &evaluation : history.evaluations) {
    if (!seen.insert(evaluation.genes).second) return "genes twice";
    if (evaluation.genes.size() != history.evaluations[0].genes.size()) return "genes of different length";
    if (evaluation.generation < last || evaluation.generation >= history.generations) return "generations out of order";
    if (!std::isfinite(evaluation.accuracy)) return "accuracy is no number";
    last = evaluation.generation;
  }
  return "";
}

}  // namespace

Json JsonOf(const Evaluation &evaluation) {
  const Cost &cost = evaluation.cost;
  return {
      {"generation", evaluation.generation},   {"genes", evaluation.genes},       {"accuracy", evaluation.accuracy},
      {"arena_bytes", cost.arena_bytes},       {"stack_bytes", cost.stack_bytes}, {"weight_bytes", cost.weight_bytes},
      {"constant_bytes", cost.constant_bytes}, {"code_bytes", cost.code_bytes},   {"instructions", cost.instructions}};
}

Json JsonOf(const Refusals &refusals) {
  return {{"drawn", refusals.drawn},
          {"refused", refusals.refused},
          {"ram", refusals.by_limit[0]},
          {"flash", refusals.by_limit[1]},
          {"instructions", refusals.by_limit[2]}};
}

absl::Status WriteCheckpoint(const std::string &path, const std::string &identity, const History &history) {
  if (path.empty()) return absl::OkStatus();
  Json rows = Json::array();
  for (const Evaluation &evaluation : history.evaluations) rows.push_back(JsonOf(evaluation));
  const Json json = {{"schema_version", kSchemaVersion},     {"identity", identity},
                     {"generations", history.generations},   {"exhausted", history.exhausted},
                     {"refusals", JsonOf(history.refusals)}, {"evaluations", rows}};
  return WriteFileAtomically(path, json.dump(1) + "\n");
}

absl::StatusOr<History> ReadCheckpoint(const std::string &path, const std::string &identity) {
  O2M_ASSIGN_OR_RETURN(const std::string text, ReadFileBytes(path));
  const Json json = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (json.is_discarded()) return Malformed(path, "not JSON");
  try {
    if (json.at("schema_version") != kSchemaVersion) return Malformed(path, "schema_version");
    if (json.at("identity") != identity)
      return absl::InvalidArgumentError(absl::StrCat(path, ": is of another search (",
                                                     json.at("identity").get<std::string>(), "; asked for: ", identity,
                                                     "); give its options or another folder"));
    History history = HistoryFrom(json);
    const std::string wrong = Wrong(history);
    if (!wrong.empty()) return Malformed(path, wrong);
    return history;
  } catch (const Json::exception &error) {
    return Malformed(path, error.what());
  }
}

absl::StatusOr<History> StartOrResume(const std::string &path, const std::string &identity, bool resume) {
  const bool exists = !path.empty() && std::filesystem::exists(path);
  if (resume && exists) return ReadCheckpoint(path, identity);
  if (exists)
    return absl::InvalidArgumentError(
        absl::StrCat(path, ": holds a search; continue it with --resume or give another folder with -o"));
  return History();
}

}  // namespace onnx2mcu
