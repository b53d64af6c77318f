#include "nas/search/predictor.h"

#include <memory>

#include "absl/strings/str_cat.h"
#include "importer/data/files.h"
#include "importer/sha256.h"
#include "nas/search/table.h"
#include "nas/vit_graph.h"

namespace onnx2mcu {

Supernet NoSupernet() {
  const absl::Status missing = absl::InvalidArgumentError(
      "search: this build cannot train, libtorch was not there when it was made; run `scripts/setup train` and build "
      "again; without it, spaces need --accuracies=FILE.csv, and models are cut without --finetune-steps");
  return {[=](const Space &, const PredictorOptions &) -> absl::StatusOr<FileMetadata> { return missing; },
          [=](const Space &, const PredictorOptions &) -> absl::StatusOr<Predictor> { return missing; },
          [=](const Vit &, const Vit &, const InputSet &, const Preprocessing &,
              const FineTuning &) -> absl::StatusOr<Vit> { return missing; }};
}

// Keyed by config, since that is all a predictor sees: rows of the same network agree, the last one counts.
absl::StatusOr<Predictor> TablePredictor(const Space &space, const std::string &path) {
  O2M_ASSIGN_OR_RETURN(const Table table, ReadTable(path, space.genes));
  O2M_ASSIGN_OR_RETURN(const size_t column, ColumnOf(table, "accuracy"));
  auto accuracies = std::make_shared<std::map<VitConfig, double>>();
  for (const auto &[genes, values] : table.rows) (*accuracies)[ConfigOf(space, genes)] = values[column];
  const auto accuracy = [accuracies, path](const VitConfig &config) -> absl::StatusOr<double> {
    const auto found = accuracies->find(config);
    if (found != accuracies->end()) return found->second;
    return absl::InvalidArgumentError(absl::StrCat(path, ": no row for a network of the space (dim ", config.dim,
                                                   ", depth ", config.blocks.size(), ", patch ", config.patch,
                                                   " ...); a table needs all of them"));
  };
  const auto subnet = [](const VitConfig &config) -> absl::StatusOr<Vit> {
    return Vit{config, RandomWeights(config, 1)};
  };
  O2M_ASSIGN_OR_RETURN(const std::string bytes, ReadFileBytes(path));
  return Predictor{absl::StrCat("table ", Sha256Hex(bytes).substr(0, 16)), accuracy, subnet};
}

}  // namespace onnx2mcu
