// nas/search/ranks.h - a search on several processes, started by mpirun: all of them run the same search, and share the
// evaluations of a generation. Without MPI, at build time or when started, there is one.
//
// A rank that is lost or fails ends the job, as mpirun sees to; the checkpoint is that of the last whole generation.
#pragma once
#include "nas/search/search.h"

namespace onnx2mcu {

struct Rank {
  int rank = 0, ranks = 1;
};

// Where mpirun started this process; else nothing. Once each, before and after all that follows; a process that fails
// leaves without EndRanks(), which tells mpirun.
void StartRanks();
void EndRanks();
Rank ThisRank();

// A Spread: rank r does tasks r, r + ranks, ...; each rank gets all results. Called by all ranks with the same tasks.
absl::StatusOr<std::vector<double>> OverRanks(size_t count, const Task &task);

}  // namespace onnx2mcu
