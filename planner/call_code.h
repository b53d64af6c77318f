// planner/call_code.h - what the call of a node needs of the generated program: asked of its op, which is let write the
// call into nothing.
#pragma once
#include <map>
#include <string>
#include <vector>

#include "importer/ir/graph.h"
#include "importer/ir/status.h"
#include "plugins/registry.h"

namespace onnx2mcu {

struct CallCode {
  std::map<std::string, std::string> sources;  // file name -> text of the kernels it ships
  struct Object {
    std::string type, initializer;  // of a constant struct that it declares; names in it stand for any
  };
  std::vector<Object> objects;
  std::vector<std::string> functions;  // that its statements call, in order
  int64_t arguments = 0;               // of all these calls
};

// `rows` per call. Of a node whose op has accepted it; constants need no data. Errors of the op's emit().
absl::StatusOr<CallCode> CallCodeOf(const Graph &graph, const Node &node, const o2m_target &target, int32_t rows,
                                    Host &host);

// "O2M_SYM(o2m_add)(x, y)" -> o2m_add, of all calls in a text.
std::vector<std::string> CalledFunctions(const std::string &text);

}  // namespace onnx2mcu
