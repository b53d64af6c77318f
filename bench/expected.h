// bench/expected.h - the counts kept in the tree, what changed against them, and the figures that are to be reached.
#pragma once
#include <map>
#include <string>
#include <vector>

#include "bench/measure.h"
#include "importer/ir/status.h"

namespace onnx2mcu {

// bench/expected/TARGET.csv: "row,instructions,cycles,ram,flash" with that line as its head; by row.
using Counts = std::map<std::string, Row>;
// An absent file is an empty list. InvalidArgument names the line that is none.
absl::StatusOr<Counts> ReadCounts(const std::string &path);
absl::Status WriteCounts(const std::string &path, const Counts &counts);

// Lines "row: 100 -> 90 instructions (0.900)", one per figure that differs; "row: new" and "row: gone". A row is gone
// if its case was measured and it was not there, or if it is a case of an op and `all_cases` were measured.
std::vector<std::string> Changes(const Counts &expected, const std::vector<Row> &measured, bool all_cases);
// What the file is to hold from now on: measured rows replace those of their cases.
Counts Updated(const Counts &expected, const std::vector<Row> &measured, bool all_cases);

// bench/limits.csv: "figure,rows,of,count,TARGET,TARGET...": "instructions", "cycles", "ram" or "flash" of some rows,
// per count, at most so many. rows: patterns (fnmatch) apart by spaces, to be added up, or subtracted after a '-'.
struct Limit {
  std::string figure;
  std::vector<std::string> add, subtract;
  int64_t Row::*of = &Row::instructions;
  double count = 1;
  std::map<std::string, double> most;  // by target
};
absl::StatusOr<std::vector<Limit>> ReadLimits(const std::string &path);
// A line of text per figure that has a limit on this target and whose rows were measured.
std::vector<std::string> AgainstLimits(const std::vector<Limit> &limits, const std::string &target,
                                       const std::vector<Row> &measured);

}  // namespace onnx2mcu
