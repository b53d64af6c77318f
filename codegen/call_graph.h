// codegen/call_graph.h - the deepest stack of a program, from GCC's -fcallgraph-info=su files.
#pragma once
#include <map>
#include <set>
#include <string>

#include "importer/ir/status.h"

namespace onnx2mcu {

// Function name -> bytes of its own frame, and whom it calls. Static functions keep their "file.c:" prefix.
struct CallGraph {
  std::map<std::string, int64_t> frame;
  std::map<std::string, std::set<std::string>> calls;
};
void AddCallGraph(CallGraph &graph, const std::string &vcg_text);
// Bytes of the deepest chain from `root` down; functions without a frame (libc) count as none. InvalidArgument names a
// function that calls itself, directly or not.
absl::StatusOr<int64_t> DeepestStack(const CallGraph &graph, const std::string &root);

}  // namespace onnx2mcu
