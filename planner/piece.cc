#include "planner/piece.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include "planner/buffers.h"
#include "planner/cost.h"
#include "planner/make_plan.h"

namespace onnx2mcu {
namespace {

int32_t BufferOf(const Plan &plan, const std::vector<TensorId> &bases) {
  for (const TensorId base : bases)
    if (plan.buffer_of[base] != kNone) return plan.buffer_of[base];
  return -1;
}

void AddPrices(const Graph &graph, const o2m_target &target, Piece &piece) {
  piece.instructions = EstimateInstructions(graph, piece.plan, target);
  piece.flash_bytes_read = FlashBytesRead(graph, piece.plan, target);
  piece.time = TimeOf(piece.instructions, piece.flash_bytes_read, target) + int64_t{target.call_price} * piece.nodes;
  for (const Node &node : graph.nodes)
    for (const Constant &constant : node.constants) piece.constant_bytes += constant.count * DTypeBytes(constant.dtype);
}

void AddLinks(Placements &placements, Piece &piece) {
  const Problem problem = ProblemOf(piece.plan.buffers, piece.plan.overwrites);
  for (const Part &part : CutInTime(problem, piece.in, piece.out))
    piece.links.push_back({IdOf(placements, part.problem), part.in, part.out});
}

}  // namespace

absl::StatusOr<Piece> PieceOf(const Segment &segment, const Option &option, const o2m_target &target,
                              Placements &placements) {
  const Graph &graph = option.graph;
  O2M_ASSIGN_OR_RETURN(Contracts contracts, ContractsOf(graph, target));
  Piece piece;
  piece.plan.stages = option.stages;
  piece.nodes = static_cast<int32_t>(graph.nodes.size());
  AddBuffers(graph, target, contracts, piece.plan, segment.border);
  piece.in = BufferOf(piece.plan, segment.border.in), piece.out = BufferOf(piece.plan, segment.border.out);
  if (piece.out >= 0) piece.written_end = WrittenEnd(contracts, piece.plan.buffers[piece.out].id);
  for (const Overwrite &o : piece.plan.overwrites) piece.written_over |= o.y == piece.in;
  for (const TensorId input : graph.inputs)
    if (piece.plan.buffer_of[input] != kNone) piece.inputs.push_back(piece.plan.buffer_of[input]);
  AddPrices(graph, target, piece);
  AddLinks(placements, piece);
  return piece;
}

bool Plain(std::span<const Piece *const> pieces) {
  int64_t carried = -1;  // bytes of the buffer that lives from one piece to the next
  for (const Piece *piece : pieces) {
    if (!piece->inputs.empty() || piece->written_over || (carried >= 0) != (piece->in >= 0)) return false;
    if (piece->in >= 0 && piece->plan.buffers[piece->in].bytes != carried) return false;
    carried = piece->out >= 0 ? piece->plan.buffers[piece->out].bytes : -1;
  }
  return true;
}

namespace {

struct Joiner {
  Plan &plan;
  int32_t node = 0, time = 0, stage = 0;  // of the piece at hand
  int32_t carried = -1;                   // buffer that lives into the piece
  int64_t carried_end = 0;                // past the last byte of it that was written
};

Buffer Shifted(Buffer buffer, const Joiner &j) {
  buffer.first += j.time, buffer.last += j.time;
  buffer.first_stage += j.stage, buffer.last_stage += j.stage;
  return buffer;
}

// By buffer of the piece, tensors alone: its index in the whole.
std::vector<int32_t> JoinTensors(Joiner &j, const Piece &piece, const std::vector<TensorId> *ids) {
  std::vector<int32_t> index;
  for (size_t i = 0; i < piece.plan.buffers.size(); i++) {
    if (piece.plan.buffers[i].kind != BufferKind::kTensor) break;  // scratch and state stand behind
    Buffer buffer = Shifted(piece.plan.buffers[i], j);
    if (static_cast<int32_t>(i) == piece.in && j.carried >= 0) {
      Buffer &whole = j.plan.buffers[j.carried];
      whole.last = buffer.last, whole.last_stage = buffer.last_stage;
      whole.bytes = std::max(whole.bytes, buffer.bytes);
      index.push_back(j.carried);
      continue;
    }
    if (ids) buffer.id = (*ids)[buffer.id];
    if (std::find(piece.inputs.begin(), piece.inputs.end(), static_cast<int32_t>(i)) != piece.inputs.end())
      buffer.first = buffer.first_stage = 0;
    index.push_back(static_cast<int32_t>(j.plan.buffers.size()));
    j.plan.buffers.push_back(buffer);
  }
  return index;
}

void JoinOverwrites(Joiner &j, const Piece &piece, const std::vector<int32_t> &index) {
  for (const Overwrite &o : piece.plan.overwrites) {
    Overwrite whole{index[o.x], index[o.y], o.distance};
    if (o.y == piece.in && j.carried >= 0) whole.distance = std::max(whole.distance, j.carried_end);
    if (whole.distance < j.plan.buffers[whole.y].bytes) j.plan.overwrites.push_back(whole);
  }
}

void JoinStages(Joiner &j, const Piece &piece) {
  for (Stage stage : piece.plan.stages) {
    for (NodeId &node : stage.nodes) node += j.node;
    j.plan.stages.push_back(std::move(stage));
  }
}

void Carry(Joiner &j, const Piece &piece, const std::vector<int32_t> &index) {
  const bool passes = piece.in < 0 && piece.out < 0;
  if (passes) return;
  const bool same = piece.in >= 0 && piece.in == piece.out;
  j.carried_end = same ? std::max(j.carried_end, piece.written_end) : piece.written_end;
  j.carried = piece.out >= 0 ? index[piece.out] : -1;
}

// Behind all tensors, in time.
void JoinBlocks(Joiner &j, const Piece &piece) {
  for (Buffer buffer : piece.plan.buffers) {
    if (buffer.kind == BufferKind::kTensor) continue;
    buffer = Shifted(buffer, j);
    buffer.id += j.node;
    j.plan.buffers.push_back(buffer);
  }
}

void Advance(Joiner &j, const Piece &piece) {
  j.node += piece.nodes, j.stage += static_cast<int32_t>(piece.plan.stages.size());
  for (const Stage &stage : piece.plan.stages) j.time += static_cast<int32_t>(stage.nodes.size());
}

void FillIndices(Plan &plan, size_t tensors, int32_t nodes) {
  plan.buffer_of.assign(tensors, kNone);
  plan.scratch_of.assign(nodes, kNone), plan.state_of.assign(nodes, kNone);
  for (int32_t i = 0; i < static_cast<int32_t>(plan.buffers.size()); i++) {
    const Buffer &buffer = plan.buffers[i];
    if (buffer.kind == BufferKind::kTensor) plan.buffer_of[buffer.id] = i;
    if (buffer.kind == BufferKind::kScratch) plan.scratch_of[buffer.id] = i;
    if (buffer.kind == BufferKind::kState) plan.state_of[buffer.id] = i;
  }
}

}  // namespace

Plan Join(std::span<const Piece *const> pieces, const std::vector<std::vector<TensorId>> &ids, size_t tensors) {
  Plan plan;
  Joiner j{plan};
  for (size_t p = 0; p < pieces.size(); p++) {
    const std::vector<int32_t> index = JoinTensors(j, *pieces[p], ids.empty() ? nullptr : &ids[p]);
    JoinOverwrites(j, *pieces[p], index);
    JoinStages(j, *pieces[p]);
    Carry(j, *pieces[p], index);
    Advance(j, *pieces[p]);
  }
  const int32_t nodes = j.node;
  j.node = j.time = j.stage = 0;
  for (const Piece *piece : pieces) JoinBlocks(j, *piece), Advance(j, *piece);
  std::sort(plan.overwrites.begin(), plan.overwrites.end(),
            [](const Overwrite &a, const Overwrite &b) { return std::tie(a.y, a.x) < std::tie(b.y, b.x); });
  if (!ids.empty()) FillIndices(plan, tensors, nodes);
  return plan;
}

}  // namespace onnx2mcu
