#include "nas/search/ranks.h"

#include <cstdlib>
#include <cstring>

#if O2M_MPI
#define OMPI_SKIP_MPICXX 1  // the C bindings only
#define MPICH_SKIP_MPICXX 1
#include <mpi.h>
#endif

namespace onnx2mcu {

#if O2M_MPI
namespace {

constexpr int kMessage = 1024;  // bytes that are passed on of an error

bool Started() {
  int started = 0, ended = 0;
  MPI_Initialized(&started);
  MPI_Finalized(&ended);
  return started != 0 && ended == 0;
}

// The first task's error that any rank met, as every rank's. first_failed: of this rank; `count` where none.
absl::Status FirstError(size_t first_failed, size_t count, const absl::Status &mine) {
  auto failed = static_cast<unsigned long long>(first_failed);
  MPI_Allreduce(MPI_IN_PLACE, &failed, 1, MPI_UNSIGNED_LONG_LONG, MPI_MIN, MPI_COMM_WORLD);
  if (failed == count) return absl::OkStatus();
  const Rank here = ThisRank();
  char message[kMessage] = {};
  auto code = static_cast<int>(mine.code());
  std::strncpy(message, std::string(mine.message()).c_str(), kMessage - 1);
  const auto owner = static_cast<int>(failed % static_cast<unsigned long long>(here.ranks));
  MPI_Bcast(message, kMessage, MPI_CHAR, owner, MPI_COMM_WORLD);
  MPI_Bcast(&code, 1, MPI_INT, owner, MPI_COMM_WORLD);
  return absl::Status(static_cast<absl::StatusCode>(code), message);
}

}  // namespace

void StartRanks() {
  // what Open MPI, MPICH and Slurm's PMI set
  const bool launched = std::getenv("OMPI_COMM_WORLD_SIZE") != nullptr || std::getenv("PMI_SIZE") != nullptr ||
                        std::getenv("PMIX_RANK") != nullptr;
  if (launched) MPI_Init(nullptr, nullptr);
}

void EndRanks() {
  if (Started()) MPI_Finalize();
}

Rank ThisRank() {
  Rank here;
  if (!Started()) return here;
  MPI_Comm_rank(MPI_COMM_WORLD, &here.rank);
  MPI_Comm_size(MPI_COMM_WORLD, &here.ranks);
  return here;
}

absl::StatusOr<std::vector<double>> OverRanks(size_t count, const Task &task) {
  if (!Started()) return OneAfterTheOther(count, task);
  const Rank here = ThisRank();
  std::vector<double> results(count, 0);
  size_t failed = count;
  absl::Status mine;
  for (auto i = static_cast<size_t>(here.rank); i < count && failed == count; i += static_cast<size_t>(here.ranks)) {
    const auto result = task(i);
    if (result.ok()) results[i] = *result;
    if (!result.ok()) failed = i, mine = result.status();
  }
  O2M_RETURN_IF_ERROR(FirstError(failed, count, mine));
  // every result is one rank's number plus zeros: the sum is exact, in whatever order
  MPI_Allreduce(MPI_IN_PLACE, results.data(), static_cast<int>(count), MPI_DOUBLE, MPI_SUM, MPI_COMM_WORLD);
  return results;
}
#else
void StartRanks() {}
void EndRanks() {}
Rank ThisRank() { return {}; }
absl::StatusOr<std::vector<double>> OverRanks(size_t count, const Task &task) { return OneAfterTheOther(count, task); }
#endif

}  // namespace onnx2mcu
