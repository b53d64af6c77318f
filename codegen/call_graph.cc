#include "codegen/call_graph.h"

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace onnx2mcu {
namespace {

std::string Quoted(const std::string &line, const std::string &key) {
  const size_t at = line.find(key + ": \"");
  if (at == std::string::npos) return "";
  const size_t from = at + key.size() + 3;
  return line.substr(from, line.find('"', from) - from);
}

// The "N bytes (static)" line of a node's label.
int64_t FrameBytes(const std::string &label) {
  const size_t end = label.find(" bytes (");
  if (end == std::string::npos) return -1;
  size_t start = end;
  while (start > 0 && label[start - 1] >= '0' && label[start - 1] <= '9') start--;
  int64_t bytes = -1;
  return absl::SimpleAtoi(label.substr(start, end - start), &bytes) ? bytes : -1;
}

struct Walk {
  const CallGraph &graph;
  std::map<std::string, int64_t> done;
  std::set<std::string> open;
};

absl::StatusOr<int64_t> Depth(Walk &walk, const std::string &name) {
  if (const auto known = walk.done.find(name); known != walk.done.end()) return known->second;
  if (!walk.open.insert(name).second)
    return absl::InvalidArgumentError(absl::StrCat("function '", name, "' calls itself; its stack has no bound"));
  int64_t deepest = 0;
  if (const auto calls = walk.graph.calls.find(name); calls != walk.graph.calls.end())
    for (const std::string &callee : calls->second) {
      O2M_ASSIGN_OR_RETURN(const int64_t below, Depth(walk, callee));
      deepest = std::max(deepest, below);
    }
  walk.open.erase(name);
  const auto frame = walk.graph.frame.find(name);
  return walk.done[name] = deepest + (frame == walk.graph.frame.end() ? 0 : frame->second);
}

}  // namespace

void AddCallGraph(CallGraph &graph, const std::string &vcg_text) {
  for (absl::string_view text : absl::StrSplit(vcg_text, '\n')) {
    const std::string line(text);
    if (absl::StartsWith(line, "node:")) {
      if (const int64_t bytes = FrameBytes(Quoted(line, "label")); bytes >= 0)
        graph.frame[Quoted(line, "title")] = bytes;
    } else if (absl::StartsWith(line, "edge:")) {
      graph.calls[Quoted(line, "sourcename")].insert(Quoted(line, "targetname"));
    }
  }
}

absl::StatusOr<int64_t> DeepestStack(const CallGraph &graph, const std::string &root) {
  Walk walk{graph, {}, {}};
  return Depth(walk, root);
}

}  // namespace onnx2mcu
