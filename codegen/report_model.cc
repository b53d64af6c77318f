#include "codegen/report_model.h"

#include <algorithm>
#include <map>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "codegen/names.h"
#include "codegen/regions.h"
#include "importer/ir/vit_view.h"
#include "o2m_version.h"
#include "planner/cost.h"

namespace onnx2mcu {
namespace {

constexpr int32_t kSegmentNodes = 24;  // of a network without blocks

std::string DimsText(const Graph &graph, const std::vector<TensorId> &ids) {
  std::vector<std::string> shapes;
  for (const TensorId id : ids) {
    if (id == kNone || graph.tensors[id].is_constant) continue;
    std::vector<int64_t> dims = graph.tensors[id].dims;
    while (dims.size() > 1 && dims.front() == 1) dims.erase(dims.begin());
    shapes.push_back(dims.empty() ? "1" : absl::StrJoin(dims, "×"));
  }
  return absl::StrJoin(shapes, ", ");
}

// Of the bytes that two buffers share, each counts once.
int64_t LiveAt(const Plan &plan, int32_t time) {
  std::vector<std::pair<int64_t, int64_t>> ranges;
  for (const Buffer &buffer : plan.buffers)
    if (buffer.first <= time && buffer.last >= time) ranges.emplace_back(buffer.offset, buffer.offset + buffer.bytes);
  std::sort(ranges.begin(), ranges.end());
  int64_t live = 0, at = 0;
  for (const auto &[low, high] : ranges) {
    live += std::max<int64_t>(high - std::max(low, at), 0);
    at = std::max(at, high);
  }
  return live;
}

void AddCalls(const Compilation &c, const std::vector<NodeLabel> &labels, ReportModel *model) {
  for (size_t s = 0; s < c.plan.stages.size(); s++) {
    const Stage &stage = c.plan.stages[s];
    for (const NodeId id : stage.nodes) {
      const Node &node = c.graph.nodes[id];
      const Work work = WorkOf(c.graph, node, c.target.abi(), stage.steps, std::max(stage.rows, 1));
      ReportCall call;
      call.stage = static_cast<int32_t>(s);
      call.block = labels[id].block, call.label = labels[id].name, call.node = node.name;
      call.kernel = work.kernel.empty() ? node.op->id : work.kernel;
      call.steps = stage.steps, call.rows = stage.steps > 0 ? stage.rows : 0;
      call.shapes = absl::StrCat(DimsText(c.graph, node.inputs), " → ", DimsText(c.graph, node.outputs));
      call.live_bytes = LiveAt(c.plan, static_cast<int32_t>(model->calls.size()));
      call.macs = work.macs, call.instructions = work.instructions;
      call.flash_bytes_read = work.flash_bytes_read, call.weight_bytes = ConstantBytes(node);
      model->calls.push_back(std::move(call));
    }
  }
}

// By base: the first node in the schedule that writes into it.
std::map<TensorId, NodeId> FirstWriters(const Compilation &c) {
  std::map<TensorId, NodeId> writers;
  for (const Stage &stage : c.plan.stages)
    for (const NodeId id : stage.nodes)
      for (const TensorId out : c.graph.nodes[id].outputs) writers.emplace(BaseOf(c.graph, out), id);
  return writers;
}

void AddBuffers(const Compilation &c, const std::vector<NodeLabel> &labels, ReportModel *model) {
  const std::map<TensorId, NodeId> writers = FirstWriters(c);
  for (const Buffer &buffer : c.plan.buffers) {
    ReportBuffer b;
    b.bytes = buffer.bytes, b.offset = buffer.offset, b.first = buffer.first, b.last = buffer.last;
    b.first_stage = buffer.first_stage, b.last_stage = buffer.last_stage;
    b.place = PlaceOf(c.plan, buffer.offset);
    if (model->regions.size() > 1) b.region = model->regions[static_cast<size_t>(b.place.arena)].second;
    if (buffer.kind == BufferKind::kTensor) {
      const auto writer = writers.find(buffer.id);
      b.name = c.graph.tensors[buffer.id].name;
      b.label = writer == writers.end() ? b.name : labels[writer->second].result;
      b.kind = buffer.tile ? "tile" : b.label == "x" ? "stream" : "tensor";
      for (size_t i = 0; i < c.graph.inputs.size(); i++)
        if (c.graph.inputs[i] == buffer.id) b.kind = "input", b.label = InputName(c.graph, static_cast<int>(i));
    } else {
      b.name = c.graph.nodes[buffer.id].name, b.label = labels[buffer.id].name;
      b.kind = buffer.kind == BufferKind::kState ? "state" : "scratch";  // what is prefetched is as short-lived
    }
    model->buffers.push_back(std::move(b));
  }
}

// The longest run of times without company.
void FindAlone(ReportModel *model) {
  for (ReportBuffer &b : model->buffers) {
    std::vector<bool> shared(static_cast<size_t>(b.last - b.first) + 1, false);
    for (const ReportBuffer &other : model->buffers) {
      if (&other == &b || !Collide(b, other)) continue;
      for (int32_t t = std::max(b.first, other.first); t <= std::min(b.last, other.last); t++)
        shared[static_cast<size_t>(t - b.first)] = true;
    }
    b.alone_first = b.first, b.alone_last = b.last;
    int32_t best = 0, run = 0;
    for (int32_t t = b.first; t <= b.last; t++) {
      run = shared[static_cast<size_t>(t - b.first)] ? 0 : run + 1;
      if (run > best) best = run, b.alone_first = t - run + 1, b.alone_last = t;
    }
  }
}

// All that a drawing of the segment shows, without the names.
std::string Signature(const ReportModel &model, const ReportSegment &segment) {
  std::string signature;
  for (int32_t t = segment.begin; t < segment.end; t++) {
    const ReportCall &call = model.calls[static_cast<size_t>(t)];
    absl::StrAppend(&signature, call.stage - model.calls[static_cast<size_t>(segment.begin)].stage, " ", call.label,
                    " ", call.kernel, " ", call.rows, " ", call.shapes, ";");
  }
  for (const ReportBuffer &b : model.buffers) {
    if (b.last < segment.begin || b.first >= segment.end) continue;
    absl::StrAppend(&signature, b.label, " ", b.kind, " ", b.offset, " ", b.bytes, " ",
                    std::max(b.first, segment.begin) - segment.begin, " ",
                    std::min(b.last, segment.end - 1) - segment.begin, ";");
  }
  return signature;
}

std::string SegmentName(const ReportModel &model, const ReportSegment &segment) {
  const ReportCall &first = model.calls[static_cast<size_t>(segment.begin)],
                   &last = model.calls[static_cast<size_t>(segment.end - 1)];
  if (!first.block.empty()) return first.block;
  return first.stage == last.stage ? absl::StrCat("stage ", first.stage)
                                   : absl::StrCat("stages ", first.stage, "-", last.stage);
}

// A segment ends where the block changes; without blocks, at the first stage that begins behind enough nodes.
bool Ends(const ReportModel &model, int32_t begin, int32_t time) {
  const ReportCall &call = model.calls[static_cast<size_t>(time)], &before = model.calls[static_cast<size_t>(time - 1)];
  if (call.block != before.block) return true;
  return call.block.empty() && call.stage != before.stage && time - begin >= kSegmentNodes;
}

void FindSegments(ReportModel *model) {
  std::map<std::string, int32_t> seen;
  const auto count = static_cast<int32_t>(model->calls.size());
  for (int32_t begin = 0, end = 0; begin < count; begin = end) {
    for (end = begin + 1; end < count && !Ends(*model, begin, end);) end++;
    ReportSegment segment;
    segment.begin = begin, segment.end = end;
    segment.name = SegmentName(*model, segment);
    const auto index = static_cast<int32_t>(model->segments.size());
    segment.alike = seen.emplace(Signature(*model, segment), index).first->second;
    model->segments.push_back(std::move(segment));
  }
}

}  // namespace

bool Collide(const ReportBuffer &a, const ReportBuffer &b) {
  return a.first <= b.last && b.first <= a.last && a.offset < b.offset + b.bytes && b.offset < a.offset + a.bytes;
}

ReportModel ReportModelOf(const Compilation &c, int64_t ram_budget) {
  ReportModel model;
  model.model = c.graph.name, model.sha256 = c.graph.sha256, model.version = O2M_VERSION;
  model.target = c.target.id, model.board = c.board.id, model.clock_hz = c.board.clock_hz;
  model.arena_bytes = c.plan.arena_bytes, model.lower_bound_bytes = c.plan.lower_bound_bytes;
  model.arena_ram = ArenaRam(c.plan);
  for (const Arena &arena : ArenasOf(c.plan)) model.regions.emplace_back(arena.begin, RegionOf(c, arena).name);
  model.ram_budget = ram_budget, model.macs = c.graph.macs;
  model.instructions = EstimateInstructions(c.graph, c.plan, c.target.abi());
  model.weight_bytes = ConstantBytes(c.graph);
  const std::vector<NodeLabel> labels = LabelNodes(c.graph);
  AddCalls(c, labels, &model);
  AddBuffers(c, labels, &model);
  FindAlone(&model);
  FindSegments(&model);
  model.frontier = ByArena(FrontierOf(c));
  for (const Overwrite &o : c.plan.overwrites)
    if (Collide(model.buffers[o.x], model.buffers[o.y])) model.overwrites.emplace_back(o.x, o.y);
  return model;
}

}  // namespace onnx2mcu
