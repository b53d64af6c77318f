// plugins/check_clauses.h - the parts of CheckPlugin: each group of clauses, and the line to the parent process.
#pragma once
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "plugins/check_node.h"
#include "plugins/check_session.h"

namespace onnx2mcu::check {

// Writes findings to the parent as they come, so that none is lost in a crash.
class Reporter {
 public:
  explicit Reporter(int fd) : fd_(fd) {}
  void Begin(const std::string &clause);  // what a crash from here on is charged to
  void Fail(const std::string &clause, const std::string &seen);
  void Count(const std::string &clause);  // one comparison made
  // Counts, and fails where `seen` says that something is wrong.
  void Expect(const std::string &clause, const std::string &seen);
  // Nothing failed so far. What fails early would only show again, under other names, in what follows.
  bool ok() const { return failures_ == 0; }

 private:
  void Write(char kind, const std::string &text);
  int fd_;
  int failures_ = 0;
};

enum class Fill : uint8_t { kRandom, kEdges, kLow, kHigh, kZeroPoint };
inline constexpr Fill kFills[] = {Fill::kRandom, Fill::kEdges, Fill::kLow, Fill::kHigh, Fill::kZeroPoint};
// Dense bytes per input; the values that a case fixes stay.
std::vector<Bytes> MakeInputs(const NodeSpec &spec, Fill fill, uint64_t seed);

// What all clauses of a case share.
struct Subject {
  NodeSpec given;     // the case as it is
  NodeSpec inferred;  // after infer(), dense
  NodeSpec next;      // another case of the op, inferred; or this one again
  std::vector<std::vector<int64_t>> case_strides;
  o2m_target target{};
  uint64_t seed = 0;
};

// The same node with other strides, as far as the op's layouts admit.
struct Strided {
  std::string name, clause;
  NodeSpec spec;
  bool widest = false;  // the one that changes most operands in its way: enough for the emitted code
};
std::vector<Strided> StridedSpecs(const Subject &subject);

// Tile sizes worth trying: small ones, half, all but one.
std::vector<int32_t> TileSizes(int32_t steps);
// One that leaves a short last tile, where there is one.
int32_t ShortTile(int32_t steps);
// The case with a random table to apply to output 0, not inferred; `inferred` is the case without. op is null where
// the node takes none.
NodeSpec WithEpilogue(const Subject &subject);

// Runs `spec` (inferred; packed here), reports what the guards saw; empty where pack() failed.
std::vector<Bytes> RunNode(const NodeSpec &spec, const o2m_target &target, const std::vector<Bytes> &inputs,
                           const RunOptions &options, Reporter &report);
// RunNode, and the outputs must be `expected`; `how` opens the message.
void ExpectRun(const std::string &clause, const std::string &how, const NodeSpec &spec, const o2m_target &target,
               const std::vector<Bytes> &inputs, const RunOptions &options, const std::vector<Bytes> &expected,
               Reporter &report);

// infer(), memory() and pack(): false where running makes no sense. Sets subject.inferred.
bool CheckDeclarations(Subject &subject, Reporter &report);
// run() in every way that the planner may use it. False where it is not even a function of its inputs and tiles.
bool CheckRuns(const Subject &subject, Reporter &report);
// The extensions that speak of results: split, unary table, variants, cost, terms, rules; and epilogues, other targets.
void CheckExtensions(const Subject &subject, Reporter &report);
// Every case's emitted C in one program, compiled and compared with run().
void CheckEmitted(const std::vector<Subject> &subjects, const std::string &compiler, Reporter &report);

// Names that the shared object exports besides onnx2mcu_plugin. Empty where it cannot be read.
std::vector<std::string> ForeignExports(const std::string &path);
// What is wrong with the symbols of a compiled kernel: names without `prefix`, objects that can be written.
std::vector<std::string> ForeignSymbols(const std::string &object_file, const std::string &prefix);
// Copy of the writable memory of the shared object that holds `address`.
Bytes WritableMemoryOf(const void *address);

}  // namespace onnx2mcu::check
