// nas/space.h - a search space as data, read from YAML: what may vary, in which steps, per network or per block.
//
// A candidate is a row of genes, each an index into the values that its gene may take; the search knows nothing else of
// it. ConfigOf() says what network that is. docs/nas.md has the keys of the file.
#pragma once
#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "importer/ir/status.h"
#include "nas/vit.h"

namespace onnx2mcu {

// "dim", "depth", "patch", "blocks[3].heads"; values ascending, at least two. Of a space's `constants`: one.
struct Gene {
  std::string name;
  std::vector<double> values;
};

// The linear layers of a block that rank_ratio makes two of. By default those of the MLP (MCUFormer, eq. 1).
struct RankLayers {
  bool qkv = false, proj = false, fc1 = true, fc2 = true;
};

struct Space {
  std::string name;
  VitConfig base;  // every gene at its last value, all layers dense
  std::vector<Gene> genes;
  std::vector<Gene> constants;  // what the file gives one value
  RankLayers rank_layers;
};

using Genes = std::vector<int32_t>;  // by gene: index into its values

// InvalidArgument: "FILE:LINE: what, and what would work". NotFound: no such file.
absl::StatusOr<Space> ReadSpace(const std::string &path);

// Precondition: genes of this space. Two rows of genes with equal Canonical() are the same network.
VitConfig ConfigOf(const Space &space, const Genes &genes);
// By gene: whether it changes the network, as those of blocks beyond the depth do not.
std::vector<bool> LiveGenes(const Space &space, const Genes &genes);
// The space of networks that have those values; held: by gene, -1 where it stays free. Its genes are the free ones.
Space Restricted(Space space, const Genes &held);
// Dead genes set to 0.
Genes Canonical(const Space &space, Genes genes);

// round(ratio * min(in, out)), at least 1; 0, dense, where two factors would hold no fewer weights than one matrix.
int64_t RankOf(double ratio, int64_t in, int64_t out);

// Each gene drawn evenly, whatever the others are; canonical. The same everywhere for one state of `random`.
Genes RandomGenes(const Space &space, std::mt19937_64 &random);
// Rows of canonical genes; a count that an integer would not hold is only near.
double CandidatesOf(const Space &space);
// The canonical row after `genes`, the first gene turning slowest. False after the last one; the first has zeros only.
bool NextGenes(const Space &space, Genes &genes);

}  // namespace onnx2mcu
