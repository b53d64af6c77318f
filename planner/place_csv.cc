#include <algorithm>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "planner/place.h"

namespace onnx2mcu {
namespace {

absl::Status BadLine(size_t line, const std::string &what) {
  return absl::InvalidArgumentError(
      absl::StrCat("csv line ", line, ": ", what, "; a line is id,lower,upper,size or id,lower,upper,size,offset"));
}

absl::Status ReadLine(const std::vector<std::string> &fields, size_t line, CsvProblem &csv) {
  if (fields.size() != 4 && fields.size() != 5) return BadLine(line, absl::StrCat(fields.size(), " fields"));
  int32_t lower = 0, upper = 0;
  int64_t bytes = 0, offset = 0;
  bool numbers = absl::SimpleAtoi(fields[1], &lower) && absl::SimpleAtoi(fields[2], &upper);
  numbers = numbers && absl::SimpleAtoi(fields[3], &bytes);
  if (fields.size() == 5) numbers = numbers && absl::SimpleAtoi(fields[4], &offset);
  if (!numbers || upper <= lower || bytes < 0 || offset < 0) return BadLine(line, "not a lifetime, size and offset");
  csv.problem.blocks.push_back({fields[0], bytes, 1, lower, upper - 1});
  if (fields.size() == 5) csv.solution.offsets.push_back(offset);
  if (fields.size() == 5) csv.solution.bytes = std::max(csv.solution.bytes, offset + bytes);
  return absl::OkStatus();
}

}  // namespace

std::string WriteCsv(const Problem &problem, const Solution *solution) {
  std::string csv = solution ? "id,lower,upper,size,offset\n" : "id,lower,upper,size\n";
  for (size_t i = 0; i < problem.blocks.size(); i++) {
    const Block &block = problem.blocks[i];
    absl::StrAppend(&csv, block.id, ",", block.first, ",", block.last + 1, ",", block.bytes);
    if (solution) absl::StrAppend(&csv, ",", solution->offsets[i]);
    csv += "\n";
  }
  return csv;
}

absl::StatusOr<CsvProblem> ReadCsv(const std::string &text) {
  CsvProblem csv;
  size_t line = 0;
  for (absl::string_view row : absl::StrSplit(text, '\n')) {
    if (line++ == 0 || row.empty()) continue;
    O2M_RETURN_IF_ERROR(ReadLine(absl::StrSplit(row, ','), line, csv));
  }
  if (!csv.solution.offsets.empty() && csv.solution.offsets.size() != csv.problem.blocks.size())
    return BadLine(line, "some blocks have an offset and some have none");
  return csv;
}

}  // namespace onnx2mcu
