#include "nas/search/ranks.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <string>

#include "absl/strings/str_cat.h"

#if O2M_MPI
#define OMPI_SKIP_MPICXX 1  // the C bindings only
#define MPICH_SKIP_MPICXX 1
#include <mpi.h>
#endif

namespace onnx2mcu {
namespace {

// How many ranks a launcher says that it started: Open MPI in OMPI_COMM_WORLD_SIZE, MPICH and Slurm in PMI_SIZE.
std::string Launched() {
  for (const char *name : {"OMPI_COMM_WORLD_SIZE", "PMI_SIZE"})
    if (const char *ranks = std::getenv(name)) return ranks;
  return "";
}

}  // namespace

#if O2M_MPI
namespace {

constexpr int kMessage = 1024;  // bytes that are passed on of an error

bool Started() {
  int started = 0, ended = 0;
  MPI_Initialized(&started);
  MPI_Finalized(&ended);
  return started != 0 && ended == 0;
}

void Broadcast(int owner, void *bytes, size_t count) {
  constexpr size_t kMost = size_t{1} << 30;  // counts of MPI are ints
  for (size_t first = 0; first < count; first += kMost)
    MPI_Bcast(static_cast<char *>(bytes) + first, static_cast<int>(std::min(kMost, count - first)), MPI_BYTE, owner,
              MPI_COMM_WORLD);
}

absl::Status CheckSameCount(size_t count) {
  unsigned long long least[2] = {count, ~static_cast<unsigned long long>(count)};
  MPI_Allreduce(MPI_IN_PLACE, least, 2, MPI_UNSIGNED_LONG_LONG, MPI_MIN, MPI_COMM_WORLD);
  if (least[0] == ~least[1]) return absl::OkStatus();
  return absl::InternalError("the ranks have come to different points; all must see the same folder of results");
}

// The first task's error that any rank met, as every rank's. first_failed: of this rank; `count` where none.
absl::Status FirstError(size_t first_failed, size_t count, const absl::Status &mine) {
  auto failed = static_cast<unsigned long long>(first_failed);
  MPI_Allreduce(MPI_IN_PLACE, &failed, 1, MPI_UNSIGNED_LONG_LONG, MPI_MIN, MPI_COMM_WORLD);
  if (failed == count) return absl::OkStatus();
  const Peers here = ThisRank();
  char message[kMessage] = {};
  auto code = static_cast<int>(mine.code());
  std::strncpy(message, std::string(mine.message()).c_str(), kMessage - 1);
  here.broadcast(here.OwnerOf(failed), message, kMessage);
  here.broadcast(here.OwnerOf(failed), &code, sizeof code);
  return absl::Status(static_cast<absl::StatusCode>(code), message);
}

}  // namespace

absl::Status StartRanks() {
  if (!Launched().empty() || std::getenv("PMIX_RANK") != nullptr) MPI_Init(nullptr, nullptr);
  return absl::OkStatus();
}

void EndRanks() {
  if (Started()) MPI_Finalize();
}

Peers ThisRank() {
  Peers here;
  if (!Started()) return here;
  MPI_Comm_rank(MPI_COMM_WORLD, &here.rank);
  MPI_Comm_size(MPI_COMM_WORLD, &here.ranks);
  here.broadcast = Broadcast;
  return here;
}

absl::StatusOr<std::vector<double>> OverRanks(size_t count, const Task &task) {
  if (!Started()) return OneAfterTheOther(count, task);
  O2M_RETURN_IF_ERROR(CheckSameCount(count));
  const Peers here = ThisRank();
  std::vector<double> results(count, 0);
  size_t failed = count;
  absl::Status mine;
  for (size_t i = 0; i < count && failed == count; i++) {
    if (!here.Owns(i)) continue;
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
absl::Status StartRanks() {
  if (const std::string ranks = Launched(); !ranks.empty() && ranks != "1")
    return absl::FailedPreconditionError(absl::StrCat(
        "started as ", ranks, " ranks, but this build has no MPI: install libopenmpi-dev, configure and build again"));
  return absl::OkStatus();
}
void EndRanks() {}
Peers ThisRank() { return {}; }
absl::StatusOr<std::vector<double>> OverRanks(size_t count, const Task &task) { return OneAfterTheOther(count, task); }
#endif

}  // namespace onnx2mcu
