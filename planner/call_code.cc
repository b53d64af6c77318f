#include "planner/call_code.h"

#include <algorithm>
#include <deque>
#include <utility>

#include "absl/algorithm/container.h"
#include "absl/strings/str_cat.h"
#include "importer/ir/op_node.h"

namespace onnx2mcu {
namespace {

struct Emission {
  CallCode code;
  std::deque<std::string> names;  // what the op was handed; deque: stays in place
};

Emission &Of(const o2m_emitter *emitter) { return *static_cast<Emission *>(emitter->emitter_data); }

void Source(const o2m_emitter *emitter, const char *file_name, const char *text) {
  Of(emitter).code.sources.emplace(file_name, text);
}
const char *ConstantName(const o2m_emitter *emitter, int32_t slot) {
  return Of(emitter).names.emplace_back(absl::StrCat("w", slot)).c_str();
}
const char *Object(const o2m_emitter *emitter, const char *c_type, const char *initializer) {
  Of(emitter).code.objects.push_back({c_type, initializer});
  return "p";
}
const char *Operand(const o2m_emitter *, int32_t) { return "x"; }
const char *BlockText(const o2m_emitter *) { return "s"; }
const char *First(const o2m_emitter *) { return "t"; }
const char *RowsText(const o2m_emitter *) { return "rows"; }
void Line(const o2m_emitter *emitter, const char *text) {
  CallCode &code = Of(emitter).code;
  for (std::string &name : CalledFunctions(text)) code.functions.push_back(std::move(name)), code.arguments++;
  code.arguments += static_cast<int64_t>(absl::c_count(absl::string_view(text), ','));
}

}  // namespace

std::vector<std::string> CalledFunctions(const std::string &text) {
  constexpr char kMark[] = "O2M_SYM(";
  std::vector<std::string> names;
  for (size_t at = text.find(kMark); at != std::string::npos; at = text.find(kMark, at + 1)) {
    const size_t begin = at + sizeof kMark - 1, end = text.find(')', begin);
    if (end != std::string::npos && text[end + 1] == '(') names.push_back(text.substr(begin, end - begin));
  }
  return names;
}

absl::StatusOr<CallCode> CallCodeOf(const Graph &graph, const Node &node, const o2m_target &target, int32_t rows,
                                    Host &host) {
  Node packed = node;
  for (Constant &constant : packed.constants) constant.data.resize(constant.count * DTypeBytes(constant.dtype));
  const OpNode op_node(graph, packed);
  Emission emission;
  const o2m_emitter emitter = {sizeof(o2m_emitter), &emission, Source,   ConstantName,      Object, Operand, BlockText,
                               BlockText,           First,     RowsText, std::max(rows, 1), Line};
  host.last_error.clear();
  const std::string where = absl::StrCat(graph.file, ": node '", node.name, "' (", node.op->id, ")");
  O2M_RETURN_IF_ERROR(ToStatus(node.op->emit(&host.host, &target, op_node.get(), &emitter), host, where + ": emit"));
  return emission.code;
}

}  // namespace onnx2mcu
