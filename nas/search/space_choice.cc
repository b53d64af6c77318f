#include "nas/search/space_choice.h"

#include <nlohmann/json.hpp>
#include <numeric>

#include "absl/strings/str_cat.h"
#include "importer/data/files.h"
#include "nas/atomic_file.h"

namespace onnx2mcu {
namespace {

constexpr int64_t kDraws = 1000;  // uniform ones, for the legal share
constexpr int64_t kTries = 2000;  // draws in a row without a legal network before the sample stays smaller

// Throws what nlohmann throws.
std::vector<SpaceRecord> RecordsFrom(const nlohmann::ordered_json &json) {
  std::vector<SpaceRecord> records;
  for (const auto &row : json)
    records.push_back({row.at("point"), row.at("rounds"), {row.at("accuracy"), row.at("legal_share")}});
  return records;
}

}  // namespace

std::vector<size_t> OuterGenes(const std::vector<Gene> &genes) {
  std::vector<size_t> outer;
  for (const char *name : {"rank_ratio", "patch"})
    for (size_t i = 0; i < genes.size(); i++)
      if (genes[i].name == name) outer.push_back(i);
  return outer;
}

Genes HeldAt(const std::vector<Gene> &genes, const SpacePoint &point) {
  const std::vector<size_t> outer = OuterGenes(genes);
  Genes held(genes.size(), -1);
  for (size_t i = 0; i < outer.size(); i++) held[outer[i]] = point[i];
  return held;
}

std::string DescribeHeld(const std::vector<Gene> &genes, const Genes &held) {
  std::string text;
  for (size_t i = 0; i < held.size(); i++)
    if (held[i] >= 0)
      absl::StrAppend(&text, text.empty() ? "" : ", ", genes[i].name, " ",
                      genes[i].values[static_cast<size_t>(held[i])]);
  return text;
}

absl::StatusOr<SpaceScore> ScoreSpace(const SearchProblem &problem, size_t samples, uint64_t seed,
                                      const Accuracies &accuracies, const Spread &spread, Prices *prices) {
  const History none;
  Sampler sampler(problem, seed, kTries, none, prices);
  O2M_ASSIGN_OR_RETURN(const Refusals refusals, RefusedShare(problem, kDraws, seed, prices));
  O2M_RETURN_IF_ERROR(sampler.Add(samples, [&](RandomStream &random) { return sampler.Uniform(random); }));
  const std::vector<Genes> &legal = sampler.candidates();
  const double share = 1 - static_cast<double>(refusals.refused) / kDraws;
  if (legal.empty()) return SpaceScore{0, share};
  O2M_ASSIGN_OR_RETURN(const AccuracyOfGenes accuracy, accuracies());
  O2M_ASSIGN_OR_RETURN(const std::vector<double> all,
                       spread(legal.size(), [&](size_t i) { return accuracy(legal[i]); }));
  return SpaceScore{std::accumulate(all.begin(), all.end(), 0.0) / static_cast<double>(all.size()), share};
}

absl::Status WriteSpaceRecords(const std::string &path, const std::string &identity,
                               const std::vector<SpaceRecord> &records) {
  nlohmann::ordered_json rows = nlohmann::ordered_json::array();
  for (const SpaceRecord &record : records)
    rows.push_back({{"point", record.point},
                    {"rounds", record.rounds},
                    {"accuracy", record.score.accuracy},
                    {"legal_share", record.score.legal_share}});
  const nlohmann::ordered_json json = {{"schema_version", 1}, {"identity", identity}, {"records", rows}};
  return WriteFileAtomically(path, json.dump(1) + "\n");
}

absl::StatusOr<std::vector<SpaceRecord>> ReadSpaceRecords(const std::string &path, const std::string &identity) {
  O2M_ASSIGN_OR_RETURN(const std::string text, ReadFileBytes(path));
  try {
    const auto json = nlohmann::ordered_json::parse(text);
    if (json.at("schema_version") == 1 && json.at("identity") == identity) return RecordsFrom(json.at("records"));
  } catch (const nlohmann::ordered_json::exception &) {
    return absl::InvalidArgumentError(absl::StrCat(path, ": not a search for a space; remove it to search anew"));
  }
  return absl::InvalidArgumentError(
      absl::StrCat(path, ": is of another search for a space; give its options or another folder"));
}

}  // namespace onnx2mcu
