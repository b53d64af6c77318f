#include "codegen/engines.h"

#include <atomic>
#include <cstring>
#include <functional>
#include <thread>

#include "codegen/metrics.h"
#include "planner/execute.h"

namespace onnx2mcu {
namespace {

// Calls body(n) for n in [0, count) from a few threads; body must touch only what belongs to n or to its thread.
void ParallelFor(int64_t count, const std::function<std::function<void(int64_t)>()> &make_body, Progress *progress) {
  std::atomic<int64_t> next = 0;
  const auto work = [&] {
    const auto body = make_body();
    for (int64_t n = next++; n < count; n = next++) {
      body(n);
      if (progress) progress->Step();
    }
  };
  std::vector<std::thread> threads;
  const int64_t wanted = std::min<int64_t>(count, std::max(1u, std::thread::hardware_concurrency()));
  for (int64_t i = 1; i < wanted; i++) threads.emplace_back(work);
  work();
  for (std::thread &thread : threads) thread.join();
}

std::vector<std::vector<uint8_t>> EmptyOutputs(const Graph &graph) {
  std::vector<std::vector<uint8_t>> outputs;
  for (TensorId id : graph.outputs) outputs.emplace_back(BytesOf(graph.tensors[id]));
  return outputs;
}

}  // namespace

void DequantizeRun(const Graph &graph, EngineRun &run) {
  run.outputs.resize(run.bytes.size());
  for (size_t n = 0; n < run.bytes.size(); n++)
    for (size_t i = 0; i < graph.outputs.size(); i++)
      run.outputs[n].push_back(DequantizeBytes(graph.tensors[graph.outputs[i]], run.bytes[n][i]));
}

std::vector<uint8_t> SampleBytes(const Graph &graph, const std::vector<InputSet> &sets, int64_t n) {
  std::vector<uint8_t> all;
  for (size_t i = 0; i < sets.size(); i++) {
    const std::vector<uint8_t> bytes = QuantizedSample(sets[i], n, graph.tensors[graph.inputs[i]]);
    all.insert(all.end(), bytes.begin(), bytes.end());
  }
  return all;
}

std::vector<int32_t> IntegersOf(const Tensor &tensor, const std::vector<uint8_t> &bytes) {
  const int64_t count = ElementCount(tensor.dims), size = DTypeBytes(tensor.dtype);
  std::vector<int32_t> values(count);
  for (int64_t i = 0; i < count; i++) {
    uint32_t raw = 0;
    std::memcpy(&raw, bytes.data() + i * size, static_cast<size_t>(size));
    if (tensor.dtype == DType::kS8)
      values[i] = static_cast<int8_t>(raw);
    else if (tensor.dtype == DType::kS16)
      values[i] = static_cast<int16_t>(raw);
    else
      values[i] = static_cast<int32_t>(raw);
  }
  return values;
}

std::vector<float> DequantizeBytes(const Tensor &tensor, const std::vector<uint8_t> &bytes) {
  std::vector<float> values;
  const bool known = !tensor.quant.scale.empty();
  for (int32_t q : IntegersOf(tensor, bytes))
    values.push_back(known ? tensor.quant.scale[0] * static_cast<float>(q - tensor.quant.zero_point[0])
                           : static_cast<float>(q));
  return values;
}

absl::StatusOr<EngineRun> RunFloat(const Graph &graph, const std::vector<InputSet> &sets, int64_t count,
                                   Progress *progress) {
  const Evaluator evaluator(graph);
  EngineRun run;
  run.outputs.resize(count);
  std::vector<absl::Status> errors(count);
  ParallelFor(
      count,
      [&]() -> std::function<void(int64_t)> {
        return [&](int64_t n) {
          auto outputs = evaluator.Run(SampleOf(sets, n));
          errors[n] = outputs.status();
          if (!outputs.ok()) return;
          for (const Value &value : *outputs) {
            run.outputs[n].push_back(value.f);
            if (!value.is_float()) run.outputs[n].back().assign(value.i.begin(), value.i.end());
          }
        };
      },
      progress);
  for (const absl::Status &error : errors) O2M_RETURN_IF_ERROR(error);
  return run;
}

EngineRun RunInteger(const Compilation &compilation, const std::vector<InputSet> &sets, int64_t count,
                     Progress *progress) {
  const Graph &graph = compilation.graph;
  const o2m_target target = compilation.target.abi();
  EngineRun run;
  run.bytes.resize(count);
  ParallelFor(
      count,
      [&]() -> std::function<void(int64_t)> {
        auto executor = std::make_shared<Executor>(graph, compilation.plan, target);
        return [&, executor](int64_t n) {
          std::vector<std::vector<uint8_t>> inputs;
          for (size_t i = 0; i < sets.size(); i++)
            inputs.push_back(QuantizedSample(sets[i], n, graph.tensors[graph.inputs[i]]));
          run.bytes[n] = EmptyOutputs(graph);
          std::vector<const void *> in;
          std::vector<void *> out;
          for (const auto &bytes : inputs) in.push_back(bytes.data());
          for (auto &bytes : run.bytes[n]) out.push_back(bytes.data());
          executor->Run(in, out);
        };
      },
      progress);
  DequantizeRun(graph, run);
  return run;
}

absl::StatusOr<EngineRun> RunTarget(const Compilation &compilation, const std::vector<GeneratedFile> &files,
                                    const std::vector<InputSet> &sets, int64_t count, EmulatorRun &raw) {
  const Graph &graph = compilation.graph;
  std::vector<std::vector<uint8_t>> samples;
  for (int64_t n = 0; n < count; n++) samples.push_back(SampleBytes(graph, sets, n));
  O2M_ASSIGN_OR_RETURN(raw, RunOnEmulator(compilation, files, samples));
  EngineRun run;
  for (const std::vector<uint8_t> &all : raw.outputs) {
    run.bytes.emplace_back();
    int64_t at = 0;
    for (TensorId id : graph.outputs) {
      const int64_t size = BytesOf(graph.tensors[id]);
      run.bytes.back().emplace_back(all.begin() + at, all.begin() + at + size);
      at += size;
    }
  }
  DequantizeRun(graph, run);
  return run;
}

double Agreement(const EngineRun &a, const EngineRun &b) {
  int64_t same = 0;
  for (size_t n = 0; n < a.outputs.size(); n++) same += ArgMax(a.outputs[n][0]) == ArgMax(b.outputs[n][0]);
  return a.outputs.empty() ? 1 : static_cast<double>(same) / static_cast<double>(a.outputs.size());
}

}  // namespace onnx2mcu
