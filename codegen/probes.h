// codegen/probes.h - checksums of what the stages of a plan leave in the arena, computed alike on the host and by the
// program of --example=serial: the first that differs names the layer.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "planner/execute.h"

namespace onnx2mcu {

// `count` runs of `bytes` bytes, `stride` bytes apart; offset: of the first, from the arena's start.
struct ProbeRun {
  int64_t offset = 0, bytes = 0, count = 1, stride = 0;
};

// What one node has written when its stage ends, of all that a later stage reads: it is whole then, and nothing else is
// looked at, since scratch, tiles and gaps hold what a kernel's variant left there.
struct Probe {
  int32_t stage = 0;
  NodeId node = kNone;
  std::vector<ProbeRun> runs;
};
std::vector<Probe> ProbesOf(const Graph &graph, const Plan &plan);

// CRC-32 (IEEE 802.3) of each probe's bytes, run by run, in one inference on the host.
std::vector<uint32_t> ProbedRun(const Graph &graph, const Plan &plan, const o2m_target &target,
                                const std::vector<Probe> &probes, const std::vector<const void *> &inputs,
                                const std::vector<void *> &outputs);

// CRC-32 of all that makes two compilations of a model differ: the plan and the constants.
uint32_t ProgramId(const Graph &graph, const Plan &plan);

}  // namespace onnx2mcu
