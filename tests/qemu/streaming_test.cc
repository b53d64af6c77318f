// Small stems made by hand: rows pushed into the generated C on the emulated cores give the bytes of the host's whole
// run, and the C is as clean as the rest.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "codegen/process.h"
#include "importer/data/files.h"
#include "planner/execute.h"
#include "tests/qemu/net.h"

namespace onnx2mcu {
namespace {

// The convolution that reads the image: [1, channels, 14, 9], kernel x kernel.
struct Stem {
  int64_t channels = 3, kernel = 3, stride = 2, pad = 1;
  int32_t rows = 1;
  int64_t out(int64_t size) const { return (size + 2 * pad - kernel) / stride + 1; }
};

struct StreamedNet : FloatNet {
  TensorId Conv(const std::string &name, TensorId x, int64_t outputs, const Stem &s) {
    const std::vector<int64_t> in = graph.tensors[x].dims;
    const TensorId w = AddFloats(graph, name + ".w", {outputs, in[1], s.kernel, s.kernel},
                                 Noise(outputs * in[1] * s.kernel * s.kernel, 3));
    const TensorId b = AddFloats(graph, name + ".b", {outputs}, Noise(outputs, 4));
    const std::vector<int64_t> strides = {s.stride, s.stride}, pads(4, s.pad), ones = {1, 1};
    return Append(name, "Conv", {x, w, b}, {1, outputs, s.out(in[2]), s.out(in[3])},
                  {{"strides", strides}, {"pads", pads}, {"dilations", ones}, {"group", int64_t{1}}});
  }
  // A stem, a second convolution, and 5 values of it all.
  absl::Status Compile(const std::string &target_name, const Stem &s) {
    Start(target_name, s.channels);
    return Finish(Conv("/stem", Conv("/first", graph.inputs[0], 6, s), 8, {6, 3, 1, 1, 1}), s.rows);
  }
  void Start(const std::string &target_name, int64_t channels) {
    FloatNet::Start(target_name);
    graph.inputs = {Value("image", {1, channels, 14, 9})};
  }
  absl::Status Finish(TensorId y, int32_t rows) {
    const int64_t count = ElementCount(graph.tensors[y].dims);
    const TensorId flat =
        Append("/flat", "Reshape", {y, Constant("shape", {1, count})}, {1, count}, {{"allowzero", int64_t{0}}});
    const TensorId w = AddFloats(graph, "head.w", {count, 5}, Noise(count * 5, 7));
    const TensorId product = Append("/head/MatMul", "MatMul", {flat, w}, {1, 5});
    graph.outputs = {Append("/head/Add", "Add", {product, AddFloats(graph, "head.b", {5}, Noise(5, 8))}, {1, 5})};
    return Plan(rows);
  }
  TensorId Constant(const std::string &name, std::vector<int64_t> values) {
    Tensor tensor;
    tensor.name = name, tensor.dtype = DType::kS64, tensor.dims = {static_cast<int64_t>(values.size())};
    tensor.is_constant = true;
    tensor.data.resize(values.size() * sizeof(int64_t));
    memcpy(tensor.data.data(), values.data(), tensor.data.size());
    return AddTensor(graph, tensor);
  }
  absl::Status Plan(int32_t rows) {
    const o2m_target target = compilation.target.abi();
    O2M_RETURN_IF_ERROR(LowerAndPlan(rows));
    compilation.stream = AddStream(graph, target, true, &compilation.plan);
    if (!compilation.stream.possible()) return absl::InternalError(compilation.stream.why);
    O2M_RETURN_IF_ERROR(PackAll(graph, host, target));
    O2M_RETURN_IF_ERROR(ValidatePlan(graph, target, compilation.plan));
    return ValidateStream(graph, target, compilation.plan, compilation.stream);
  }
};

// NAME_run of the harness, made of rows: `at_once` of them, from one block of RAM.
std::string RunInRows(const Stem &s, int at_once) {
  return absl::StrReplaceAll(R"(#include "net.h"
void net_run(void *arena, const int8_t *input, int8_t *output) {
  int8_t rows[N * 9 * C];
  int wrong = 0;
  net_begin(arena);
  for (int first = 0; first < 14; first += N) {
    const int count = first + N < 14 ? N : 14 - first;
    for (int y = 0; y < count; y++)
      for (int x = 0; x < 9; x++)
        for (int c = 0; c < C; c++) rows[(y * 9 + x) * C + c] = input[(c * 14 + first + y) * 9 + x];
    wrong += net_end(arena, output) != 1;
    wrong += net_push_rows(arena, rows, 15 - first) != 1;
    wrong += net_push_rows(arena, rows, count) != 0;
  }
  wrong += net_end(arena, output) != 0;
  if (wrong) output[0] ^= 0x55;
}
)",
                             {{"N", absl::StrCat(at_once)}, {"C", absl::StrCat(s.channels)}});
}

std::vector<GeneratedFile> InRows(std::vector<GeneratedFile> files, const Stem &s, int at_once) {
  for (GeneratedFile &file : files)
    if (file.name == "net.c")
      file.text = absl::StrReplaceAll(file.text, {{"void net_run(",
                                                   "void net_whole(void *, const int8_t *, int8_t *);\n"
                                                   "void net_whole("}});
  files.push_back({"in_rows.c", RunInRows(s, at_once)});
  return files;
}

std::vector<std::vector<uint8_t>> StreamedHostRun(const Compilation &compilation,
                                                  const std::vector<std::vector<uint8_t>> &samples) {
  Executor executor(compilation.graph, compilation.plan, compilation.target.abi());
  std::vector<std::vector<uint8_t>> outputs;
  for (const auto &sample : samples) {
    auto &output = outputs.emplace_back(BytesOf(compilation.graph.tensors[compilation.graph.outputs[0]]));
    executor.Run({sample.data()}, {output.data()});
  }
  return outputs;
}

std::vector<std::vector<uint8_t>> StreamedSamples(int64_t bytes, size_t count) {
  std::vector<std::vector<uint8_t>> samples(count);
  for (size_t n = 0; n < count; n++)
    for (float v : Noise(bytes, 20 + n)) samples[n].push_back(static_cast<uint8_t>(static_cast<int8_t>(v * 127)));
  return samples;
}

// Overlap; padding; patches; gaps between patches; gray; several rows of the output at once, the last fewer.
const Stem kStems[] = {{3, 3, 2, 1, 1}, {3, 3, 1, 1, 2}, {3, 4, 4, 0, 1}, {2, 3, 4, 0, 1}, {1, 5, 2, 2, 2}};

TEST(StreamedC, EveryStemGivesTheHostsBytes) {
  for (const std::string target : {"host", "cortex-m4", "cortex-m0", "rv32imc"}) {
    for (const Stem &s : kStems) {
      if (target != "host" && target != "cortex-m4" && &s != &kStems[1]) continue;
      StreamedNet net;
      const absl::Status compiled = net.Compile(target, s);
      ASSERT_TRUE(compiled.ok()) << compiled;
      const auto files = EmitProgram(net.compilation, {}, net.host);
      ASSERT_TRUE(files.ok()) << files.status();
      const auto samples = StreamedSamples(s.channels * 14 * 9, 2);
      const auto expected = StreamedHostRun(net.compilation, samples);
      for (int at_once : {1, 3, 14}) {
        const auto run = RunOnEmulator(net.compilation, InRows(*files, s, at_once), samples,
                                       {.page_guards = true, .quick_build = true});
        ASSERT_TRUE(run.ok()) << run.status();
        EXPECT_EQ(run->outputs, expected) << target << ", kernel " << s.kernel << ", " << at_once << " at once";
        EXPECT_NE(run->outputs[0], run->outputs[1]);
        EXPECT_EQ(run->data + run->bss, 0);
      }
    }
  }
}

// The mean over the rows of a gray image: sums that live from the first row to the last.
TEST(StreamedC, StateLivesFromRowToRow) {
  for (const std::string target : {"host", "cortex-m4"}) {
    StreamedNet net;
    net.Start(target, 1);
    const std::vector<int64_t> rows = {2};
    const absl::Status compiled =
        net.Finish(net.Append("/mean", "ReduceMean", {net.graph.inputs[0]}, {1, 1, 9},
                              {{"axes", rows}, {"keepdims", int64_t{0}}, {"noop_with_empty_axes", int64_t{0}}}),
                   3);
    ASSERT_TRUE(compiled.ok()) << compiled;
    const NodeId mean = net.compilation.plan.stages[net.compilation.stream.stage].nodes[0];
    ASSERT_NE(net.compilation.plan.state_of[mean], kNone);
    const auto files = EmitProgram(net.compilation, {}, net.host);
    ASSERT_TRUE(files.ok()) << files.status();
    const auto samples = StreamedSamples(14 * 9, 2);
    for (int at_once : {1, 4}) {
      const auto run = RunOnEmulator(net.compilation, InRows(*files, {1}, at_once), samples);
      ASSERT_TRUE(run.ok()) << run.status();
      EXPECT_EQ(run->outputs, StreamedHostRun(net.compilation, samples)) << target << ", " << at_once << " at once";
      EXPECT_NE(run->outputs[0], run->outputs[1]);
    }
  }
}

TEST(StreamedC, IsClean) {
  for (const Stem &s : kStems) {
    StreamedNet net;
    ASSERT_TRUE(net.Compile("cortex-m4", s).ok());
    CompileOptions options;
    options.selftest = true, options.example = "plain";
    const auto files = EmitProgram(net.compilation, options, net.host);
    ASSERT_TRUE(files.ok()) << files.status();
    const TempFolder temp(TempPrefix());
    for (const GeneratedFile &file : *files) ASSERT_TRUE(WriteFileBytes(temp.path() + "/" + file.name, file.text).ok());
    for (const char *command : {"gcc-12 -std=c11 -O2 -Wall -Wextra -Wconversion -Wshadow -Werror -c *.c",
                                "clang-14 -std=c11 -O2 -Wall -Wextra -Wconversion -Wshadow -Werror -c *.c",
                                "g++-12 -std=c++17 -O2 -Wall -Wextra -Werror -x c++ -c $(ls *.c | grep -v main.c)",
                                "clang-format --dry-run --Werror *.c *.h"}) {
      const ProcessResult result = RunProcess({{"sh", "-c", command}, temp.path(), 300}).value();
      EXPECT_EQ(result.exit_code, 0) << command << "\n" << result.output;
    }
  }
}

// The example reads the image either way; for one channel rows and image are the same bytes.
TEST(StreamedC, TheExampleRunsEitherWay) {
  StreamedNet net;
  ASSERT_TRUE(net.Compile("host", kStems[4]).ok());
  CompileOptions options;
  options.example = "plain";
  const auto files = EmitProgram(net.compilation, options, net.host);
  ASSERT_TRUE(files.ok()) << files.status();
  const TempFolder temp(TempPrefix());
  for (const GeneratedFile &file : *files) ASSERT_TRUE(WriteFileBytes(temp.path() + "/" + file.name, file.text).ok());
  const ProcessResult result =
      RunProcess({{"sh", "-c",
                   "gcc -O1 -o example *.c && head -c 126 net.c >image && ./example <image >whole && ./example rows "
                   "<image >rows && cmp whole rows && test $(wc -l <rows) = 5 && ! ./example rows </dev/null"},
                  temp.path(),
                  300})
          .value();
  EXPECT_EQ(result.exit_code, 0) << result.output;
}

}  // namespace
}  // namespace onnx2mcu
