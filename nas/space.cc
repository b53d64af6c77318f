#include "nas/space.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>

namespace onnx2mcu {
namespace {

constexpr char kBlocks[] = "blocks[";

// The block that a gene is of; -1: of the network.
int64_t BlockOf(const std::string &name) {
  return name.rfind(kBlocks, 0) == 0 ? std::atoll(name.c_str() + sizeof kBlocks - 1) : -1;
}

int64_t Whole(double value) { return std::llround(value); }

// What the ratios are before the dimension is known.
struct BlockGenes {
  double heads = 1, head_dim = 0, mlp_ratio = 1, rank_ratio = 1;  // head_dim 0: dim / heads
};

void Set(BlockGenes &block, const std::string &key, double value) {
  if (key == "heads") block.heads = value;
  if (key == "head_dim") block.head_dim = value;
  if (key == "mlp_ratio") block.mlp_ratio = value;
  if (key == "rank_ratio") block.rank_ratio = value;
}

struct Draft {
  VitConfig config;
  std::vector<BlockGenes> blocks;  // as many as the deepest network has
  int64_t depth = 0;
};

void Set(Draft &draft, const std::string &name, double value) {
  if (name == "image") draft.config.image = Whole(value);
  if (name == "patch") draft.config.patch = Whole(value);
  if (name == "dim") draft.config.dim = Whole(value);
  if (name == "depth") draft.depth = Whole(value);
  const int64_t only = BlockOf(name);
  const std::string key = only < 0 ? name : name.substr(name.find('.') + 1);
  for (int64_t i = 0; i < static_cast<int64_t>(draft.blocks.size()); i++)
    if (only < 0 || only == i) Set(draft.blocks[i], key, value);
}

BlockConfig Finish(const BlockGenes &genes, int64_t dim, const RankLayers &layers) {
  BlockConfig block;
  block.heads = Whole(genes.heads);
  block.head_dim = genes.head_dim > 0 ? Whole(genes.head_dim) : dim / block.heads;
  block.mlp_dim = std::max<int64_t>(Whole(genes.mlp_ratio * static_cast<double>(dim)), 1);
  const int64_t inner = block.heads * block.head_dim;
  if (layers.qkv) block.ranks.qkv = RankOf(genes.rank_ratio, dim, 3 * inner);
  if (layers.proj) block.ranks.proj = RankOf(genes.rank_ratio, inner, dim);
  if (layers.fc1) block.ranks.fc1 = RankOf(genes.rank_ratio, dim, block.mlp_dim);
  if (layers.fc2) block.ranks.fc2 = RankOf(genes.rank_ratio, block.mlp_dim, dim);
  return block;
}

// -1: the depth does not vary.
int64_t DepthGene(const Space &space) {
  for (size_t i = 0; i < space.genes.size(); i++)
    if (space.genes[i].name == "depth") return static_cast<int64_t>(i);
  return -1;
}

int64_t DepthOf(const Space &space, const Genes &genes) {
  const int64_t gene = DepthGene(space);
  return gene < 0 ? static_cast<int64_t>(space.base.blocks.size()) : Whole(space.genes[gene].values[genes[gene]]);
}

}  // namespace

int64_t RankOf(double ratio, int64_t in, int64_t out) {
  const int64_t rank = std::max<int64_t>(Whole(ratio * static_cast<double>(std::min(in, out))), 1);
  return rank * (in + out) < in * out ? rank : 0;
}

VitConfig ConfigOf(const Space &space, const Genes &genes) {
  Draft draft{space.base, std::vector<BlockGenes>(space.base.blocks.size()), 0};
  for (const Gene &gene : space.constants) Set(draft, gene.name, gene.values[0]);
  for (size_t i = 0; i < genes.size(); i++) Set(draft, space.genes[i].name, space.genes[i].values[genes[i]]);
  draft.config.blocks.clear();
  for (int64_t i = 0; i < draft.depth; i++)
    draft.config.blocks.push_back(Finish(draft.blocks[i], draft.config.dim, space.rank_layers));
  return std::move(draft.config);
}

std::vector<bool> LiveGenes(const Space &space, const Genes &genes) {
  const int64_t depth = DepthOf(space, genes);
  std::vector<bool> live;
  for (const Gene &gene : space.genes) live.push_back(BlockOf(gene.name) < depth);
  return live;
}

Space Restricted(Space space, const Genes &held) {
  std::vector<Gene> free;
  for (size_t i = 0; i < space.genes.size(); i++) {
    const Gene &gene = space.genes[i];
    const bool holds = i < held.size() && held[i] >= 0;
    if (holds) space.constants.push_back({gene.name, {gene.values[static_cast<size_t>(held[i])]}});
    if (!holds) free.push_back(gene);
  }
  space.genes = std::move(free);
  return space;
}

Genes Canonical(const Space &space, Genes genes) {
  const std::vector<bool> live = LiveGenes(space, genes);
  for (size_t i = 0; i < genes.size(); i++)
    if (!live[i]) genes[i] = 0;
  return genes;
}

Genes RandomGenes(const Space &space, std::mt19937_64 &random) {
  Genes genes;
  for (const Gene &gene : space.genes) genes.push_back(static_cast<int32_t>(random() % gene.values.size()));
  return Canonical(space, std::move(genes));
}

double CandidatesOf(const Space &space) {
  const int64_t gene = DepthGene(space);
  const size_t depths = gene < 0 ? 1 : space.genes[gene].values.size();
  Genes genes(space.genes.size());
  double all = 0;
  for (size_t d = 0; d < depths; d++) {
    if (gene >= 0) genes[gene] = static_cast<int32_t>(d);
    const std::vector<bool> live = LiveGenes(space, genes);
    double these = 1;
    for (size_t i = 0; i < live.size(); i++)
      if (live[i] && static_cast<int64_t>(i) != gene) these *= static_cast<double>(space.genes[i].values.size());
    all += these;
  }
  return all;
}

bool NextGenes(const Space &space, Genes &genes) {
  const std::vector<bool> live = LiveGenes(space, genes);
  for (size_t i = genes.size(); i-- > 0;) {
    if (!live[i]) continue;
    if (genes[i] + 1 < static_cast<int32_t>(space.genes[i].values.size())) return genes[i]++, true;
    genes[i] = 0;
  }
  return false;
}

}  // namespace onnx2mcu
