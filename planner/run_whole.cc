#include <algorithm>
#include <array>
#include <cstring>

#include "planner/execute.h"

namespace onnx2mcu {
namespace {

// Memory of a base, views included.
int64_t SpanBytes(const Tensor &tensor) {
  const std::vector<int64_t> strides = StridesOf(tensor);
  int64_t last = tensor.view_offset;
  for (size_t i = 0; i < strides.size(); i++) last += std::max<int64_t>((tensor.dims[i] - 1) * strides[i], 0);
  return (last + 1) * DTypeBytes(tensor.dtype);
}

WholeRun Allocate(const Graph &graph) {
  WholeRun run;
  run.memory.resize(graph.tensors.size());
  const auto grow = [&](TensorId id) {
    if (id == kNone || graph.tensors[BaseOf(graph, id)].is_constant) return;
    std::vector<uint8_t> &memory = run.memory[BaseOf(graph, id)];
    const size_t bytes = std::max(SpanBytes(graph.tensors[id]), BytesOf(graph.tensors[BaseOf(graph, id)]));
    if (memory.size() < bytes) memory.resize(bytes, kPoison);
  };
  for (const Node &node : graph.nodes) {
    for (TensorId id : node.inputs) grow(id);
    for (TensorId id : node.outputs) grow(id);
  }
  for (TensorId id : graph.inputs) grow(id);
  return run;
}

void *PointerTo(const Graph &graph, WholeRun &run, TensorId id) {
  if (id == kNone) return nullptr;
  const Tensor &tensor = graph.tensors[id];
  const TensorId base = BaseOf(graph, id);
  const int64_t bytes = tensor.view_offset * DTypeBytes(tensor.dtype);
  if (!graph.tensors[base].is_constant) return run.memory[base].data() + bytes;
  return const_cast<std::byte *>(graph.tensors[base].data.data()) + bytes;
}

uint8_t *Align16(std::vector<uint8_t> &block) {
  return block.data() + (16 - reinterpret_cast<uintptr_t>(block.data()) % 16) % 16;
}

double ElementAt(const uint8_t *memory, DType dtype, int64_t index) {
  const auto read = [&](auto value) {
    std::memcpy(&value, memory + index * static_cast<int64_t>(sizeof value), sizeof value);
    return static_cast<double>(value);
  };
  switch (dtype) {
    case DType::kS8:
      return read(int8_t{});
    case DType::kS16:
      return read(int16_t{});
    case DType::kS32:
      return read(int32_t{});
    case DType::kS64:
      return read(int64_t{});
    case DType::kF32:
      return read(float{});
    case DType::kU8:
    case DType::kBool:
    case DType::kAny:
      break;
  }
  return read(uint8_t{});
}

}  // namespace

void RunWholeNode(const Graph &graph, const Node &node, const o2m_target &target, WholeRun &run) {
  const int32_t steps = MemoryOf(graph, node, target, 1).steps, rows = std::max(steps, 1);
  const o2m_memory memory = MemoryOf(graph, node, target, rows);
  const OpNode view(graph, node);
  std::array<const void *, O2M_MAX_OPERANDS> inputs{};
  std::array<void *, O2M_MAX_OPERANDS> outputs{};
  for (size_t i = 0; i < node.inputs.size(); i++) inputs[i] = PointerTo(graph, run, node.inputs[i]);
  for (size_t i = 0; i < node.outputs.size(); i++) outputs[i] = PointerTo(graph, run, node.outputs[i]);
  std::vector<uint8_t> scratch(memory.scratch_bytes + 16, kPoison), state(memory.state_bytes + 16, 0);
  o2m_call call{};
  call.struct_size = sizeof call;
  call.inputs = inputs.data(), call.outputs = outputs.data();
  call.scratch = memory.scratch_bytes ? Align16(scratch) : nullptr;
  call.state = memory.state_bytes ? Align16(state) : nullptr;
  call.first = 0, call.rows = rows;
  node.op->run(view.get(), &call);
}

WholeRun RunWhole(const Graph &graph, const o2m_target &target, const std::vector<const void *> &inputs) {
  WholeRun run = Allocate(graph);
  for (size_t i = 0; i < graph.inputs.size(); i++)
    std::memcpy(run.memory[graph.inputs[i]].data(), inputs[i], BytesOf(graph.tensors[graph.inputs[i]]));
  for (const Node &node : graph.nodes) RunWholeNode(graph, node, target, run);
  return run;
}

std::vector<float> Dequantize(const Graph &graph, const WholeRun &run, TensorId id) {
  const Tensor &tensor = graph.tensors[id];
  const TensorId base = BaseOf(graph, id);
  const auto *constant = reinterpret_cast<const uint8_t *>(graph.tensors[base].data.data());
  const uint8_t *memory = graph.tensors[base].is_constant ? constant : run.memory[base].data();
  const std::vector<int64_t> strides = StridesOf(tensor);
  const int64_t count = ElementCount(tensor.dims);
  std::vector<float> values(count);
  std::vector<int64_t> at(tensor.dims.size());
  for (int64_t i = 0; i < count; i++) {
    int64_t index = tensor.view_offset;
    for (size_t d = 0; d < at.size(); d++) index += at[d] * strides[d];
    const QuantParams &q = tensor.quant;
    const size_t channel = q.scale.size() > 1 ? at[q.axis] : 0;
    const double value = ElementAt(memory, tensor.dtype, index);
    values[i] = static_cast<float>(q.scale.empty() ? value : q.scale[channel] * (value - q.zero_point[channel]));
    for (size_t d = at.size(); d-- > 0 && ++at[d] == tensor.dims[d];) at[d] = 0;
  }
  return values;
}

}  // namespace onnx2mcu
