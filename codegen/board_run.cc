#include "codegen/board_run.h"

#include <algorithm>
#include <cstring>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "codegen/probes.h"
#include "codegen/serial_link.h"

namespace onnx2mcu {
namespace {

constexpr double kIdentifySeconds = 2;
constexpr size_t kShaBytes = 32, kIdentityBytes = 2 + 5 * 4 + kShaBytes;

uint32_t Number(const std::string &bytes, size_t at) {
  uint32_t value = 0;
  memcpy(&value, bytes.data() + at, sizeof value);
  return value;
}

// All inputs of sample n as a frame holds them.
std::string WireInputs(const Graph &graph, const std::vector<InputSet> &sets, int64_t n) {
  std::string wire;
  for (size_t i = 0; i < sets.size(); i++) {
    wire.resize(static_cast<size_t>(AlignedTo16(static_cast<int64_t>(wire.size()))));
    const std::vector<uint8_t> bytes = QuantizedSample(sets[i], n, graph.tensors[graph.inputs[i]]);
    wire.append(bytes.begin(), bytes.end());
  }
  return wire;
}

int64_t OutputBytes(const Graph &graph) {
  int64_t bytes = 0;
  for (const TensorId id : graph.outputs) bytes += BytesOf(graph.tensors[id]);
  return bytes;
}

// What is known of board and model while they talk.
struct Session {
  const Compilation &c;
  SerialLink link;
  std::vector<Probe> probes;
  double timeout = 0;
  const std::string &port() const { return link.port().path(); }
};

absl::StatusOr<std::string> Identify(Session &s) {
  O2M_ASSIGN_OR_RETURN(const std::string answer, s.link.Ask('i', "", 256, kIdentifySeconds));
  const Graph &graph = s.c.graph;
  if (answer.size() < kIdentityBytes || answer[0] != kSerialProtocol)
    return absl::InvalidArgumentError(absl::StrCat(
        s.port(), ": the target speaks another protocol; flash what --example=serial of this version makes"));
  const std::string sha = absl::BytesToHexString(answer.substr(kIdentityBytes - kShaBytes, kShaBytes));
  const std::string version = answer.substr(kIdentityBytes);
  if (sha != graph.sha256)
    return absl::InvalidArgumentError(absl::StrCat(s.port(), ": the target runs another model (sha256 ",
                                                   sha.substr(0, 16), "), not ", graph.file, " (",
                                                   graph.sha256.substr(0, 16), "); flash that one"));
  if (Number(answer, 2) != ProgramId(graph, s.c.plan))
    return absl::InvalidArgumentError(
        absl::StrCat(s.port(), ": the target runs ", graph.file, " compiled otherwise, by onnx2mcu ", version,
                     " (arena ", Number(answer, 6), " B, here ", ArenasOf(s.c.plan)[0].bytes,
                     " B); give the options, the calibration and the version that it was compiled with"));
  if (answer[1] == 0)
    return absl::InvalidArgumentError(absl::StrCat(s.port(),
                                                   ": the weights are not at their address, by their CRC-32; ",
                                                   "write ", graph.name, "_weights.bin there"));
  return version;
}

struct Answer {
  int64_t cycles = 0;
  std::vector<std::vector<uint8_t>> outputs;
  std::vector<uint32_t> checksums;
};

absl::StatusOr<Answer> Infer(Session &s, char command, const std::string &inputs) {
  const Graph &graph = s.c.graph;
  const size_t sums = command == 'c' ? s.probes.size() : 0;
  const size_t bytes = 4 + static_cast<size_t>(OutputBytes(graph)) + 4 * sums;
  O2M_ASSIGN_OR_RETURN(const std::string answer, s.link.Ask(command, inputs, static_cast<int64_t>(bytes), s.timeout));
  if (answer.size() != bytes)
    return absl::InvalidArgumentError(absl::StrCat(s.port(), ": an answer of ", answer.size(), " B where ", bytes,
                                                   " B were due; flash what --example=serial of this version makes"));
  Answer result;
  result.cycles = Number(answer, 0);
  size_t at = 4;
  for (const TensorId id : graph.outputs) {
    const auto size = static_cast<size_t>(BytesOf(graph.tensors[id]));
    result.outputs.emplace_back(answer.begin() + at, answer.begin() + at + size);
    at += size;
  }
  for (; at < bytes; at += 4) result.checksums.push_back(Number(answer, at));
  return result;
}

std::vector<std::string> NamesIn(const Compilation &c, int32_t stage) {
  std::vector<std::string> names;
  for (const NodeId id : c.plan.stages[stage].nodes) names.push_back(c.graph.nodes[id].name);
  return names;
}

// One input with checksums, on the board and here.
absl::StatusOr<std::optional<Divergence>> Compare(Session &s, const std::vector<InputSet> &sets, int64_t n) {
  const Graph &graph = s.c.graph;
  std::vector<std::vector<uint8_t>> inputs, outputs;
  std::vector<const void *> in;
  std::vector<void *> out;
  for (size_t i = 0; i < sets.size(); i++)
    inputs.push_back(QuantizedSample(sets[i], n, graph.tensors[graph.inputs[i]]));
  for (const TensorId id : graph.outputs) outputs.emplace_back(BytesOf(graph.tensors[id]));
  for (const auto &bytes : inputs) in.push_back(bytes.data());
  for (auto &bytes : outputs) out.push_back(bytes.data());
  const std::vector<uint32_t> sums = ProbedRun(graph, s.c.plan, s.c.target.abi(), s.probes, in, out);
  O2M_ASSIGN_OR_RETURN(const Answer answer, Infer(s, 'c', WireInputs(graph, sets, n)));
  for (size_t p = 0; p < sums.size(); p++) {
    if (sums[p] == answer.checksums[p]) continue;
    const Probe &probe = s.probes[p];
    return Divergence{n, probe.stage, graph.nodes[probe.node].name, NamesIn(s.c, probe.stage)};
  }
  if (outputs == answer.outputs) return std::nullopt;
  const int32_t last = static_cast<int32_t>(s.c.plan.stages.size()) - 1;
  return Divergence{n, kNone, graph.nodes[s.c.plan.stages[last].nodes.back()].name, NamesIn(s.c, last)};
}

}  // namespace

bool IsPort(const std::string &engine) { return absl::StrContains(engine, "/"); }

absl::StatusOr<BoardRun> RunOnBoard(const Compilation &compilation, const BoardOptions &options,
                                    const std::vector<InputSet> &sets, int64_t count, const EngineRun *reference,
                                    Progress *progress) {
  O2M_ASSIGN_OR_RETURN(std::unique_ptr<SerialPort> port, SerialPort::Open(options.port, options.baud));
  Session s{compilation, SerialLink(std::move(port)), ProbesOf(compilation.graph, compilation.plan),
            options.timeout_seconds};
  BoardRun run;
  O2M_ASSIGN_OR_RETURN(run.version, Identify(s));
  std::vector<int64_t> cycles;
  int64_t differs = kNone;
  for (int64_t n = 0; n < count; n++) {
    O2M_ASSIGN_OR_RETURN(Answer answer, Infer(s, 'r', WireInputs(compilation.graph, sets, n)));
    cycles.push_back(answer.cycles);
    if (reference && differs == kNone && answer.outputs != reference->bytes[n]) differs = n;
    run.engine.bytes.push_back(std::move(answer.outputs));
    if (progress) progress->Step();
  }
  DequantizeRun(compilation.graph, run.engine);
  std::sort(cycles.begin(), cycles.end());
  run.cycles = cycles.empty() ? 0 : cycles[cycles.size() / 2];
  if (reference && count > 0) {
    O2M_ASSIGN_OR_RETURN(run.divergence, Compare(s, sets, std::max<int64_t>(differs, 0)));
  }
  return run;
}

}  // namespace onnx2mcu
