// Every case of every op, in the kernel that each core gets, for several rows per call: the bytes are the host's, which
// are those of scalar C.
#include <gtest/gtest.h>

#include "bench/case_network.h"
#include "codegen/emulator.h"
#include "planner/execute.h"

namespace onnx2mcu {
namespace {

using Bytes = std::vector<uint8_t>;

// Outputs one after the other, as the emulator hands them over. What lies between an output's rows is nobody's.
Bytes HostBytes(const Compilation &compilation, const std::vector<Bytes> &inputs) {
  const Graph &graph = compilation.graph;
  Executor executor(graph, compilation.plan, compilation.target.abi());
  std::vector<const void *> in;
  std::vector<void *> out;
  std::vector<Bytes> parts;
  for (const Bytes &input : inputs) in.push_back(input.data());
  for (const TensorId id : graph.outputs) parts.emplace_back(BytesOf(graph.tensors[id]));
  for (Bytes &part : parts) out.push_back(part.data());
  executor.Run(in, out);
  Bytes outputs;
  for (const Bytes &part : parts) outputs.insert(outputs.end(), part.begin(), part.end());
  return outputs;
}

// Which bytes of an output the view `tensor` writes.
void MarkElements(const Tensor &tensor, size_t start, std::vector<bool> *written) {
  const int64_t element = DTypeBytes(tensor.dtype);
  std::vector<int64_t> index(tensor.dims.size(), 0);
  for (int64_t n = ElementCount(tensor.dims); n > 0; n--) {
    int64_t at = tensor.view_offset;
    for (size_t d = 0; d < index.size(); d++) at += index[d] * tensor.strides[d];
    for (int64_t b = 0; b < element; b++) (*written)[start + static_cast<size_t>(at * element + b)] = true;
    for (size_t d = index.size(); d > 0 && ++index[d - 1] == tensor.dims[d - 1]; d--) index[d - 1] = 0;
  }
}

std::vector<bool> WrittenBytes(const Graph &graph, size_t bytes) {
  std::vector<bool> written(bytes, false);
  size_t start = 0;
  for (const TensorId id : graph.outputs) {
    bool strided = false;
    for (const Tensor &tensor : graph.tensors)
      if (tensor.base == id) strided = true, MarkElements(tensor, start, &written);
    const auto end = start + static_cast<size_t>(BytesOf(graph.tensors[id]));
    for (size_t i = start; i < end && !strided; i++) written[i] = true;
    start = end;
  }
  return written;
}

std::string FirstDifference(const Compilation &compilation, const Bytes &host, const Bytes &target) {
  const std::vector<bool> written = WrittenBytes(compilation.graph, host.size());
  size_t start = 0;
  for (const TensorId id : compilation.graph.outputs) {
    const Tensor &tensor = compilation.graph.tensors[id];
    const auto end = start + static_cast<size_t>(BytesOf(tensor));
    for (size_t i = start; i < end; i++)
      if (written[i] && host[i] != target[i]) return tensor.name + ", byte " + std::to_string(i - start);
    start = end;
  }
  return "";
}

// A network of all cases on the emulator against the host.
void CheckOnEmulator(const CaseOptions &options, size_t least) {
  Registry registry;
  registry.LoadFolder(O2M_PLUGIN_DIR);
  Host host;
  const auto network = NetworkOfCases(registry, options, host);
  ASSERT_TRUE(network.ok()) << network.status();
  EXPECT_GT(network->cases.size(), least);
  const auto files = EmitProgram(network->compilation, {}, host);
  ASSERT_TRUE(files.ok()) << files.status();
  const std::vector<Bytes> inputs = InputsOf(*network);
  Bytes sample;
  for (const Bytes &bytes : inputs) sample.insert(sample.end(), bytes.begin(), bytes.end());
  const auto run = RunOnEmulator(network->compilation, *files, {sample});
  ASSERT_TRUE(run.ok()) << run.status();
  EXPECT_EQ(FirstDifference(network->compilation, HostBytes(network->compilation, inputs), run->outputs[0]), "");
}

class Variants : public ::testing::TestWithParam<const char *> {};

TEST_P(Variants, GiveTheHostsBytesForAnyRowsPerCall) {
  for (const int32_t rows : {0, 1, 3, 6}) {
    SCOPED_TRACE(rows);
    CaseOptions options;
    options.target = GetParam(), options.prefix = "", options.rows = rows;
    CheckOnEmulator(options, 100);
  }
}

// Every way to hold the weights of a linear layer, where the layer has it.
TEST_P(Variants, HoldWeightsInEveryWay) {
  for (const int32_t variant : {1, 2, 3}) {
    for (const int32_t rows : {0, 1, 5, 7}) {
      SCOPED_TRACE(testing::Message() << "variant " << variant << ", rows " << rows);
      CaseOptions options;
      options.target = GetParam(), options.prefix = "", options.select = {"linear/"};
      options.rows = rows, options.variant = variant;
      CheckOnEmulator(options, 40);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Cores, Variants,
                         ::testing::Values("cortex-m0", "cortex-m3", "cortex-m4", "cortex-m33", "cortex-m55",
                                           "rv32imc"));

}  // namespace
}  // namespace onnx2mcu
