// planner/piece.h - one option of one segment as a finished part of a plan: what is left to do for a whole network is
// to put pieces one behind the other.
#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "planner/frontier.h"
#include "planner/place_parts.h"

namespace onnx2mcu {

// Nodes, times and stages count from 0, tensors are those of Option::graph.
struct Piece {
  Plan plan;  // without offsets
  int32_t nodes = 0;
  int32_t in = -1, out = -1;    // buffers that live before the segment, and after it; maybe the same one
  int64_t written_end = 0;      // past the last byte of `out` that is written here
  bool written_over = false;    // a distance depends on what was written of `in` before
  std::vector<int32_t> inputs;  // buffers that are inputs of the network: alive from its start
  std::vector<Link> links;      // the placement of this piece in a chain of pieces
  int64_t instructions = 0, flash_bytes_read = 0, constant_bytes = 0;
  int64_t time = 0;  // TimeOf(), and target.call_price per node
};

// The first part of the placement is known before the pieces meet: all but what `Plain` refuses.
absl::StatusOr<Piece> PieceOf(const Segment &segment, const Option &option, const o2m_target &target,
                              Placements &placements);

// True if placing the links of the pieces in a row places the whole: none is passed over by what it does not touch.
bool Plain(std::span<const Piece *const> pieces);

// The plan of the pieces in a row, but for offsets. `ids`: by piece, the tensors of the whole graph by those of the
// piece; may be empty where nobody reads the ids of the plan.
Plan Join(std::span<const Piece *const> pieces, const std::vector<std::vector<TensorId>> &ids, size_t tensors);

}  // namespace onnx2mcu
