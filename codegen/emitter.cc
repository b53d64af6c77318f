#include "codegen/emitter.h"

#include <cstring>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "codegen/printer.h"

namespace onnx2mcu {
namespace {

// State of one op->emit() call; what o2m_emitter.emitter_data points at.
struct Emission {
  ProgramText &program;
  FunctionText &function;
  const Stage &stage;
  NodeId id;
  bool in_loop;
  std::string rows;
  o2m_memory memory;
  CallText call;
  std::vector<std::string> copies;  // names of prefetched constants that the op was given
  std::deque<std::string> strings;  // what the op was handed; deque: stays in place
  std::string error;

  const Graph &graph() const { return *program.graph; }
  const Node &node() const { return program.graph->nodes[id]; }
  const char *Keep(std::string text) { return strings.emplace_back(std::move(text)).c_str(); }
  const char *Fail(const std::string &what) {
    if (error.empty()) error = what;
    return "0";
  }
};

Emission &Of(const o2m_emitter *emitter) { return *static_cast<Emission *>(emitter->emitter_data); }

// "block0_attn_q": the function's name keeps it apart from every pointer that functions declare.
std::string NodeName(const Emission &e) {
  return CIdentifier(absl::StrCat(e.function.name, "_", e.program.labels[e.id].name));
}

// ---- Operands

// The name of a pointer to byte `offset` of the arena; declared in the function on first use.
std::string ArenaPointer(Emission &e, const std::string &type, int64_t offset, const std::string &name,
                         const std::string &comment) {
  const std::string byte = ArenaByte(e.program, e.function, offset);
  const std::string cast = type == "uint8_t" ? byte : absl::StrCat("(", type, " *)(", byte, ")");
  const std::string key = absl::StrCat(name, ":", type, cast);  // one name per value, also where addresses are equal
  auto found = e.function.locals.find(key);
  if (found == e.function.locals.end()) {
    const std::string unique = e.function.names.Unique(name);
    const std::string declaration = absl::StrCat(type, " *const ", unique, " = ", cast, ";  // ", comment);
    found = e.function.locals.emplace(key, Local{unique, declaration}).first;
    e.function.order.push_back(key);
  }
  return found->second.name;
}

// What a tensor is called in the function that touches it: after the node that makes it.
std::string ValueName(const ProgramText &program, TensorId id) {
  const Graph &graph = *program.graph;
  const TensorId base = BaseOf(graph, id);
  for (size_t i = 0; i < graph.inputs.size(); i++)
    if (graph.inputs[i] == base) return InputName(graph, static_cast<int>(i));
  for (const bool same_base : {false, true}) {
    for (size_t n = graph.nodes.size(); n-- > 0;) {
      for (const TensorId out : graph.nodes[n].outputs) {
        if (out == id || (same_base && BaseOf(graph, out) == base)) return program.labels[n].result;
      }
    }
  }
  return "value";
}

bool IsTile(const Emission &e, TensorId id) {
  const int32_t buffer = e.program.plan->buffer_of[BaseOf(e.graph(), id)];
  return buffer != kNone && e.program.plan->buffers[buffer].tile;
}

std::string ShapeComment(const Emission &e, TensorId id) {
  std::vector<int64_t> dims = e.graph().tensors[id].dims;
  if (!IsTile(e, id)) return ShapeText(dims);
  for (int64_t &dim : dims) {  // the step axis is the outermost that is not 1
    if (dim == 1) continue;
    dim = std::min<int64_t>(dim, std::max(e.stage.rows, 1));
    return absl::StrCat(ShapeText(dims), " of ", ShapeText(e.graph().tensors[id].dims));
  }
  return ShapeText(dims);
}

// How far the operand of step t lies behind that of step 0: "t * 64".
std::string Walked(const OperandAddress &address, int64_t element) {
  const int64_t step = address.step_bytes / element, before = address.before_bytes / element;
  const std::string walked = step == 1 ? "t" : absl::StrCat("t * ", step);
  if (before == 0) return walked;
  return absl::StrCat("(", walked, " > ", before, " ? ", walked, " - ", before, " : 0)");
}

// "name + t * 64": `at` is where step 0 lies, in elements behind name.
std::string Advance(const Emission &e, const std::string &name, const OperandAddress &address, int64_t at,
                    int64_t element) {
  std::string text = name;
  if (at != 0) absl::StrAppend(&text, " + ", at);
  if (!e.in_loop || address.step_bytes == 0) return text;
  return absl::StrCat(text, " + ", Walked(address, element));
}

// The band begins with row `first` of the input, which is where most readers begin too.
std::string BandOperand(Emission &e, const OperandAddress &address, DType dtype) {
  const Stream &stream = *e.program.stream;
  const int64_t element = DTypeBytes(dtype), band = e.program.plan->buffers[stream.band].offset;
  const int64_t at = address.bytes - band, row = stream.row_bytes;
  const int64_t skipped = at / row, rest = at % row / element;  // whole rows before the operand of step 0
  const std::string comment = absl::StrCat("the band, ", stream.band_rows, " rows of ", row, " bytes");
  const std::string name = ArenaPointer(e, CType(dtype), band, InputName(e.graph(), 0), comment);
  const bool starts = address.step_bytes == stream.step * row && (skipped == 0 || address.before_bytes == 0) &&
                      address.before_bytes - skipped * row == stream.before * row;
  if (starts) return rest == 0 ? name : absl::StrCat(name, " + ", rest);
  return absl::StrCat(name, " + (", Walked(address, element), at == 0 ? "" : absl::StrCat(" + ", at / element),
                      " - first * ", row / element, ")");
}

std::string ConstantOperand(Emission &e, TensorId id);

const char *OperandText(Emission &e, bool is_output, int index) {
  const Node &node = e.node();
  const TensorId id = is_output ? node.outputs[index] : node.inputs[index];
  if (id == kNone) return "0";
  const Tensor &tensor = e.graph().tensors[id];
  const OperandAddress address = AddressOf(e.graph(), *e.program.plan, e.stage, node, e.memory, is_output, index);
  const int64_t element = DTypeBytes(tensor.dtype);
  if (address.bytes % element != 0 || address.step_bytes % element != 0 || address.before_bytes % element != 0) {
    return e.Fail(absl::StrCat("operand '", tensor.name, "' lies between two elements"));
  }
  const int64_t at = address.bytes / element;
  switch (address.place) {
    case OperandAddress::kArena: {
      const std::string name = ValueName(e.program, id);
      const std::string local = ArenaPointer(e, CType(tensor.dtype), address.bytes, name, ShapeComment(e, id));
      return e.Keep(Advance(e, local, address, 0, element));
    }
    case OperandAddress::kBand:
      return e.Keep(BandOperand(e, address, tensor.dtype));
    case OperandAddress::kInput:
      e.function.uses_input[address.index] = true;
      return e.Keep(Advance(e, InputName(e.graph(), address.index), address, at, element));
    case OperandAddress::kOutput:
      e.function.uses_output[address.index] = true;
      return e.Keep(Advance(e, OutputName(e.graph(), address.index), address, at, element));
    case OperandAddress::kConstant:
      return e.Keep(Advance(e, ConstantOperand(e, address.index), address, at, element));
  }
  return "0";
}

// ---- Constants

// The array of the weights file that holds these bytes; equal ones are written once.
std::string WeightName(Emission &e, const std::string &hint, DType dtype, const std::vector<std::byte> &data,
                       const std::string &comment) {
  const std::string key = absl::StrCat(static_cast<int>(dtype), ":") +
                          std::string(reinterpret_cast<const char *>(data.data()), data.size());
  const auto [found, inserted] = e.program.weight_of.emplace(key, e.program.weights.size());
  if (inserted) {
    const std::string name = absl::StrCat(e.graph().name, "_", NodeName(e), "_", CIdentifier(hint));
    e.program.weights.push_back({e.program.names.Unique(name), comment, dtype, data});
  }
  return e.program.weights_in + e.program.weights[found->second].name;
}

std::string ConstantOperand(Emission &e, TensorId id) {
  const Tensor &tensor = e.graph().tensors[id];
  if (tensor.dtype == DType::kF32) return e.Fail(absl::StrCat("constant '", tensor.name, "' is still float"));
  return WeightName(e, "constant", tensor.dtype, tensor.data, ShapeText(tensor.dims));
}

// ---- The callbacks, in the order of o2m_emitter

void Source(const o2m_emitter *emitter, const char *file_name, const char *text) {
  Emission &e = Of(emitter);
  const auto [found, inserted] = e.program.files.emplace(file_name, text);
  if (!inserted && found->second != text) e.Fail(absl::StrCat("source '", file_name, "' exists with another text"));
}

// Where NAME_prefetch has put it.
std::string CopyOf(Emission &e, const Prefetch &prefetch, const Constant &constant, const std::string &array) {
  const Plan &plan = *e.program.plan;
  e.program.prefetched[static_cast<int32_t>(&prefetch - plan.prefetches.data())] = array;
  const std::string comment = absl::StrCat(ShapeText({constant.count}), ", prefetched");
  e.copies.push_back(ArenaPointer(e, CType(constant.dtype), plan.buffers[prefetch.buffer].offset,
                                  CIdentifier(e.program.labels[e.id].name + "_" + constant.hint), comment));
  return e.copies.back();
}

const char *ConstantName(const o2m_emitter *emitter, int32_t slot) {
  Emission &e = Of(emitter);
  const Node &node = e.node();
  if (slot < 0 || static_cast<size_t>(slot) >= node.constants.size())
    return e.Fail("a constant slot that is not there");
  const Constant &constant = node.constants[slot];
  if (constant.data.empty()) return e.Fail(absl::StrCat("constant '", constant.hint, "' was not packed"));
  const std::string name = WeightName(e, constant.hint, constant.dtype, constant.data, node.name);
  const Prefetch *prefetch = PrefetchOf(*e.program.plan, e.id, slot);
  return e.Keep(prefetch == nullptr ? name : CopyOf(e, *prefetch, constant, name));
}

const char *ObjectName(const o2m_emitter *emitter, const char *c_type, const char *initializer) {
  Emission &e = Of(emitter);
  for (const std::string &copy : e.copies) {
    if (!absl::StrContains(initializer, copy)) continue;
    const std::string local = e.function.names.Unique(CIdentifier(e.program.labels[e.id].name + "_params"));
    e.call.objects.push_back(absl::StrCat("const ", c_type, " ", local, " = ", initializer, ";"));
    return e.Keep(local);
  }
  const auto [known, fresh] = e.program.object_of.emplace(absl::StrCat(c_type, " ", initializer), "");
  if (!fresh) return e.Keep(known->second);
  const std::string name = known->second = e.program.names.Unique(NodeName(e));
  absl::StrAppend(&e.program.objects, "static const ", c_type, " ", name, " = ", initializer, ";\n");
  e.program.object_count++;
  return e.Keep(name);
}

const char *Operand(const o2m_emitter *emitter, int32_t index) {
  Emission &e = Of(emitter);
  const auto inputs = static_cast<int32_t>(e.node().inputs.size());
  const auto outputs = static_cast<int32_t>(e.node().outputs.size());
  if (index < 0 || index >= inputs + outputs) return e.Fail("an operand that is not there");
  return OperandText(e, index >= inputs, index >= inputs ? index - inputs : index);
}

const char *Block(Emission &e, const std::vector<int32_t> &buffer_of, const char *name) {
  const int32_t buffer = buffer_of[e.id];
  if (buffer == kNone) return "0";
  const Buffer &block = e.program.plan->buffers[buffer];
  return e.Keep(ArenaPointer(e, "uint8_t", block.offset, name, absl::StrCat(block.bytes, " bytes")));
}

const char *Scratch(const o2m_emitter *emitter) {
  return Block(Of(emitter), Of(emitter).program.plan->scratch_of, "scratch");
}

const char *State(const o2m_emitter *emitter) {
  return Block(Of(emitter), Of(emitter).program.plan->state_of, "state");
}

const char *First(const o2m_emitter *emitter) {
  Of(emitter).call.uses_first = true;
  return Of(emitter).in_loop ? "t" : "0";
}

const char *Rows(const o2m_emitter *emitter) {
  Of(emitter).call.uses_rows = true;
  return Of(emitter).rows.c_str();
}

void Line(const o2m_emitter *emitter, const char *text) { Of(emitter).call.lines.push_back(text); }

}  // namespace

std::string ArenaPointerName(size_t arena) { return arena == 0 ? "a" : absl::StrCat("a", arena); }
std::string ArenaName(size_t arena) { return arena == 0 ? "arena" : absl::StrCat("arena", arena); }

std::string ArenaByte(const ProgramText &program, FunctionText &function, int64_t offset) {
  const ArenaPlace place = PlaceOf(*program.plan, offset);
  const auto arena = static_cast<size_t>(place.arena);
  function.uses_arena[arena] = true;
  return absl::StrCat(ArenaPointerName(arena), " + ", place.offset);
}

absl::StatusOr<CallText> EmitNode(ProgramText &program, FunctionText &function, const Stage &stage, NodeId id,
                                  bool in_loop, const std::string &rows, Host &host) {
  const Node &node = program.graph->nodes[id];
  const int32_t asked = std::max(stage.rows, 1);
  Emission e{program, function, stage, id, in_loop, rows, MemoryOf(*program.graph, node, program.target, asked),
             {},      {},       {},    {}};
  const o2m_emitter emitter = {
      sizeof(o2m_emitter), &e, Source, ConstantName, ObjectName, Operand, Scratch, State, First, Rows, asked, Line};
  const OpNode op_node(*program.graph, node);
  host.last_error.clear();
  const std::string where = absl::StrCat(program.graph->file, ": node '", node.name, "' (", node.op->id, ")");
  const o2m_status status = node.op->emit(&host.host, &program.target, op_node.get(), &emitter);
  if (status != O2M_OK) return ToStatus(status, host, where + ": emit");
  if (!e.error.empty()) {
    return absl::InternalError(absl::StrCat(where, ": emit asked for ", e.error, "; the plugin must be mended"));
  }
  return e.call;
}

}  // namespace onnx2mcu
