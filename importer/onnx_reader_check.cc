// What must hold before a graph is built. The onnx checker is asked node by node, so that a refusal names its node.
#include <algorithm>
#include <map>
#include <set>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "importer/dialect.h"
#include "importer/ir/text.h"
#include "importer/onnx_reader.h"
#include "onnx/checker.h"
#include "onnx/defs/schema.h"
#include "onnx/inliner/inliner.h"
#include "onnx/onnx_pb.h"
#include "onnx/version_converter/convert.h"

namespace onnx2mcu {
namespace {

constexpr int kOldestOpset = 11;  // the oldest whose operators the evaluator and Canonicalize() know

int NewestOpset() { return onnx::OpSchemaRegistry::DomainToVersionRange::Instance().Map().at("").second; }

// ai.onnx and "" are one domain. ONNX Runtime saves RMSNormalization under a name of its own in it, Deeploy the
// operators of integerised models.
void NormalizeDomains(onnx::ModelProto &model) {
  for (auto &import : *model.mutable_opset_import())
    if (import.domain() == "ai.onnx") import.clear_domain();
  for (auto &node : *model.mutable_graph()->mutable_node())
    if (node.domain() == "ai.onnx") node.clear_domain();
  for (auto &node : *model.mutable_graph()->mutable_node())
    if (node.domain().empty() && node.op_type() == "SimplifiedLayerNormalization") node.set_op_type("RMSNormalization");
  bool dialect = false;
  for (auto &node : *model.mutable_graph()->mutable_node()) {
    if (!IsDialectOp(node.op_type())) continue;
    node.set_domain(kDialectDomain);
    dialect = true;
  }
  if (!dialect || OpsetOf(model, kDialectDomain) > 0) return;
  auto *import = model.add_opset_import();
  import->set_domain(kDialectDomain);
  import->set_version(1);
}

// Opsets 7 to 10 go through onnx's version converter, which knows most operators of convolutional networks.
absl::Status Upgrade(const ModelFile &file, int opset, onnx::ModelProto &model) {
  const std::string where = absl::StrCat(file.path, ": opset ", opset, " is older than ", kOldestOpset);
  const std::string works = absl::StrCat("export with opset_version ", kOldestOpset, " or newer");
  try {
    if (opset >= 7) {
      model = onnx::version_conversion::ConvertVersion(model, 13);
      return absl::OkStatus();
    }
  } catch (const std::exception &e) {
    return absl::InvalidArgumentError(
        absl::StrCat(where, " and cannot be converted (", OneLine(e.what()), "); ", works));
  }
  return absl::InvalidArgumentError(absl::StrCat(where, "; ", works));
}

absl::Status CheckOpset(const ModelFile &file, onnx::ModelProto &model) {
  const int opset = OpsetOf(model, "");
  const std::string known = absl::StrCat(kOldestOpset, " to ", NewestOpset());
  bool needed = false;
  for (const auto &node : model.graph().node()) needed = needed || node.domain().empty();
  if (opset <= 0 && needed)
    return absl::InvalidArgumentError(absl::StrCat(file.path, ": names no opset; export with opset ", known));
  if (opset > NewestOpset())
    return absl::InvalidArgumentError(
        absl::StrCat(file.path, ": opset ", opset, " is not known; export with opset ", known));
  return opset > 0 && opset < kOldestOpset ? Upgrade(file, opset, model) : absl::OkStatus();
}

absl::Status InlineFunctions(const ModelFile &file, onnx::ModelProto &model) {
  if (model.functions().empty()) return absl::OkStatus();
  try {
    onnx::checker::check_function_call_cycles(model);
    onnx::inliner::InlineLocalFunctions(model, true);
  } catch (const std::exception &e) {
    return absl::InvalidArgumentError(absl::StrCat(file.path, ": its functions cannot be inlined (", OneLine(e.what()),
                                                   "); export without export_modules_as_functions"));
  }
  return absl::OkStatus();
}

bool HasControlFlow(const onnx::GraphProto &graph) {
  return std::any_of(graph.node().begin(), graph.node().end(), HasGraphs);
}

absl::Status CheckKinds(const ModelFile &file, const onnx::ModelProto &model) {
  const onnx::GraphProto &graph = model.graph();
  if (graph.node().empty())
    return absl::InvalidArgumentError(absl::StrCat(file.path, ": its graph has no nodes; export the model again"));
  if (graph.output().empty())
    return absl::InvalidArgumentError(absl::StrCat(file.path, ": its graph has no outputs; export the model again"));
  if (!graph.sparse_initializer().empty())
    return absl::UnimplementedError(
        absl::StrCat(file.path, ": tensor '", Printable(graph.sparse_initializer(0).values().name()),
                     "' is stored sparse, which is not supported; store it dense, zeros included"));
  for (const onnx::NodeProto &node : graph.node())
    if (HasGraphs(node))
      return absl::UnimplementedError(
          absl::StrCat(NodeText(file, model, node),
                       ": control flow is not supported but for an If that shapes decide; export with fixed shapes, or "
                       "fold it away with onnxsim first"));
  return absl::OkStatus();
}

using Definitions = std::map<std::string, int>;  // value -> node that writes it, or kNone for inputs and initialisers

// What a value named `name` may come from, or why there are two.
absl::StatusOr<Definitions> Define(const ModelFile &file, const onnx::ModelProto &model) {
  const onnx::GraphProto &graph = model.graph();
  Definitions definitions;
  std::set<std::string> inputs, constants;
  const auto twice = [&](const std::string &name, const std::string &what) {
    return absl::InvalidArgumentError(absl::StrCat(file.path, ": ", what, " '", Printable(name),
                                                   "' is defined twice; names must be unique, export again"));
  };
  for (const auto &input : graph.input())
    if (!inputs.insert(input.name()).second) return twice(input.name(), "graph input");
  for (const auto &tensor : graph.initializer())
    if (!constants.insert(tensor.name()).second) return twice(tensor.name(), "initialiser");
  for (const auto &name : inputs) definitions[name] = kNone;
  for (const auto &name : constants) definitions[name] = kNone;
  for (int i = 0; i < graph.node_size(); i++)
    for (const std::string &name : graph.node(i).output())
      if (!name.empty() && !definitions.emplace(name, i).second)
        return absl::InvalidArgumentError(absl::StrCat(NodeText(file, model, graph.node(i)), ": writes '", name,
                                                       "', which is already defined; names must be unique, export "
                                                       "again"));
  return definitions;
}

absl::Status CheckReads(const ModelFile &file, const onnx::ModelProto &model, const Definitions &definitions) {
  for (const auto &node : model.graph().node())
    for (const std::string &name : node.input())
      if (!name.empty() && !definitions.count(name))
        return absl::InvalidArgumentError(absl::StrCat(NodeText(file, model, node), ": reads '", name,
                                                       "', which nothing defines; the file is damaged, export again"));
  for (const auto &output : model.graph().output())
    if (!definitions.count(output.name()))
      return absl::InvalidArgumentError(absl::StrCat(file.path, ": graph output '", Printable(output.name()),
                                                     "' is defined by no node; the file is damaged, export again"));
  return absl::OkStatus();
}

// Follows unplaced producers until a node comes round again: that one is in a cycle.
int NodeInCycle(const onnx::GraphProto &graph, const Definitions &definitions, const std::vector<bool> &placed) {
  int node = 0;
  while (placed[node]) node++;
  std::set<int> seen;
  while (seen.insert(node).second) {
    for (const std::string &name : graph.node(node).input()) {
      const auto it = definitions.find(name);
      if (it == definitions.end() || it->second == kNone || placed[it->second]) continue;
      node = it->second;
      break;
    }
  }
  return node;
}

// The order of the file as far as it is topological: always the first node whose operands are there.
std::vector<int> TopologicalOrder(const onnx::GraphProto &graph, const Definitions &definitions) {
  std::vector<int> missing(graph.node_size(), 0);
  std::vector<std::vector<int>> readers(graph.node_size());
  for (int i = 0; i < graph.node_size(); i++)
    for (const std::string &name : graph.node(i).input()) {
      const auto it = definitions.find(name);
      if (name.empty() || it == definitions.end() || it->second == kNone) continue;
      readers[it->second].push_back(i);
      missing[i]++;
    }
  std::set<int> ready;
  for (int i = 0; i < graph.node_size(); i++)
    if (missing[i] == 0) ready.insert(i);
  std::vector<int> order;
  while (!ready.empty()) {
    const int node = *ready.begin();
    ready.erase(ready.begin());
    order.push_back(node);
    for (int reader : readers[node])
      if (--missing[reader] == 0) ready.insert(reader);
  }
  return order;
}

absl::Status SortNodes(const ModelFile &file, const Definitions &definitions, onnx::ModelProto &model,
                       std::vector<std::string> &warnings) {
  const onnx::GraphProto &graph = model.graph();
  const std::vector<int> order = TopologicalOrder(graph, definitions);
  if (static_cast<int>(order.size()) < graph.node_size()) {
    std::vector<bool> placed(graph.node_size(), false);
    for (int node : order) placed[node] = true;
    const onnx::NodeProto &node = graph.node(NodeInCycle(graph, definitions, placed));
    return absl::InvalidArgumentError(
        absl::StrCat(NodeText(file, model, node), ": needs its own output (a cycle); export the model again"));
  }
  if (std::is_sorted(order.begin(), order.end())) return absl::OkStatus();
  warnings.push_back(absl::StrCat(file.path, ": its nodes are not in topological order; sorted"));
  google::protobuf::RepeatedPtrField<onnx::NodeProto> sorted;
  for (int node : order) sorted.Add()->Swap(model.mutable_graph()->mutable_node(node));
  model.mutable_graph()->mutable_node()->Swap(&sorted);
  return absl::OkStatus();
}

std::vector<std::string> KnownOps() {
  std::set<std::string> names;
  for (const onnx::OpSchema &schema : onnx::OpSchemaRegistry::get_all_schemas())
    if (schema.domain().empty()) names.insert(schema.Name());
  return {names.begin(), names.end()};
}

// Operators of other domains are left to the evaluator and to plugins.
absl::Status CheckNode(const ModelFile &file, const onnx::ModelProto &model, const onnx::NodeProto &node,
                       const onnx::checker::CheckerContext &context, std::vector<std::string> &warnings) {
  if (!node.domain().empty()) return absl::OkStatus();
  const int opset = OpsetOf(model, "");
  if (!onnx::OpSchemaRegistry::Schema(node.op_type(), "")) {
    const std::string near = Nearest(node.op_type(), KnownOps());
    return absl::UnimplementedError(absl::StrCat(NodeText(file, model, node), ": no such operator in ONNX",
                                                 near.empty() ? "" : absl::StrCat("; did you mean ", near),
                                                 "; a model-local function or a plugin of another domain would work"));
  }
  if (!onnx::OpSchemaRegistry::Schema(node.op_type(), opset, "")) {
    warnings.push_back(absl::StrCat(NodeText(file, model, node), ": opset ", opset,
                                    " does not have this operator; read as in the newest opset"));
    return absl::OkStatus();
  }
  try {
    onnx::checker::check_node(node, context, {});
  } catch (const std::exception &e) {
    return absl::InvalidArgumentError(absl::StrCat(NodeText(file, model, node), ": the onnx checker refuses it (",
                                                   OneLine(e.what()), "); export the model again"));
  }
  return absl::OkStatus();
}

absl::Status CheckNodes(const ModelFile &file, const onnx::ModelProto &model, std::vector<std::string> &warnings) {
  onnx::checker::CheckerContext context;
  std::unordered_map<std::string, int> imports;
  for (const auto &import : model.opset_import()) imports[import.domain()] = static_cast<int>(import.version());
  context.set_ir_version(static_cast<int>(model.ir_version()));
  context.set_opset_imports(imports);
  for (const auto &node : model.graph().node()) O2M_RETURN_IF_ERROR(CheckNode(file, model, node, context, warnings));
  return absl::OkStatus();
}

}  // namespace

std::string Printable(std::string name) {
  for (char &c : name)
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) c = '?';
  return name;
}

std::string OneLine(const std::string &message) {
  std::string line = Printable(message.substr(0, message.find('\n')));
  while (!line.empty() && (line.back() == '.' || line.back() == ' ')) line.pop_back();
  return line;
}

int OpsetOf(const onnx::ModelProto &model, const std::string &domain) {
  for (const auto &import : model.opset_import())
    if (import.domain() == domain) return static_cast<int>(import.version());
  return 0;
}

std::string NodeText(const ModelFile &file, const onnx::ModelProto &model, const onnx::NodeProto &node) {
  const std::string &name = !node.name().empty() || node.output().empty() ? node.name() : node.output(0);
  const bool standard = node.domain().empty();
  const std::string type = standard ? node.op_type() : absl::StrCat(node.domain(), ".", node.op_type());
  return absl::StrCat(file.path, ": node '", Printable(name), "' (", Printable(type),
                      standard ? ", opset " : ", version ", OpsetOf(model, node.domain()), ")");
}

absl::Status CheckModel(const ModelFile &file, onnx::ModelProto &model, std::vector<std::string> &warnings) {
  NormalizeDomains(model);
  O2M_RETURN_IF_ERROR(CheckOpset(file, model));
  O2M_RETURN_IF_ERROR(InlineFunctions(file, model));
  NormalizeDomains(model);
  while (HasControlFlow(model.graph()) && TakeBranches(file, model)) continue;
  O2M_RETURN_IF_ERROR(CheckKinds(file, model));
  O2M_ASSIGN_OR_RETURN(const Definitions definitions, Define(file, model));
  O2M_RETURN_IF_ERROR(CheckReads(file, model, definitions));
  O2M_RETURN_IF_ERROR(SortNodes(file, definitions, model, warnings));
  return CheckNodes(file, model, warnings);
}

}  // namespace onnx2mcu
