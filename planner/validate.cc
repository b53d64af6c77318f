// The independent check of a plan. It shares nothing with the planner but the plan itself: it asks the ops again, walks
// every step of every operand, and follows the bytes one by one.
#include <algorithm>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "planner/plan.h"

namespace onnx2mcu {
namespace {

struct CheckedOperand {
  NodeId node = kNone;
  int32_t time = 0, stage = 0, index = 0;
  bool write = false, in_place = false;
  TensorId tensor = kNone;
  o2m_access access{};
};

struct PlanChecker {
  const Graph &graph;
  const o2m_target &target;
  const Plan &plan;
  std::vector<std::vector<CheckedOperand>> operands;  // by base TensorId, in time order; of one node: reads first
  std::vector<int32_t> stage_begin, stage_end;
  std::vector<int64_t> scratch, state;  // by NodeId
};

absl::Status BadPlan(const std::string &what) { return absl::InternalError(absl::StrCat("plan: ", what)); }

// Runs of bytes [low, high) of the base that step `step` touches; step < 0: all of the operand.
template <typename Visit>
void ForEachRun(const Graph &graph, const CheckedOperand &operand, int64_t step, const Visit &visit) {
  const Tensor &tensor = graph.tensors[operand.tensor];
  const std::vector<int64_t> strides = StridesOf(tensor);
  const int64_t element = DTypeBytes(tensor.dtype);
  std::vector<int64_t> low(tensor.dims.size(), 0), high = tensor.dims;
  if (step >= 0 && operand.access.extent > 0) {
    const int64_t first = step * operand.access.step - operand.access.before;
    int64_t &from = low[operand.access.axis], &to = high[operand.access.axis];
    from = std::max<int64_t>(from, first), to = std::min(to, first + operand.access.extent);
    if (from >= to) return;
  }
  const size_t rank = tensor.dims.size();
  const bool run = rank > 0 && strides[rank - 1] == 1;  // the last axis is one run
  std::vector<int64_t> at = low;
  while (true) {
    int64_t offset = tensor.view_offset;
    for (size_t i = 0; i < rank; i++) offset += at[i] * strides[i];
    const int64_t count = run ? high[rank - 1] - low[rank - 1] : 1;
    visit(offset * element, (offset + count) * element);
    size_t i = run ? rank - 1 : rank;
    while (i > 0 && ++at[i - 1] == high[i - 1]) at[i - 1] = low[i - 1], i--;
    if (i == 0) return;
  }
}

absl::Status CollectNode(PlanChecker &c, NodeId id, int32_t stage, int32_t time) {
  const Stage &s = c.plan.stages[stage];
  const Node &node = c.graph.nodes[id];
  const o2m_memory memory = MemoryOf(c.graph, node, c.target, std::max(s.rows, 1));
  if (memory.steps != s.steps) return BadPlan(absl::StrCat("node '", node.name, "' is in a loop of another length"));
  c.scratch[id] = memory.scratch_bytes, c.state[id] = memory.state_bytes;
  const auto add = [&](TensorId tensor, const o2m_access &access, bool write, size_t index) {
    if (tensor == kNone || c.graph.tensors[BaseOf(c.graph, tensor)].is_constant) return;
    const bool in_place = !write && s.steps > 0 && (memory.in_place_inputs >> index & 1);
    c.operands[BaseOf(c.graph, tensor)].push_back(
        {id, time, stage, static_cast<int32_t>(index), write, in_place, tensor, access});
  };
  for (size_t i = 0; i < node.inputs.size(); i++) add(node.inputs[i], memory.inputs[i], false, i);
  for (size_t i = 0; i < node.outputs.size(); i++) add(node.outputs[i], memory.outputs[i], true, i);
  return absl::OkStatus();
}

absl::Status Collect(PlanChecker &c) {
  std::vector<bool> seen(c.graph.nodes.size());
  c.operands.resize(c.graph.tensors.size());
  c.scratch.resize(c.graph.nodes.size()), c.state.resize(c.graph.nodes.size());
  int32_t time = 0;
  for (size_t s = 0; s < c.plan.stages.size(); s++) {
    const Stage &stage = c.plan.stages[s];
    c.stage_begin.push_back(time);
    if (stage.nodes.empty()) return BadPlan("a stage without nodes");
    if (stage.steps == 0 && stage.nodes.size() > 1) return BadPlan("several whole nodes in one stage");
    if (stage.steps > 0 && (stage.rows < 1 || stage.rows > stage.steps)) return BadPlan("a loop with impossible rows");
    for (NodeId node : stage.nodes) {
      if (node < 0 || node >= static_cast<NodeId>(seen.size()) || seen[node]) return BadPlan("a node runs twice");
      seen[node] = true;
      O2M_RETURN_IF_ERROR(CollectNode(c, node, static_cast<int32_t>(s), time++));
    }
    c.stage_end.push_back(time);
  }
  return absl::OkStatus();
}

bool InArena(const Graph &graph, TensorId base) {
  const Tensor &tensor = graph.tensors[base];
  return !tensor.is_constant && !Contains(graph.outputs, base) && (tensor.in_arena || !Contains(graph.inputs, base));
}

int64_t IterationOf(const Stage &stage, int64_t step) { return stage.steps == 0 ? 0 : step / stage.rows; }

// Who wrote a byte of a base, and when.
struct Written {
  int32_t time = kNone, stage = kNone;
  int64_t iteration = 0, place = 0;  // place: in the tile
};

// Steps that an operand is looked at for: one, all at once, where it is whole.
int64_t StepsOf(const PlanChecker &c, const CheckedOperand &operand) {
  return operand.access.extent == 0 || c.plan.stages[operand.stage].steps == 0 ? 0 : c.plan.stages[operand.stage].steps;
}

int64_t TilePlace(const PlanChecker &c, const CheckedOperand &operand, int64_t byte, int64_t iteration) {
  const Tensor &tensor = c.graph.tensors[operand.tensor];
  const int64_t stride = StridesOf(tensor)[operand.access.axis] * DTypeBytes(tensor.dtype) * operand.access.step;
  return byte - iteration * c.plan.stages[operand.stage].rows * stride;
}

std::string NameOf(const PlanChecker &c, const CheckedOperand &operand) {
  return absl::StrCat("node '", c.graph.nodes[operand.node].name, "', tensor '", c.graph.tensors[operand.tensor].name,
                      "'");
}

absl::Status CheckRun(const PlanChecker &c, const CheckedOperand &operand, bool tile, int64_t tile_bytes, int64_t step,
                      int64_t low, int64_t high, std::vector<Written> &bytes) {
  const Stage &stage = c.plan.stages[operand.stage];
  const int64_t iteration = IterationOf(stage, std::max<int64_t>(step, 0));
  if (low < 0 || high > static_cast<int64_t>(bytes.size())) return BadPlan(NameOf(c, operand) + ": outside its memory");
  const int64_t shift = tile ? TilePlace(c, operand, 0, iteration) : 0;
  for (int64_t byte = low; byte < high; byte++) {
    Written &w = bytes[byte];
    const int64_t place = byte + shift;
    if (place < 0 || (tile && place >= tile_bytes)) return BadPlan(NameOf(c, operand) + ": outside its tile");
    if (operand.write) {
      w = {operand.time, operand.stage, iteration, place};
      continue;
    }
    if (w.time == kNone || w.time >= operand.time) return BadPlan(NameOf(c, operand) + ": read before it is written");
    const bool same_loop = w.stage == operand.stage;
    if (same_loop && w.iteration > iteration) return BadPlan(NameOf(c, operand) + ": read in an earlier iteration");
    if (tile && (!same_loop || w.iteration != iteration || w.place != place))
      return BadPlan(NameOf(c, operand) + ": the tile no longer holds it");
  }
  return absl::OkStatus();
}

// Every byte read was written before, in an earlier or the same iteration; tiles still hold it.
absl::Status CheckBytes(const PlanChecker &c, TensorId base) {
  const int32_t index = InArena(c.graph, base) ? c.plan.buffer_of[base] : kNone;
  const bool tile = index != kNone && c.plan.buffers[index].tile;
  const bool given = Contains(c.graph.inputs, base);
  if (tile && given) return absl::OkStatus();  // a band that rows are pushed into: ValidateStream() follows them
  int64_t size = BytesOf(c.graph.tensors[base]);
  for (const CheckedOperand &operand : c.operands[base])
    ForEachRun(c.graph, operand, -1, [&](int64_t, int64_t high) { size = std::max(size, high); });
  if (index != kNone && !tile && c.plan.buffers[index].bytes < size)
    return BadPlan("a tensor is larger than its buffer");
  std::vector<Written> bytes(size);
  if (given) std::fill(bytes.begin(), bytes.end(), Written{-2, kNone, 0, 0});
  absl::Status status;
  for (const CheckedOperand &operand : c.operands[base]) {
    const int64_t steps = StepsOf(c, operand);
    if (tile && steps == 0) return BadPlan(NameOf(c, operand) + ": a tile is used whole");
    for (int64_t step = steps ? 0 : -1; step < steps; step++)
      ForEachRun(c.graph, operand, step, [&](int64_t low, int64_t high) {
        const int64_t tile_bytes = tile ? c.plan.buffers[index].bytes : 0;
        if (status.ok()) status = CheckRun(c, operand, tile, tile_bytes, step, low, high, bytes);
      });
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status CheckLifetime(const PlanChecker &c, const Buffer &buffer, const CheckedOperand &operand) {
  const Stage &stage = c.plan.stages[operand.stage];
  const bool given = Contains(c.graph.inputs, buffer.id);
  if (given && !buffer.tile && (buffer.first > 0 || buffer.bytes < BytesOf(c.graph.tensors[buffer.id])))
    return BadPlan(NameOf(c, operand) + ": an input without its place from the start");
  const bool whole_stage = stage.steps > stage.rows && (!buffer.tile || given);
  const int32_t first = whole_stage ? c.stage_begin[operand.stage] : operand.time;
  const int32_t last = whole_stage ? c.stage_end[operand.stage] - 1 : operand.time;
  if (buffer.first > first || buffer.last < last) return BadPlan(NameOf(c, operand) + ": not alive when it is used");
  if (buffer.first_stage > operand.stage || buffer.last_stage < operand.stage)
    return BadPlan(NameOf(c, operand) + ": not alive in the stage that uses it");
  if (buffer.tile && buffer.first_stage != buffer.last_stage)
    return BadPlan(NameOf(c, operand) + ": a tile leaves its loop");
  return absl::OkStatus();
}

absl::Status CheckBlock(const PlanChecker &c, int32_t index, BufferKind kind, NodeId node, int64_t bytes, int32_t first,
                        int32_t last) {
  const std::string name = absl::StrCat("node '", c.graph.nodes[node].name, "'");
  if (bytes == 0) return absl::OkStatus();
  if (index == kNone) return BadPlan(name + ": has no scratch or state");
  const Buffer &buffer = c.plan.buffers[index];
  if (buffer.kind != kind || buffer.id != node) return BadPlan(name + ": scratch or state of another node");
  if (buffer.bytes < bytes) return BadPlan(name + ": too little scratch or state");
  if (buffer.first > first || buffer.last < last) return BadPlan(name + ": scratch or state dies too early");
  if (buffer.offset % 16) return BadPlan(name + ": scratch or state is not aligned");
  return absl::OkStatus();
}

absl::Status CheckBuffers(const PlanChecker &c) {
  for (size_t base = 0; base < c.operands.size(); base++) {
    if (c.operands[base].empty()) continue;
    const TensorId id = static_cast<TensorId>(base);
    const int32_t index = c.plan.buffer_of[base];
    if (InArena(c.graph, id) != (index != kNone)) return BadPlan("a tensor without a place, or with two");
    O2M_RETURN_IF_ERROR(CheckBytes(c, id));
    if (index == kNone) continue;
    const Buffer &buffer = c.plan.buffers[index];
    if (buffer.kind != BufferKind::kTensor || buffer.id != id) return BadPlan("a tensor in another one's buffer");
    if (buffer.offset % DTypeBytes(c.graph.tensors[base].dtype)) return BadPlan("a tensor is not aligned");
    for (const CheckedOperand &operand : c.operands[base]) O2M_RETURN_IF_ERROR(CheckLifetime(c, buffer, operand));
  }
  for (size_t s = 0; s < c.plan.stages.size(); s++) {
    int32_t time = c.stage_begin[s];
    for (NodeId node : c.plan.stages[s].nodes) {
      O2M_RETURN_IF_ERROR(
          CheckBlock(c, c.plan.scratch_of[node], BufferKind::kScratch, node, c.scratch[node], time, time));
      O2M_RETURN_IF_ERROR(CheckBlock(c, c.plan.state_of[node], BufferKind::kState, node, c.state[node],
                                     c.stage_begin[s], c.stage_end[s] - 1));
      time++;
    }
  }
  return absl::OkStatus();
}

// A copy is whole before its reader begins and left alone until that has ended.
absl::Status CheckPrefetches(const PlanChecker &c) {
  for (const Prefetch &p : c.plan.prefetches) {
    const std::string name = absl::StrCat("node '", c.graph.nodes[p.node].name, "'");
    if (p.stage < 1 || p.stage >= static_cast<int32_t>(c.plan.stages.size()) || p.buffer < 0 ||
        p.buffer >= static_cast<int32_t>(c.plan.buffers.size()))
      return BadPlan(name + ": prefetched from nowhere");
    const std::vector<NodeId> &nodes = c.plan.stages[p.stage].nodes;
    if (std::find(nodes.begin(), nodes.end(), p.node) == nodes.end())
      return BadPlan(name + ": prefetched for another stage");
    const Buffer &buffer = c.plan.buffers[p.buffer];
    if (buffer.kind != BufferKind::kPrefetch || buffer.id != p.node)
      return BadPlan(name + ": prefetched over another's");
    if (buffer.bytes < static_cast<int64_t>(c.graph.nodes[p.node].constants[p.slot].data.size()))
      return BadPlan(name + ": too little room for what is prefetched");
    if (buffer.first > c.stage_begin[p.stage - 1] || buffer.last < c.stage_end[p.stage] - 1)
      return BadPlan(name + ": prefetched too late or gone too early");
    if (buffer.offset % 16) return BadPlan(name + ": prefetched to no multiple of 16");
  }
  return absl::OkStatus();
}

// Two buffers that share bytes while both are alive: follows the loop step by step and marks what y has covered.
struct Overlap {
  const PlanChecker &c;
  const Buffer &x, &y;
  std::vector<bool> covered;  // bytes of x
  bool hurt = false;
};

int64_t WrappedPlaceOf(const Overlap &o, const CheckedOperand &operand, const Buffer &buffer, int64_t byte,
                       int64_t step) {
  return buffer.offset +
         (buffer.tile ? TilePlace(o.c, operand, byte, IterationOf(o.c.plan.stages[operand.stage], step)) : byte);
}

void Visit(Overlap &o, const CheckedOperand &operand, int64_t step) {
  const Buffer &buffer = operand.write ? o.y : o.x;
  ForEachRun(o.c.graph, operand, StepsOf(o.c, operand) ? step : -1, [&](int64_t low, int64_t high) {
    const int64_t from = WrappedPlaceOf(o, operand, buffer, low, step) - o.x.offset;
    for (int64_t i = std::max<int64_t>(from, 0); i < from + high - low && i < o.x.bytes; i++) {
      if (operand.write)
        o.covered[i] = true;
      else if (o.covered[i])
        o.hurt = true;
    }
  });
}

int64_t StartOf(const Overlap &o, const CheckedOperand &operand, const Buffer &buffer, int64_t step) {
  int64_t start = buffer.offset + buffer.bytes;
  ForEachRun(o.c.graph, operand, StepsOf(o.c, operand) ? step : -1,
             [&](int64_t low, int64_t) { start = std::min(start, WrappedPlaceOf(o, operand, buffer, low, step)); });
  return start;
}

// Where the elements of one step lie, in the order in which an op walks them.
std::vector<int64_t> ElementsOf(const Overlap &o, const CheckedOperand &operand, const Buffer &buffer, int64_t step) {
  std::vector<int64_t> places;
  const int64_t element = DTypeBytes(o.c.graph.tensors[operand.tensor].dtype);
  ForEachRun(o.c.graph, operand, StepsOf(o.c, operand) ? step : -1, [&](int64_t low, int64_t high) {
    const int64_t place = WrappedPlaceOf(o, operand, buffer, low, step);
    for (int64_t byte = 0; byte < high - low; byte += element) places.push_back(place + byte);
  });
  return places;
}

// The usual case: rows that lie alike. What is written ends no higher than what has been read.
bool KeepsBehind(const std::vector<int64_t> &x, const std::vector<int64_t> &y, int64_t x_element, int64_t y_element) {
  for (size_t i = 0; i < x.size(); i++)
    if (y[i] + y_element > x[i] + x_element || (i > 0 && x[i] < x[i - 1] + x_element)) return false;
  return true;
}

// Within a step an op that works in place walks both upward: true if an element is written over one that is still to
// be read. With wider or other numbers of elements it has to buffer the row, and does not.
bool Overtakes(const Overlap &o, const CheckedOperand &read, const CheckedOperand &write, int64_t step) {
  const std::vector<Tensor> &tensors = o.c.graph.tensors;
  const int64_t x_element = DTypeBytes(tensors[read.tensor].dtype), y_element = DTypeBytes(tensors[write.tensor].dtype);
  const std::vector<int64_t> x = ElementsOf(o, read, o.x, step), y = ElementsOf(o, write, o.y, step);
  if (x.size() != y.size() || y_element > x_element || KeepsBehind(x, y, x_element, y_element)) return false;
  std::vector<size_t> reader(o.x.bytes, 0);  // by byte of x: the last element that lies there
  for (size_t i = 0; i < x.size(); i++)
    for (int64_t byte = x[i] - o.x.offset; byte < x[i] - o.x.offset + x_element && byte < o.x.bytes; byte++)
      if (byte >= 0) reader[byte] = i;
  for (size_t i = 0; i < y.size(); i++)
    for (int64_t byte = y[i] - o.x.offset; byte < y[i] - o.x.offset + y_element; byte++)
      if (byte >= 0 && byte < o.x.bytes && reader[byte] > i) return true;
  return false;
}

// One call of one node for steps [first, done): reads of x and writes of y.
void VisitCall(Overlap &o, const std::vector<const CheckedOperand *> &reads,
               const std::vector<const CheckedOperand *> &writes, int64_t first, int64_t done) {
  const auto ordered = [&](const CheckedOperand &read, const CheckedOperand &write) {
    return read.in_place && write.index == 0;
  };
  for (int64_t step = first; step < done; step++) {
    for (const CheckedOperand *read : reads) Visit(o, *read, step);
    for (const CheckedOperand *write : writes) {
      for (const CheckedOperand *read : reads)
        if (ordered(*read, *write) &&
            (StartOf(o, *write, o.y, step) > StartOf(o, *read, o.x, step) || Overtakes(o, *read, *write, step)))
          o.hurt = true;
      Visit(o, *write, step);
    }
  }
  for (const CheckedOperand *read : reads)
    for (const CheckedOperand *write : writes)
      if (!ordered(*read, *write))  // any order within the call: what is covered by its end must not have been read
        for (int64_t step = first; step < done; step++) Visit(o, *read, step);
}

std::vector<const CheckedOperand *> Select(const PlanChecker &c, const Buffer &buffer, int32_t time, bool write) {
  std::vector<const CheckedOperand *> selected;
  for (const CheckedOperand &operand : c.operands[buffer.id])
    if (operand.time == time && operand.write == write) selected.push_back(&operand);
  return selected;
}

// True if what y holds before the stage in which x dies lies outside of x.
bool ApartBefore(const PlanChecker &c, const Buffer &x, const Buffer &y) {
  bool apart = true;
  for (const CheckedOperand &operand : c.operands[y.id]) {
    if (!operand.write || operand.stage >= x.last_stage) continue;
    ForEachRun(c.graph, operand, -1, [&](int64_t low, int64_t high) {
      if (y.offset + low < x.offset + x.bytes && x.offset < y.offset + high) apart = false;
    });
  }
  return apart;
}

// True if y, written in the stage in which x dies, never covers a byte of x that is still read.
bool MayOverwrite(const PlanChecker &c, const Buffer &x, const Buffer &y) {
  if (x.kind != BufferKind::kTensor || y.kind != BufferKind::kTensor) return false;
  if (y.first_stage > x.last_stage || (y.tile && y.first_stage < x.last_stage)) return false;
  if (Contains(c.graph.inputs, y.id)) return false;  // the caller wrote it: before everything
  if (!ApartBefore(c, x, y)) return false;
  const int32_t s = x.last_stage;
  const Stage &stage = c.plan.stages[s];
  const bool loops = stage.steps > stage.rows;
  int32_t first_write = c.stage_end[s];
  for (const CheckedOperand &operand : c.operands[y.id])
    if (operand.write && operand.stage == s) first_write = std::min(first_write, operand.time);
  if (loops && !x.tile && !y.tile) first_write = c.stage_begin[s];
  if (loops && x.tile != y.tile) return false;
  for (const CheckedOperand &operand : c.operands[x.id])
    if (operand.write && operand.time >= first_write) return false;
  Overlap overlap{c, x, y, std::vector<bool>(x.bytes), false};
  const int64_t iterations = stage.steps == 0 ? 1 : (stage.steps + stage.rows - 1) / stage.rows;
  for (int64_t k = 0; k < (x.tile ? 1 : iterations); k++)
    for (int32_t time = c.stage_begin[s]; time < c.stage_end[s]; time++)
      VisitCall(overlap, Select(c, x, time, false), Select(c, y, time, true), k * stage.rows,
                stage.steps == 0 ? 1 : std::min<int64_t>((k + 1) * stage.rows, stage.steps));
  return !overlap.hurt;
}

std::string Describe(const PlanChecker &c, const Buffer &buffer) {
  if (buffer.kind == BufferKind::kTensor) return absl::StrCat("'", c.graph.tensors[buffer.id].name, "'");
  return absl::StrCat(buffer.kind == BufferKind::kScratch ? "scratch of '"
                      : buffer.kind == BufferKind::kState ? "state of '"
                                                          : "prefetched constant of '",
                      c.graph.nodes[buffer.id].name, "'");
}

bool Listed(const Plan &plan, int32_t x, int32_t y) {
  for (const Overwrite &o : plan.overwrites)
    if (o.x == x && o.y == y && plan.buffers[x].offset - plan.buffers[y].offset >= o.distance) return true;
  return false;
}

absl::Status CheckPairs(const PlanChecker &c) {
  const std::vector<Buffer> &buffers = c.plan.buffers;
  for (size_t i = 0; i < buffers.size(); i++) {
    const Buffer &a = buffers[i];
    if (a.offset < 0 || a.offset + a.bytes > c.plan.arena_bytes)
      return BadPlan(Describe(c, a) + " is outside the arena");
    for (const int64_t at : c.plan.boundaries)
      if (a.offset < at && at < a.offset + a.bytes) return BadPlan(Describe(c, a) + " lies across two regions");
    for (size_t j = 0; j < i; j++) {
      const Buffer &b = buffers[j];
      if (a.first > b.last || b.first > a.last) continue;
      if (a.offset >= b.offset + b.bytes || b.offset >= a.offset + a.bytes) continue;
      const int32_t p = static_cast<int32_t>(i), q = static_cast<int32_t>(j);
      if (Listed(c.plan, p, q) && MayOverwrite(c, a, b)) continue;
      if (Listed(c.plan, q, p) && MayOverwrite(c, b, a)) continue;
      return BadPlan(absl::StrCat(Describe(c, a), " and ", Describe(c, b), " are alive together and overlap"));
    }
  }
  return absl::OkStatus();
}

absl::Status CheckOutputs(const PlanChecker &c) {
  for (TensorId output : c.graph.outputs) {
    const std::vector<CheckedOperand> &operands = c.operands[output];
    const bool written = std::any_of(operands.begin(), operands.end(), [](const CheckedOperand &o) { return o.write; });
    if (!written) return BadPlan(absl::StrCat("output '", c.graph.tensors[output].name, "' is never written"));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status ValidatePlan(const Graph &graph, const o2m_target &target, const Plan &plan) {
  PlanChecker c{graph, target, plan, {}, {}, {}, {}, {}};
  if (plan.buffer_of.size() != graph.tensors.size() || plan.scratch_of.size() != graph.nodes.size() ||
      plan.state_of.size() != graph.nodes.size())
    return BadPlan("made for another graph");
  O2M_RETURN_IF_ERROR(Collect(c));
  O2M_RETURN_IF_ERROR(CheckBuffers(c));
  O2M_RETURN_IF_ERROR(CheckPrefetches(c));
  for (const int64_t at : plan.boundaries)
    if (at % 16) return BadPlan("a region begins at no multiple of 16");
  O2M_RETURN_IF_ERROR(CheckPairs(c));
  O2M_RETURN_IF_ERROR(CheckOutputs(c));
  if (plan.lower_bound_bytes > plan.arena_bytes) return BadPlan("the arena is smaller than the lower bound");
  return absl::OkStatus();
}

}  // namespace onnx2mcu
