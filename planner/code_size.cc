#include "planner/code_size.h"

#include <algorithm>
#include <tuple>
#include <unordered_map>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "planner/address_code.h"
#include "planner/call_code.h"
#include "planner/cost.h"

namespace onnx2mcu {
namespace {

constexpr CodeRow kRows[] = {
#include "planner/code_table.inc"
    {"", "", {}},
};

// What nobody measured is a kernel of middling size, called as most are.
constexpr int64_t kUsualKernel = 600, kUsualCall = 24000, kUsualObject = 48, kUsualAlign = 4;

using Index = std::unordered_map<std::string, const CodeRow *>;
const Index &TableRows() {
  static const Index rows = [] {
    Index index;
    for (const CodeRow &row : kRows) index[absl::StrCat(row.kind, " ", row.name)] = &row;
    return index;
  }();
  return rows;
}

int64_t FigureOr(const std::string &kind, const std::string &name, int32_t core, int64_t usual) {
  const int64_t figure = CodeFigure(kind, name, core);
  return figure < 0 ? usual : figure;
}

// What tells a node's struct from all others. Parts of a node, and a node that is done once more, are of the same float
// nodes: their structs are one where they say the same.
using ObjectKey = std::tuple<const o2m_op *, std::vector<NodeId>, std::vector<TensorId>, std::string, std::string>;
ObjectKey KeyOf(const Graph &graph, const Node &node, const CallCode::Object &object) {
  std::vector<TensorId> weights;
  for (const TensorId id : node.inputs)
    if (id != kNone && graph.tensors[id].is_constant) weights.push_back(id);
  return {node.op, node.float_nodes, std::move(weights), object.type, object.initializer};
}

// GCC writes a loop of two steps out as what its steps do, one after the other, where by its count that is no longer: a
// call counts one and its arguments. Not where a rest is left: such a loop goes by rows (codegen/emit_function.cc).
constexpr int64_t kPeeledSize = 27;

void AddStage(const Stage &stage, const CallCode &calls, std::map<std::string, int64_t> *counts) {
  const bool loop = stage.steps > stage.rows;
  const int64_t size = static_cast<int64_t>(calls.functions.size()) + calls.arguments;
  const bool peeled = loop && stage.steps == 2 * stage.rows && size <= kPeeledSize;
  (*counts)["stage"]++;
  if (loop) (*counts)[peeled ? "peeled" : stage.steps % stage.rows == 0 ? "loop" : "loop with rest"]++;
  if (peeled) (*counts)["peeled argument"] += calls.arguments;
  for (const std::string &function : calls.functions) (*counts)["call " + function]++;
}

}  // namespace

int64_t CodeFigure(const std::string &kind, const std::string &name, int32_t core) {
  const auto row = TableRows().find(absl::StrCat(kind, " ", name));
  return row == TableRows().end() ? -1 : row->second->values[core];
}

absl::StatusOr<StageCode> StageCodeOf(const Graph &graph, const Plan &plan, const o2m_target &target,
                                      const o2m_op *copy, Host &host) {
  StageCode code;
  std::set<ObjectKey> seen;
  code.counts = AddressCounts(graph, plan, target);
  for (const Stage &stage : plan.stages) {
    CallCode calls;
    for (const NodeId id : stage.nodes) {
      O2M_ASSIGN_OR_RETURN(const CallCode call, CallCodeOf(graph, graph.nodes[id], target, stage.rows, host));
      for (const auto &[file, text] : call.sources)
        if (absl::EndsWith(file, ".c")) code.sources.insert(file);
      calls.functions.insert(calls.functions.end(), call.functions.begin(), call.functions.end());
      calls.arguments += call.arguments;
      const bool shared = graph.nodes[id].op == copy;
      for (const CallCode::Object &object : call.objects)
        if (seen.insert(KeyOf(graph, graph.nodes[id], object)).second)
          code.objects.push_back({object.type, shared ? absl::StrCat(object.type, " ", object.initializer) : ""});
    }
    AddStage(stage, calls, &code.counts);
  }
  return code;
}

int64_t CallText(const StageCode &code, int32_t core) {
  int64_t text = 0;
  for (const auto &[name, times] : code.counts)
    text += times * (absl::StartsWith(name, "call ") ? FigureOr("call", name.substr(5), core, kUsualCall)
                                                     : FigureOr("program", name, core, 0));
  return text;
}

int64_t StreamText(int32_t core) { return FigureOr("program", "rows", core, 0); }

std::vector<ConstantBlock> ObjectBlocks(const StageCode &code, int32_t core) {
  std::vector<ConstantBlock> blocks;
  for (const StageCode::Object &object : code.objects)
    blocks.push_back({FigureOr("object", object.type, core, kUsualObject),
                      FigureOr("align", object.type, core, kUsualAlign), object.shared});
  return blocks;
}

KernelSize KernelSizeOf(const std::set<std::string> &sources, int32_t core) {
  KernelSize size;
  size.text = FigureOr("program", "program", core, 0) / 1000;
  std::set<std::string> library;
  for (const std::string &source : sources) {
    size.text += FigureOr("text", source, core, kUsualKernel);
    size.rodata.push_back({FigureOr("rodata", source, core, 0), kUsualAlign, ""});
  }
  for (const CodeRow &row : kRows) {
    const std::string kind = row.kind, name = row.name;
    if (kind != "needs" || row.values[core] <= 0) continue;
    const size_t space = name.find(' ');
    if (sources.count(name.substr(0, space))) library.insert(name.substr(space + 1));
  }
  for (const std::string &function : library) size.text += FigureOr("library", function, core, 0);
  return size;
}

int64_t RodataBytes(const std::vector<const std::vector<ConstantBlock> *> &objects,
                    const std::vector<ConstantBlock> &kernels) {
  std::vector<const ConstantBlock *> declared;
  std::set<std::string> seen;
  for (const std::vector<ConstantBlock> *list : objects)
    for (const ConstantBlock &block : *list)
      if (block.shared.empty() || seen.insert(block.shared).second) declared.push_back(&block);
  int64_t end = 0;
  const auto add = [&end](const ConstantBlock &block) {
    end = (end + block.align - 1) / block.align * block.align + block.bytes;
  };
  for (size_t i = declared.size(); i-- > 0;) add(*declared[i]);
  for (const ConstantBlock &block : kernels)
    if (block.bytes > 0) add(block);
  return end;
}

}  // namespace onnx2mcu
