// A search on figures of real networks, without a network: networks of unlike blocks, put together from those of like
// blocks in tests/nas/table.
//
// A network's weights, constants and instructions are what surrounds the blocks plus each block's, so they are the mean
// of the networks of which all blocks are like one of its own; its accuracy is taken to be that mean as well. Its RAM
// is that of the one that needs most. So 2,240 rows describe 5.6 million networks.
#pragma once
#include <memory>
#include <string>

#include "nas/search/objective.h"
#include "nas/search/table.h"

namespace onnx2mcu {

struct TableColumns {
  size_t arena = 0, ram = 0, weights = 0, constants = 0, code = 0, instructions = 0, accuracy = 0;
};

struct LikeBlocks {
  std::vector<Gene> genes;  // patch, dim, depth, heads, mlp_ratio, rank_ratio
  Table table;
  TableColumns at;
};

inline absl::StatusOr<std::shared_ptr<LikeBlocks>> ReadLikeBlocks(const std::string &folder) {
  auto like = std::make_shared<LikeBlocks>();
  O2M_ASSIGN_OR_RETURN(const Space space, ReadSpace(folder + "/space.yaml"));
  like->genes = space.genes;
  O2M_ASSIGN_OR_RETURN(like->table, ReadTable(folder + "/table.csv", like->genes));
  TableColumns &at = like->at;
  O2M_ASSIGN_OR_RETURN(at.arena, ColumnOf(like->table, "arena_bytes"));
  O2M_ASSIGN_OR_RETURN(at.ram, ColumnOf(like->table, "ram_bytes"));
  O2M_ASSIGN_OR_RETURN(at.weights, ColumnOf(like->table, "weight_bytes"));
  O2M_ASSIGN_OR_RETURN(at.constants, ColumnOf(like->table, "constant_bytes"));
  O2M_ASSIGN_OR_RETURN(at.code, ColumnOf(like->table, "code_bytes"));
  O2M_ASSIGN_OR_RETURN(at.instructions, ColumnOf(like->table, "instructions_estimate"));
  O2M_ASSIGN_OR_RETURN(at.accuracy, ColumnOf(like->table, "accuracy"));
  return like;
}

// Genes: patch, dim, depth, rank_ratio, then heads and mlp_ratio of each of five blocks.
constexpr size_t kShared = 4, kBlocks = 5;

inline std::vector<Gene> UnlikeGenes(const LikeBlocks &like) {
  std::vector<Gene> genes = {like.genes[0], like.genes[1], like.genes[2], like.genes[5]};
  for (size_t i = 0; i < kBlocks; i++) {
    const std::string block = "blocks[" + std::to_string(i) + "].";
    genes.push_back({block + "heads", like.genes[3].values});
    genes.push_back({block + "mlp_ratio", like.genes[4].values});
  }
  return genes;
}

// The row of the network whose blocks are all like block i.
inline const std::vector<double> &RowOf(const LikeBlocks &like, const Genes &genes, size_t i) {
  const size_t block = kShared + 2 * i;
  return like.table.rows.at({genes[0], genes[1], genes[2], genes[block], genes[block + 1], genes[3]});
}

inline size_t DepthOf(const LikeBlocks &like, const Genes &genes) {
  return static_cast<size_t>(like.genes[2].values[static_cast<size_t>(genes[2])]);
}

inline Cost CostOf(const LikeBlocks &like, const Genes &genes) {
  const auto depth = static_cast<int64_t>(DepthOf(like, genes));
  Cost cost;
  double weights = 0, constants = 0, instructions = 0;
  for (int64_t i = 0; i < depth; i++) {
    const std::vector<double> &row = RowOf(like, genes, static_cast<size_t>(i));
    weights += row[like.at.weights], constants += row[like.at.constants], instructions += row[like.at.instructions];
    cost.arena_bytes = std::max(cost.arena_bytes, static_cast<int64_t>(row[like.at.arena]));
    cost.stack_bytes = static_cast<int64_t>(row[like.at.ram] - row[like.at.arena]);
    cost.code_bytes = std::max(cost.code_bytes, static_cast<int64_t>(row[like.at.code]));
  }
  cost.weight_bytes = static_cast<int64_t>(weights) / depth;
  cost.constant_bytes = static_cast<int64_t>(constants) / depth;
  cost.instructions = static_cast<int64_t>(instructions) / depth;
  return cost;
}

inline SearchProblem UnlikeBlocks(const std::shared_ptr<LikeBlocks> &like, const Limits &limits) {
  const auto live = [like](const Genes &genes) {
    std::vector<bool> lives(genes.size(), true);
    for (size_t i = kShared + 2 * DepthOf(*like, genes); i < genes.size(); i++) lives[i] = false;
    return lives;
  };
  const auto accuracy = [like](const Genes &genes) -> absl::StatusOr<double> {
    double sum = 0;
    for (size_t i = 0; i < DepthOf(*like, genes); i++) sum += RowOf(*like, genes, i)[like->at.accuracy];
    return sum / static_cast<double>(DepthOf(*like, genes));
  };
  const auto cost = [like](const Genes &genes) -> absl::StatusOr<Cost> { return CostOf(*like, genes); };
  return {{UnlikeGenes(*like), live, accuracy, cost}, limits, {}};
}

}  // namespace onnx2mcu
