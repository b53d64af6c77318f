// emit_formula.cc - what each stage computes, as one line for the reader: "x = add(x, fc2(fc1(norm2(x))))".
#include <map>
#include <set>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "codegen/emit.h"
#include "codegen/printer.h"

namespace onnx2mcu {
namespace {

constexpr size_t kLongestFormula = 110;

// Who reads a base after whom; a node is written inside its reader's parentheses if that is the only one.
struct Formulas {
  const ProgramText &program;
  std::map<NodeId, std::set<NodeId>> readers;      // of what a node wrote
  std::map<NodeId, std::map<int, NodeId>> writer;  // node, input -> the node that wrote it last
  std::map<NodeId, size_t> stage_of;

  const Node &node(NodeId id) const { return program.graph->nodes[id]; }
  bool IsInlined(NodeId id) const {
    const auto found = readers.find(id);
    if (found == readers.end() || found->second.size() != 1 || node(id).outputs.size() != 1) return false;
    return stage_of.at(*found->second.begin()) == stage_of.at(id);
  }
};

Formulas Collect(const ProgramText &program) {
  Formulas formulas{program, {}, {}, {}};
  std::map<TensorId, NodeId> last_writer;  // by base
  for (size_t s = 0; s < program.plan->stages.size(); s++) {
    for (const NodeId id : program.plan->stages[s].nodes) {
      const Node &node = program.graph->nodes[id];
      formulas.stage_of[id] = s;
      for (size_t i = 0; i < node.inputs.size(); i++) {
        if (node.inputs[i] == kNone) continue;
        const auto found = last_writer.find(BaseOf(*program.graph, node.inputs[i]));
        if (found == last_writer.end()) continue;
        formulas.readers[found->second].insert(id);
        formulas.writer[id][static_cast<int>(i)] = found->second;
      }
      for (const TensorId out : node.outputs) last_writer[BaseOf(*program.graph, out)] = id;
    }
  }
  return formulas;
}

std::string Expression(const Formulas &formulas, NodeId id);

std::string Argument(const Formulas &formulas, NodeId id, int input) {
  const Graph &graph = *formulas.program.graph;
  const auto written = formulas.writer.find(id);
  if (written != formulas.writer.end() && written->second.count(input) > 0) {
    const NodeId by = written->second.at(input);
    return formulas.IsInlined(by) ? Expression(formulas, by) : formulas.program.labels[by].result;
  }
  const TensorId base = BaseOf(graph, formulas.node(id).inputs[input]);
  for (size_t i = 0; i < graph.inputs.size(); i++) {
    if (BaseOf(graph, graph.inputs[i]) == base) return InputName(graph, static_cast<int>(i));
  }
  return "";  // a constant
}

// "/blocks.0/mlp/act/Erf" -> "act"; a name without a path as it is.
std::string EpilogueName(const std::string &onnx) {
  const size_t end = onnx.rfind('/');
  const std::string path = onnx.substr(0, end);
  const bool has_path = end != std::string::npos && path.find_first_not_of('/') != std::string::npos;
  return CIdentifier(has_path ? path.substr(path.rfind('/') + 1) : onnx);
}

std::string Expression(const Formulas &formulas, NodeId id) {
  const Node &node = formulas.node(id);
  std::vector<std::string> arguments;
  for (size_t i = 0; i < node.inputs.size(); i++) {
    if (node.inputs[i] == kNone) continue;
    std::string argument = Argument(formulas, id, static_cast<int>(i));
    if (!argument.empty()) arguments.push_back(std::move(argument));
  }
  std::string text = absl::StrCat(formulas.program.labels[id].name, "(", absl::StrJoin(arguments, ", "), ")");
  for (const Epilogue &epilogue : node.epilogue) text = absl::StrCat(EpilogueName(epilogue.name), "(", text, ")");
  return text;
}

std::string StageFormula(const Formulas &formulas, const Stage &stage) {
  const Graph &graph = *formulas.program.graph;
  std::vector<std::string> parts, names;
  for (const NodeId id : stage.nodes) {
    names.push_back(formulas.program.labels[id].name);
    if (formulas.IsInlined(id)) continue;
    std::string result = formulas.program.labels[id].result;
    for (size_t i = 0; i < graph.outputs.size(); i++) {
      if (formulas.node(id).outputs[0] == graph.outputs[i]) result = OutputName(graph, static_cast<int>(i));
    }
    parts.push_back(absl::StrCat(result, " = ", Expression(formulas, id)));
  }
  const std::string formula = absl::StrJoin(parts, "; ");
  if (formula.size() <= kLongestFormula) return formula;
  std::string list = absl::StrJoin(names, ", ");  // too long to read: the names in order
  if (list.size() > kLongestFormula) list = absl::StrCat(list.substr(0, kLongestFormula - 3), "...");
  return list;
}

}  // namespace

std::vector<std::string> StageFormulas(const ProgramText &program) {
  const Formulas formulas = Collect(program);
  std::vector<std::string> lines;
  for (const Stage &stage : program.plan->stages) {
    std::string line = StageFormula(formulas, stage);
    if (stage.steps > stage.rows) absl::StrAppend(&line, stage.rows == 1 ? "  row by row" : "");
    lines.push_back(std::move(line));
  }
  return lines;
}

}  // namespace onnx2mcu
