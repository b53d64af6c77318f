// bench/case_network.h - the cases of all ops as one network: a node each, with inputs and outputs of its own.
//
// So the cases are counted in code that onnx2mcu generates, and one compilation and one run per core count them all.
// Cases whose name starts with "bench_" are for counting (and for everything else that reads the list).
#pragma once
#include <string>
#include <vector>

#include "codegen/compiler.h"
#include "plugins/registry.h"

namespace onnx2mcu {

struct CountedCase {
  std::string name;  // "linear/64x64x64"; with "+table" behind: the same with a table in the epilogue
  NodeId node = kNone;
  int64_t macs = 0, elements = 0, outputs = 0;  // as the op states them
  int32_t steps = 0, rows = 0;                  // of the loop that runs it; of a call. 0: one call does all
};

struct CaseNetwork {
  Compilation compilation;  // planned and packed, no float half
  std::vector<CountedCase> cases;
  bool random = false;
};

struct CaseOptions {
  std::string target;
  std::string prefix = "bench_";    // of the cases taken; removed from their names
  std::vector<std::string> select;  // parts of names; empty: all
  std::vector<std::string> ops;     // whose random and worst cases are taken, "linear"; empty: all
  int32_t rows = 0;                 // steps per call; 0: as many as the planner likes
  int32_t variant = kNone;          // of every node whose op takes it, exact or not; kNone: the quickest exact one
  // count > 0: instead of the list, the random cases of these seeds (o2m.random_cases/1). Each has rows per call of its
  // own, maybe a table, and its scratch and state where nothing else lies: a gap of the arena follows every block.
  int32_t random_first = 0, random_count = 0;
  // In that way the worst cases (o2m.worst_cases/1) number random_first .. of all ops', but those for the host alone.
  bool worst = false;
  int32_t part = 0, parts = 1;  // only every parts-th op, from number `part` on: a board holds no more
  bool cost_cases = false;      // those of "o2m.cost_cases/1" as well
  bool plain = false;           // scalar C: for a core with none of the instruction sets that kernels are written for
};

// No cases: an empty list, nothing compiled. Errors name the case.
absl::StatusOr<CaseNetwork> NetworkOfCases(const Registry &registry, const CaseOptions &options, Host &host);

// The bytes of all inputs, in graph order, the same at every call: random values over the whole range of the type, or
// those that the case fixes. Of random cases some inputs hold the ends of the range alone.
std::vector<std::vector<uint8_t>> InputsOf(const CaseNetwork &network);

// The same of worst cases, in one of o2m::kEndRuns runs.
std::vector<std::vector<uint8_t>> EndInputsOf(const CaseNetwork &network, int32_t run);

// The host's outputs, one after the other, as the emulator hands them over.
std::vector<uint8_t> HostBytes(const Compilation &compilation, const std::vector<std::vector<uint8_t>> &inputs);

// Where the emulator's outputs are not the host's, "linear/12.y0, byte 3: 5 and not 7"; also where it wrote between the
// rows of an output, which holds `poison` there. Empty: nowhere.
std::string FirstDifference(const Graph &graph, const std::vector<uint8_t> &host, const std::vector<uint8_t> &target,
                            uint8_t poison);

}  // namespace onnx2mcu
