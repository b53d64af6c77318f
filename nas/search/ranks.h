// nas/search/ranks.h - a search on several processes, started by mpirun: all of them run the same search, and share the
// evaluations of a generation, the shards of a training step, and the finalists. Without MPI, at build time or when
// started, there is one.
//
// A rank that is lost or fails ends the job, as mpirun sees to; the checkpoint is that of the last whole generation.
// All ranks see the folder of the results.
#pragma once
#include "nas/peers.h"
#include "nas/search/search.h"

namespace onnx2mcu {

// Where mpirun started this process; else nothing. Once each, before and after all that follows; a process that fails
// leaves without EndRanks(), which tells mpirun. FailedPrecondition: several ranks of a build without MPI, which would
// be as many searches that write the same files.
absl::Status StartRanks();
void EndRanks();
Peers ThisRank();

// A Spread: a task is done by its owner, as Peers has it; each rank gets all results. Called by all ranks with the same
// tasks; Internal where their numbers differ, as when ranks see checkpoints of their own.
absl::StatusOr<std::vector<double>> OverRanks(size_t count, const Task &task);

}  // namespace onnx2mcu
