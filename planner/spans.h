// planner/spans.h - the bases of a graph over an order of its nodes: who touches them when, and which may be tiles.
#pragma once
#include <cstdint>
#include <vector>

#include "planner/contract.h"
#include "planner/overwrite.h"

namespace onnx2mcu {

// Bases that live beyond the nodes at hand: written before the first, read after the last.
struct Border {
  std::vector<TensorId> in, out;
};

// A base in the arena. first -1: alive before; last = number of nodes: alive after.
struct Span {
  TensorId base = kNone;
  int64_t bytes = 0, tile_stride = 0;
  int32_t first = 0, last = 0;
  bool one_loop = false;  // all that touches it, and all between, may be one loop
  std::vector<Use> reads, writes;
};

struct Spans {
  std::vector<NodeId> order;
  std::vector<Span> all;                 // by first touch
  std::vector<std::vector<int32_t>> at;  // by position in the order: spans touched there
  std::vector<int32_t> barrier;          // by position: a loop that holds it may not begin before
};

Spans SpansOf(const Contracts &contracts, std::vector<NodeId> order, const Border &border);
// Over all nodes as they are listed.
Spans SpansOfAll(const Graph &graph, const Contracts &contracts, const Border &border);

}  // namespace onnx2mcu
