#include "planner/place_check.h"

#include "absl/strings/str_cat.h"

namespace onnx2mcu {
namespace {

absl::Status BadPlacement(const std::string &what) { return absl::InternalError(absl::StrCat("placement: ", what)); }

std::string NameOf(const Problem &problem, size_t i) {
  const std::string &id = problem.blocks[i].id;
  return id.empty() ? absl::StrCat("block ", i) : absl::StrCat("block '", id, "'");
}

absl::Status CheckAlone(const Problem &problem, const Solution &solution, size_t i) {
  const Block &block = problem.blocks[i];
  const int64_t offset = solution.offsets[i];
  if (offset < 0) return BadPlacement(NameOf(problem, i) + " has no offset");
  if (block.fixed >= 0 && offset != block.fixed)
    return BadPlacement(NameOf(problem, i) + " is not where it was to lie");
  if (block.fixed < 0 && offset % block.align != 0) return BadPlacement(NameOf(problem, i) + " is not aligned");
  for (const int64_t at : problem.boundaries)
    if (offset < at && at < offset + block.bytes) return BadPlacement(NameOf(problem, i) + " lies across two regions");
  if (offset + block.bytes > solution.bytes) return BadPlacement(NameOf(problem, i) + " ends above the arena");
  return absl::OkStatus();
}

bool Share(const Problem &problem, const Solution &solution, size_t i, size_t j) {
  const Block &a = problem.blocks[i], &b = problem.blocks[j];
  const bool time = a.first <= b.last && b.first <= a.last;
  const int64_t low = std::max(solution.offsets[i], solution.offsets[j]);
  const int64_t high = std::min(solution.offsets[i] + a.bytes, solution.offsets[j] + b.bytes);
  return time && low < high;
}

bool Allowed(const Problem &problem, const Solution &solution, size_t i, size_t j) {
  for (const Distance &d : problem.distances) {
    const size_t x = d.x, y = d.y;
    if ((x != i || y != j) && (x != j || y != i)) continue;
    if (solution.offsets[x] - solution.offsets[y] >= std::max<int64_t>(d.distance, 0)) return true;
  }
  return false;
}

}  // namespace

absl::Status CheckSolution(const Problem &problem, const Solution &solution) {
  const size_t n = problem.blocks.size();
  if (solution.offsets.size() != n)
    return BadPlacement(absl::StrCat(solution.offsets.size(), " offsets for ", n, " blocks"));
  for (size_t i = 0; i < n; i++) {
    const absl::Status status = CheckAlone(problem, solution, i);
    if (!status.ok()) return status;
    for (size_t j = 0; j < i; j++)
      if (Share(problem, solution, i, j) && !Allowed(problem, solution, i, j))
        return BadPlacement(
            absl::StrCat(NameOf(problem, j), " and ", NameOf(problem, i), " are alive together and overlap"));
  }
  return absl::OkStatus();
}

}  // namespace onnx2mcu
