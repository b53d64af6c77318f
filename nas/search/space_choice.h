// nas/search/space_choice.h - which space is searched, where the file leaves a choice: MCUFormer's outer search and the
// baselines of its table 1, as the values that patch size and low-rank ratio keep from then on.
#pragma once
#include <string>
#include <vector>

#include "nas/search/outer.h"
#include "nas/search/sampler.h"
#include "nas/search/search.h"

namespace onnx2mcu {

struct SpaceChoice {
  std::string by;                    // "evolution", "random", "maximal"; "": nothing is held, all values are searched
  Genes held;                        // by gene: the value it keeps, -1: free; empty: all are free
  std::vector<SpaceRecord> records;  // of evolution: points are indices of the values of {rank_ratio, patch}
};

// The genes rank_ratio and patch, in this order, of those that vary.
std::vector<size_t> OuterGenes(const std::vector<Gene> &genes);
// A point of the two: what it holds.
Genes HeldAt(const std::vector<Gene> &genes, const SpacePoint &point);

// "patch 4, rank_ratio 0.5": the held ones.
std::string DescribeHeld(const std::vector<Gene> &genes, const Genes &held);

// A: mean accuracy of up to `samples` legal networks, R: the legal share of the problem's space. `accuracies` is asked
// for the accuracy of networks only where some are legal: they may take a training.
using AccuracyOfGenes = std::function<absl::StatusOr<double>(const Genes &)>;
using Accuracies = std::function<absl::StatusOr<AccuracyOfGenes>()>;
absl::StatusOr<SpaceScore> ScoreSpace(const SearchProblem &problem, size_t samples, uint64_t seed,
                                      const Accuracies &accuracies, const Spread &spread, Prices *prices);

// An outer search on disk, whole or absent; as of nas/search/checkpoint.h.
absl::Status WriteSpaceRecords(const std::string &path, const std::string &identity,
                               const std::vector<SpaceRecord> &records);
absl::StatusOr<std::vector<SpaceRecord>> ReadSpaceRecords(const std::string &path, const std::string &identity);

}  // namespace onnx2mcu
