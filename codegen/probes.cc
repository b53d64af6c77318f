#include "codegen/probes.h"

#include <zlib.h>

#include <algorithm>
#include <numeric>

#include "absl/strings/str_cat.h"

namespace onnx2mcu {
namespace {

uint32_t Crc(uint32_t crc, const void *data, int64_t bytes) {
  return static_cast<uint32_t>(crc32(crc, static_cast<const Bytef *>(data), static_cast<uInt>(bytes)));
}

// The bytes of a tensor that lies at `offset`, as few runs as its strides allow.
std::vector<ProbeRun> RunsOf(const Tensor &tensor, int64_t offset) {
  const std::vector<int64_t> strides = StridesOf(tensor);
  const int64_t element = DTypeBytes(tensor.dtype);
  std::vector<size_t> axes(strides.size());
  std::iota(axes.begin(), axes.end(), 0);
  std::stable_sort(axes.begin(), axes.end(), [&](size_t a, size_t b) { return strides[a] < strides[b]; });
  std::vector<ProbeRun> runs = {{offset + tensor.view_offset * element, element, 1, 0}};
  for (const size_t axis : axes) {
    const int64_t dim = tensor.dims[axis], stride = strides[axis] * element;
    if (dim == 1) continue;
    if (runs.size() == 1 && runs[0].count == 1 && stride == runs[0].bytes) {
      runs[0].bytes *= dim;
    } else if (runs.size() == 1 && runs[0].count == 1) {
      runs[0].count = dim, runs[0].stride = stride;
    } else {
      const std::vector<ProbeRun> one = runs;
      for (int64_t i = 1; i < dim; i++)
        for (ProbeRun run : one) run.offset += i * stride, runs.push_back(run);
    }
  }
  return runs;
}

// What a later stage reads of a node's outputs.
Probe ProbeOf(const Graph &graph, const Plan &plan, int32_t stage, NodeId node) {
  Probe probe{stage, node, {}};
  for (const TensorId id : graph.nodes[node].outputs) {
    const int32_t index = id == kNone ? kNone : plan.buffer_of[BaseOf(graph, id)];
    if (index == kNone) continue;
    const Buffer &buffer = plan.buffers[index];
    if (buffer.tile || buffer.last_stage <= stage) continue;
    for (const ProbeRun &run : RunsOf(graph.tensors[id], buffer.offset)) probe.runs.push_back(run);
  }
  return probe;
}

}  // namespace

std::vector<Probe> ProbesOf(const Graph &graph, const Plan &plan) {
  std::vector<Probe> probes;
  for (size_t s = 0; s < plan.stages.size(); s++) {
    for (const NodeId node : plan.stages[s].nodes) {
      Probe probe = ProbeOf(graph, plan, static_cast<int32_t>(s), node);
      if (!probe.runs.empty()) probes.push_back(std::move(probe));
    }
  }
  return probes;
}

std::vector<uint32_t> ProbedRun(const Graph &graph, const Plan &plan, const o2m_target &target,
                                const std::vector<Probe> &probes, const std::vector<const void *> &inputs,
                                const std::vector<void *> &outputs) {
  std::vector<uint32_t> sums(probes.size());
  Executor executor(graph, plan, target);
  executor.after_node = [&](int32_t, NodeId node) {
    for (size_t p = 0; p < probes.size(); p++) {
      if (plan.stages[probes[p].stage].nodes.back() != node) continue;
      for (const ProbeRun &run : probes[p].runs)
        for (int64_t i = 0; i < run.count; i++)
          sums[p] = Crc(sums[p], executor.arena() + run.offset + i * run.stride, run.bytes);
    }
  };
  executor.Run(inputs, outputs);
  return sums;
}

uint32_t ProgramId(const Graph &graph, const Plan &plan) {
  std::string text = PlanCsv(graph, plan);
  uint32_t crc = 0;
  for (const Stage &stage : plan.stages) {
    absl::StrAppend(&text, "stage ", stage.steps, " ", stage.rows, "\n");
    for (const NodeId id : stage.nodes) {
      absl::StrAppend(&text, graph.nodes[id].name, "\n");
      for (const Constant &constant : graph.nodes[id].constants)
        crc = Crc(crc, constant.data.data(), static_cast<int64_t>(constant.data.size()));
    }
  }
  return Crc(crc, text.data(), static_cast<int64_t>(text.size()));
}

}  // namespace onnx2mcu
