// plugins/check.h - the contract of ops/onnx2mcu_op.h as a program: runs a plugin against its own "o2m.cases/1".
//
// Each case runs in a child process of its own, so that a crash or an endless loop is a finding like any other.
#pragma once
#include <cstdint>
#include <map>
#include <ostream>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "plugins/registry.h"

namespace onnx2mcu {

struct CheckOptions {
  uint64_t seed = 1;                 // of the random inputs
  std::string compiler = "cc";       // builds what emit() writes; searched in PATH
  int timeout_seconds = 300;         // per case, and per op for its emitted code
  const Registry *loaded = nullptr;  // its ids count as taken, except those that come from the same file
};

// One broken clause.
struct Violation {
  std::string op, case_name;  // case_name is empty where the clause is not about one case
  std::string clause;         // "rows == whole"
  std::string seen;           // "rows=3: output 0 [3, 0]: expected 12, got 13 (4 of 64 elements differ)"
};

struct CheckedOp {
  std::string id;
  int cases = 0;
  std::map<std::string, int64_t> checks;  // comparisons made, by clause
  int violations = 0;
};
int64_t TotalChecks(const CheckedOp &op);
// Clauses that no case reached, because the op does not declare what they are about: strides, splits, a table ...
std::vector<std::string> NotExercised(const CheckedOp &op);

struct CheckReport {
  std::string path, name, version;
  std::vector<CheckedOp> ops;
  std::vector<Violation> violations;
  bool ok() const { return violations.empty(); }
};

// InvalidArgument where the file cannot be loaded at all (the reasons of Registry::Load). What it breaks once loaded is
// in the report. Deterministic for a plugin that keeps the contract.
absl::StatusOr<CheckReport> CheckPlugin(const std::string &path, const CheckOptions &options = {});

// A table, one row per op, with the clauses that no case exercised; then one line per violation: op, case, clause, what
// was seen.
void PrintReport(const CheckReport &report, std::ostream &out);

}  // namespace onnx2mcu
