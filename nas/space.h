// nas/space.h - a search space as data, read from YAML: what may vary, in which steps, per network or per block.
//
// A candidate is a row of genes, each an index into the values that its gene may take; the search knows nothing else of
// it. ConfigOf() says what network that is.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "importer/ir/status.h"
#include "nas/vit.h"

namespace onnx2mcu {

// "dim", "depth", "patch", "blocks[3].heads"; values ascending, never empty.
struct Gene {
  std::string name;
  std::vector<double> values;
};

struct Space {
  std::string name;
  VitConfig base;  // what does not vary; its blocks are as many as the deepest network has
  std::vector<Gene> genes;
};

using Genes = std::vector<int32_t>;  // by gene: index into its values

// InvalidArgument: "FILE:LINE: what, and what would work". NotFound: no such file.
absl::StatusOr<Space> ReadSpace(const std::string &path);

// Precondition: genes of this space. Two rows of genes with equal Canonical() are the same network.
VitConfig ConfigOf(const Space &space, const Genes &genes);
// By gene: whether it changes the network, as those of blocks beyond the depth do not.
std::vector<bool> LiveGenes(const Space &space, const Genes &genes);
// Dead genes set to 0.
Genes Canonical(const Space &space, Genes genes);

}  // namespace onnx2mcu
