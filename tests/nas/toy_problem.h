// A space whose best network and whose least costs are known by thought: for the search's rules, not for its quality.
#pragma once
#include <string>

#include "nas/search/objective.h"

namespace onnx2mcu {

// Genes: dim 16..64, depth 1..3, patch 4 or 7, and of each of three blocks heads 1..4 and mlp_ratio 1..4.
// The cost of a network is not monotonic in patch, so the least RAM is at no corner of the genes' order.
inline SearchProblem ToyProblem(const Limits &limits) {
  std::vector<Gene> genes = {{"dim", {16, 32, 48, 64}}, {"depth", {1, 2, 3}}, {"patch", {4, 7}}};
  for (int i = 0; i < 3; i++) {
    const std::string block = "blocks[" + std::to_string(i) + "].";
    genes.push_back({block + "heads", {1, 2, 3, 4}});
    genes.push_back({block + "mlp_ratio", {1, 2, 3, 4}});
  }
  const auto live = [](const Genes &row) {
    std::vector<bool> lives(row.size(), true);
    for (size_t i = 3; i < row.size(); i++) lives[i] = static_cast<int32_t>(i - 3) / 2 <= row[1];
    return lives;
  };
  const auto size = [live](const Genes &row, size_t step) {  // of the live blocks' genes
    int64_t sum = 0;
    for (size_t i = 3; i < row.size(); i++)
      if (live(row)[i]) sum += static_cast<int64_t>(step) + row[i];
    return sum;
  };
  const auto accuracy = [size](const Genes &row) -> absl::StatusOr<double> {
    return 0.5 + 0.04 * row[0] + 0.01 * static_cast<double>(size(row, 1)) - 0.02 * row[2];
  };
  const auto cost = [size](const Genes &row) -> absl::StatusOr<Cost> {
    Cost result;
    const int64_t dim = 16 * (row[0] + 1), tokens = row[2] == 0 ? 49 : 16;
    result.arena_bytes = dim * tokens;
    result.stack_bytes = 100;
    result.weight_bytes = dim * size(row, 1);
    result.code_bytes = 1000;
    result.instructions = tokens * dim * size(row, 1);
    return result;
  };
  return {{genes, live, accuracy, cost}, limits, {}};
}

}  // namespace onnx2mcu
