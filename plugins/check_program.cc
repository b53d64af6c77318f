#include "plugins/check_program.h"

#include <algorithm>
#include <cinttypes>
#include <cstdio>
#include <cstring>
#include <deque>
#include <set>
#include <sstream>

#include "absl/strings/str_cat.h"
#include "plugins/check_session.h"
#include "plugins/registry.h"

namespace onnx2mcu::check {
namespace {

// Behind o2m_emitter.emitter_data, for one call of emit().
struct State {
  const NodeSpec *node;
  CheckProgram *program;
  std::deque<std::string> strings;  // live until emit() returns
  std::string lines;
  std::string error;  // the first one
};

State &StateOf(const o2m_emitter *emitter) { return *static_cast<State *>(emitter->emitter_data); }

const char *Keep(State &state, const std::string &text) { return state.strings.emplace_back(text).c_str(); }

void Wrong(State &state, const std::string &error) {
  if (state.error.empty()) state.error = error;
}

const char *TypeOf(o2m_dtype dtype) {
  constexpr const char *kTypes[] = {"void", "float", "int8_t", "int16_t", "int32_t", "int64_t", "uint8_t", "uint8_t"};
  return kTypes[dtype];
}

template <class T>
T At(const Bytes &data, int64_t i) {
  T value;
  std::memcpy(&value, &data[i * sizeof(T)], sizeof(T));
  return value;
}

std::string FloatText(float value) {
  char text[48];
  std::snprintf(text, sizeof text, "%af", static_cast<double>(value));
  return text;
}

std::string ElementText(o2m_dtype dtype, const Bytes &data, int64_t i) {
  switch (dtype) {
    case O2M_F32:
      return FloatText(At<float>(data, i));
    case O2M_S8:
      return absl::StrCat(At<int8_t>(data, i));
    case O2M_S16:
      return absl::StrCat(At<int16_t>(data, i));
    case O2M_S32:
      return At<int32_t>(data, i) == INT32_MIN ? "-2147483647 - 1" : absl::StrCat(At<int32_t>(data, i));
    case O2M_S64:
      return absl::StrCat("INT64_C(", At<int64_t>(data, i), ")");
    default:
      return absl::StrCat(data[i]);
  }
}

std::string ArrayText(const ConstantSpec &constant) {
  std::string text = absl::StrCat("[", constant.count, "] = {");
  for (int64_t i = 0; i < constant.count; i++)
    absl::StrAppend(&text, i % 16 == 0 ? "\n    " : " ", ElementText(constant.dtype, constant.data, i), ",");
  return text + "};\n";
}

// Unused: a constant that emit() names may serve an object that the compiler then folds away.
std::string Define(const std::string &type, const std::string &name, const std::string &rest) {
  return absl::StrCat("__attribute__((unused)) static const ", type, " ", name, rest);
}

// ---- the callbacks

void AddSource(const o2m_emitter *emitter, const char *name, const char *text) {
  State &state = StateOf(emitter);
  if (!name || !text) return Wrong(state, "source() without a name or a text");
  if (std::strcmp(name, "o2m_sym.h") == 0) return;  // the host writes its own
  const std::string file = name;
  const bool plain = !file.empty() && std::all_of(file.begin(), file.end(), [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '.' || c == '-';
  });
  if (!plain || file.size() < 3) return Wrong(state, "source '" + file + "' is not a plain file name");
  for (const auto &[known, known_text] : state.program->sources) {
    if (known != file) continue;
    if (known_text != text) Wrong(state, "source '" + file + "' comes with two texts");
    return;
  }
  state.program->sources.emplace_back(file, text);
}

const char *ConstantName(const o2m_emitter *emitter, int32_t slot) {
  State &state = StateOf(emitter);
  if (slot < 0 || slot >= static_cast<int32_t>(state.node->constants.size())) {
    Wrong(state, absl::StrCat("constant(", slot, ") of ", state.node->constants.size(), " constants"));
    return "0";
  }
  const ConstantSpec &constant = state.node->constants[slot];
  const std::string type = TypeOf(constant.dtype), array = ArrayText(constant);
  const auto [entry, is_new] =
      state.program->constants.emplace(type + array, absl::StrCat("constant_", state.program->constants.size()));
  if (is_new) absl::StrAppend(&state.program->definitions, Define(type, entry->second, array));
  return Keep(state, entry->second);
}

// c_type may end in array bounds, which C writes after the name.
const char *AddObject(const o2m_emitter *emitter, const char *c_type, const char *initializer) {
  State &state = StateOf(emitter);
  if (!c_type || !initializer) {
    Wrong(state, "object() without a type or an initialiser");
    return "0";
  }
  const std::string name = absl::StrCat("object_", state.program->objects++), type = c_type;
  const size_t bracket = std::min(type.find('['), type.size());
  absl::StrAppend(&state.program->definitions,
                  Define(type.substr(0, bracket), name, absl::StrCat(type.substr(bracket), " = ", initializer, ";\n")));
  return Keep(state, name);
}

const char *OperandName(const o2m_emitter *emitter, int32_t index) {
  State &state = StateOf(emitter);
  const auto inputs = static_cast<int32_t>(state.node->inputs.size());
  const auto all = inputs + static_cast<int32_t>(state.node->outputs.size());
  if (index < 0 || index >= all) {
    Wrong(state, absl::StrCat("operand(", index, ") of ", all, " operands"));
    return "0";
  }
  if (index < inputs && state.node->inputs[index].missing()) return "0";
  return Keep(state, index < inputs ? absl::StrCat("x", index) : absl::StrCat("y", index - inputs));
}

const char *ScratchName(const o2m_emitter *) { return "scratch"; }
const char *StateName(const o2m_emitter *) { return "state"; }
const char *FirstName(const o2m_emitter *) { return "first"; }
const char *RowsName(const o2m_emitter *) { return "rows"; }

void AddLine(const o2m_emitter *emitter, const char *text) {
  absl::StrAppend(&StateOf(emitter).lines, "      ", text ? text : "", "\n");
}

// ---- the function around the lines

// "const int8_t *const x0 = ...": where the operand's first touched row lies.
std::string OperandText(const TensorSpec &tensor, const o2m_access &access, int32_t steps, const std::string &name,
                        size_t block, const char *qualifier) {
  if (tensor.missing()) return "";
  const std::string type = absl::StrCat(qualifier, TypeOf(tensor.dtype));
  std::string offset;
  if (steps > 0 && access.extent > 0) {
    const int64_t row = tensor.strides[access.axis] * BytesOf(tensor.dtype);
    offset = absl::StrCat(" + (first * ", access.step, " > ", access.before, " ? first * ", access.step, " - ",
                          access.before, " : 0) * INT64_C(", row, ")");
  }
  return absl::StrCat("    ", type, " *const ", name, " = (", type, " *)(", qualifier, "void *)(blocks[", block, "]",
                      offset, ");\n    (void)", name, ";\n");
}

std::string FunctionText(const NodeSpec &node, const o2m_memory &memory, int32_t rows, size_t index,
                         const std::string &lines) {
  const int32_t steps = std::max(memory.steps, 1);
  std::string text = absl::StrCat("static void run_", index, "(uint8_t *const *blocks) {\n");
  absl::StrAppend(&text, "  for (int32_t first = 0; first < ", steps, "; first += ", rows, ") {\n");
  absl::StrAppend(&text, "    const int32_t rows = ", steps, " - first < ", rows, " ? ", steps, " - first : ", rows,
                  ";\n    (void)rows;\n");
  size_t block = 0;
  for (size_t i = 0; i < node.inputs.size(); i++)
    absl::StrAppend(
        &text, OperandText(node.inputs[i], memory.inputs[i], memory.steps, absl::StrCat("x", i), block++, "const "));
  for (size_t i = 0; i < node.outputs.size(); i++)
    absl::StrAppend(&text,
                    OperandText(node.outputs[i], memory.outputs[i], memory.steps, absl::StrCat("y", i), block++, ""));
  for (const char *name : {"scratch", "state"})
    absl::StrAppend(&text, "    void *const ", name, " = blocks[", block++, "];\n    (void)", name, ";\n");
  return absl::StrCat(text, "    {\n", lines, "    }\n  }\n}\n\n");
}

std::string Emit(const NodeSpec &packed, const o2m_target &target, int32_t rows, size_t index, CheckProgram &program) {
  State state{&packed, &program, {}, "", ""};
  const o2m_emitter emitter = {sizeof(o2m_emitter), &state,    AddSource, ConstantName, AddObject, OperandName,
                               ScratchName,         StateName, FirstName, RowsName,     rows,      AddLine};
  Host host;
  const NodeView view(packed);
  const o2m_status status = packed.op->emit(&host.host, &target, view.get(), &emitter);
  if (status != O2M_OK) return absl::StrCat("returned ", status, ": ", host.last_error);
  if (!state.error.empty()) return state.error;
  if (state.lines.empty()) return "wrote no line at the call site";
  program.functions += FunctionText(packed, MemoryOf(packed, target, rows), rows, index, state.lines);
  return "";
}

}  // namespace

std::string EmitCall(const NodeSpec &packed, const o2m_target &target, int32_t rows, size_t index,
                     CheckProgram &program) {
  CheckProgram again = program;
  std::string error = Emit(packed, target, rows, index, program);
  if (!error.empty()) return error;
  error = Emit(packed, target, rows, index, again);
  return error.empty() && !(again == program) ? "two equal calls wrote two texts" : error;
}

std::vector<std::string> SourceErrors(const CheckProgram &program) {
  std::set<std::string> allowed = {"<stdint.h>", "<stddef.h>", "<string.h>", "\"o2m_sym.h\""};
  for (const auto &[name, text] : program.sources) allowed.insert("\"" + name + "\"");
  std::vector<std::string> errors;
  for (const auto &[name, text] : program.sources) {
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) {
      if (line.rfind("#include", 0) != 0) continue;
      const size_t open = line.find_first_of("<\""), close = line.find_last_of(">\"");
      const std::string file = open < close ? line.substr(open, close - open + 1) : line;
      if (allowed.count(file) == 0)
        errors.push_back(absl::StrCat(name, " includes ", file, ", which is neither emitted nor freestanding"));
    }
  }
  return errors;
}

}  // namespace onnx2mcu::check
