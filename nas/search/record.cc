#include "nas/search/record.h"

#include "nas/search/checkpoint.h"

namespace onnx2mcu {
namespace {

using Json = nlohmann::ordered_json;

Json JsonOf(const Binding &binding) {
  return {{"limit", binding.limit},
          {"neighbours", binding.neighbours},
          {"refused_by_ram", binding.refused[0]},
          {"refused_by_flash", binding.refused[1]},
          {"refused_by_instructions", binding.refused[2]}};
}

Json JsonOf(const std::vector<Gene> &genes) {
  Json all = Json::array();
  for (const Gene &gene : genes) all.push_back({{"name", gene.name}, {"values", gene.values}});
  return all;
}

Json JsonOf(const std::vector<Finalist> &finalists) {
  Json all = Json::array();
  for (const Finalist &finalist : finalists)
    all.push_back({{"evaluation", finalist.evaluation}, {"accuracy_finetuned", finalist.tuned.accuracy}});
  return all;
}

// Empty without a choice.
Json JsonOf(const SpaceChoice &outer, const std::vector<Gene> &genes) {
  Json spaces = Json::array();
  const auto values = [&](const Genes &of) {
    Json json = Json::object();
    for (size_t i = 0; i < of.size(); i++)
      if (of[i] >= 0) json[genes[i].name] = genes[i].values[static_cast<size_t>(of[i])];
    return json;
  };
  for (const SpaceRecord &record : outer.records)
    spaces.push_back({{"holds", values(HeldAt(genes, record.point))},
                      {"rounds", record.rounds},
                      {"accuracy", record.score.accuracy},
                      {"legal_share", record.score.legal_share}});
  return {{"strategy", outer.by}, {"holds", values(outer.held)}, {"spaces", spaces}};
}

}  // namespace

Json JsonOf(const Limits &limits) {
  return {{"ram_bytes", limits.ram_bytes}, {"flash_bytes", limits.flash_bytes}, {"instructions", limits.instructions}};
}

Json JsonOf(const SearchRecord &record, const Objective &objective) {
  Json evaluations = Json::array();
  for (const Evaluation &evaluation : record.history.evaluations) evaluations.push_back(JsonOf(evaluation));
  Json json = {{"schema_version", 1},
               {"space", record.space},
               {"space_sha256", record.space_sha256},
               {"board", record.board},
               {"target", record.target},
               {"strategy", record.strategy},
               {"accuracy_of", record.source},
               {"seed", record.seed},
               {"limits", JsonOf(record.limits)},
               {"genes", JsonOf(objective.genes)},
               {"refused_of_uniform_draws", JsonOf(record.sampled)},
               {"refused_of_candidates", JsonOf(record.history.refusals)},
               {"generations", record.history.generations},
               {"exhausted", record.history.exhausted},
               {"best", record.best},
               {"finalists", JsonOf(record.finalists)},
               {"binds_best", JsonOf(record.binding)},
               {"frontier", record.frontier}};
  if (!record.outer.by.empty()) json["outer"] = JsonOf(record.outer, objective.genes);
  json["evaluations"] = std::move(evaluations);
  return json;
}

}  // namespace onnx2mcu
