// importer/coverage.h - which ONNX operators reach an op, found by trying: every operator that the evaluator knows is
// put into small graphs of one node, which are canonicalised and lowered as any model is.
#pragma once
#include <string>
#include <vector>

#include "plugins/registry.h"

namespace onnx2mcu {

struct Coverage {
  std::string op_type;           // "Add", "com.microsoft.Gelu"
  std::vector<std::string> ops;  // ids of the ops that the node became
  bool lowered = false;          // with no ops: it dissolved into views or constants
};

// Sorted by operator, one entry each of EvaluableOps().
std::vector<Coverage> TryCoverage(const Registry &registry);

// The evaluator's signature of an operator, see eval_op.h; "" if it knows none of that name.
std::string EvaluableOperands(const std::string &qualified_name);

}  // namespace onnx2mcu
