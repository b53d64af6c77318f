// op.hpp - optional C++ sugar over onnx2mcu_op.h. An op is a struct of static functions:
//
//   struct HardSwish {
//     static constexpr char kId[] = "com.example.hard_swish";
//     using Params = HardSwishParams;                                     // plain data
//     static o2m_status Match(const o2m_host *, const o2m_graph *, int32_t root, o2m_match *);
//     static o2m_status Infer(const o2m_host *, const o2m_target *, o2m_node *);
//     static void Run(const o2m_node *, const o2m_call *);
//     static o2m_status Emit(const o2m_host *, const o2m_target *, const o2m_node *, const o2m_emitter *);
//     // optional: kFlags, Memory, Pack, Split, Cost, Terms, QuantRule, FillTable, RunFloat, Cases, RandomCase,
//     WorstCases, CostCases, kVariants
//   };
//   O2M_PLUGIN("hard_swish", "1.0", HardSwish)
//
// What is present is found by name; an exception that leaves a function becomes O2M_INTERNAL with its message.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <deque>
#include <exception>
#include <initializer_list>
#include <string>
#include <type_traits>
#include <vector>

#include "isa.hpp"
#include "onnx2mcu_op.h"
#include "op_cases.hpp"
#include "op_tensor.hpp"

namespace o2m {

// ---- Matching -------------------------------------------------------------------------------------------------------

// Getters of o2m_graph with the callee's arguments in place. producer() looks through reshapes.
class GraphView {
 public:
  explicit GraphView(const o2m_graph *graph) : g_(graph) {}
  bool Is(int32_t node, const char *op_type, const char *domain = "") const {
    return node >= 0 && std::strcmp(g_->op_type(g_, node), op_type) == 0 &&
           std::strcmp(g_->domain(g_, node), domain) == 0;
  }
  int32_t Inputs(int32_t node) const { return g_->input_count(g_, node); }
  int32_t Input(int32_t node, int32_t i) const { return i < Inputs(node) ? g_->input_tensor(g_, node, i) : O2M_NONE; }
  int32_t Output(int32_t node, int32_t i = 0) const { return g_->output_tensor(g_, node, i); }
  int32_t Producer(int32_t tensor) const { return tensor < 0 ? O2M_NONE : g_->producer(g_, tensor); }
  // The node that makes input i of `node` if it is an `op_type`, else O2M_NONE.
  int32_t ProducerOf(int32_t node, int32_t i, const char *op_type) const {
    const int32_t p = Producer(Input(node, i));
    return Is(p, op_type) ? p : O2M_NONE;
  }
  const o2m_tensor &Tensor(int32_t tensor) const { return *g_->tensor(g_, tensor); }
  bool IsConstant(int32_t tensor) const { return tensor >= 0 && Tensor(tensor).is_constant; }
  // A constant of one element; its value in *value.
  bool IsScalar(int32_t tensor, float *value) const {
    if (!IsConstant(tensor) || ElementCount(Tensor(tensor)) != 1 || !Floats(Tensor(tensor))) return false;
    *value = *Floats(Tensor(tensor));
    return true;
  }
  int64_t Int(int32_t node, const char *key, int64_t fallback) const {
    int64_t value = 0;
    return g_->attr_i(g_, node, key, &value) ? value : fallback;
  }
  float Float(int32_t node, const char *key, float fallback) const {
    float value = 0;
    return g_->attr_f(g_, node, key, &value) ? value : fallback;
  }
  std::string Text(int32_t node, const char *key, const std::string &fallback) const {
    const char *value = g_->attr_s(g_, node, key);
    return value ? value : fallback;
  }
  std::vector<int64_t> Ints(int32_t node, const char *key) const {
    int32_t count = 0;
    const int64_t *values = g_->attr_ints(g_, node, key, &count);
    return values ? std::vector<int64_t>(values, values + count) : std::vector<int64_t>();
  }

 private:
  const o2m_graph *g_;
};

// Fills a match; O2M_NO_MATCH if it has more nodes than the host has room for.
inline o2m_status Matched(o2m_match *match, const std::vector<int32_t> &nodes, const std::vector<int32_t> &inputs,
                          const std::vector<int32_t> &outputs = {}) {
  if (static_cast<int32_t>(nodes.size()) > match->capacity || inputs.size() > O2M_MAX_OPERANDS) return O2M_NO_MATCH;
  std::copy(nodes.begin(), nodes.end(), match->nodes);
  std::copy(inputs.begin(), inputs.end(), match->inputs);
  std::copy(outputs.begin(), outputs.end(), match->outputs);
  match->node_count = static_cast<int32_t>(nodes.size());
  match->input_count = static_cast<int32_t>(inputs.size());
  match->output_count = static_cast<int32_t>(outputs.size());
  return O2M_OK;
}

// ---- Node, call and constants ---------------------------------------------------------------------------------------

template <class T>
T &ParamsOf(const o2m_node *node) {
  return *static_cast<T *>(node->params);
}
template <class T = void>
T *ConstantData(const o2m_node *node, int32_t slot) {
  return node->constants ? static_cast<T *>(node->constants[slot].data) : nullptr;
}
// Writes the list that infer() sets; what is left of it becomes empty.
inline void SetConstants(o2m_node *node, std::initializer_list<o2m_constant> list) {
  int32_t slot = 0;
  for (const o2m_constant &c : list) {
    node->constants[slot].hint = c.hint;
    node->constants[slot].dtype = c.dtype;
    node->constants[slot++].count = c.count;
  }
  for (; slot < O2M_MAX_CONSTANTS; ++slot) node->constants[slot].count = 0;
}
template <class T>
const T *In(const o2m_call *call, int32_t i) {
  return static_cast<const T *>(call->inputs[i]);
}
template <class T>
T *Out(const o2m_call *call, int32_t i = 0) {
  return static_cast<T *>(call->outputs[i]);
}

// ---- Emitting -------------------------------------------------------------------------------------------------------

// A C99 designated initialiser, one field per line (clang-format keeps it so, thanks to the last comma).
class Initializer {
 public:
  Initializer &Field(const char *name, const std::string &value, const std::string &comment = "") {
    text_ += Str("    .", name, " = ", value, ",", comment.empty() ? "" : "  // ", comment, "\n");
    return *this;
  }
  Initializer &Field(const char *name, int64_t value, const std::string &comment = "") {
    return Field(name, std::to_string(value), comment);
  }
  std::string text() const { return "{\n" + text_ + "}"; }

 private:
  std::string text_;
};

// One call statement: name(arguments, ...);
inline std::string Call(const std::string &function, const std::vector<std::string> &arguments) {
  std::string text = function + "(";
  for (size_t i = 0; i < arguments.size(); ++i) text += (i ? ", " : "") + arguments[i];
  return text + ");";
}
inline std::string ConstantName(const o2m_emitter *e, int32_t slot) { return e->constant(e, slot); }
inline std::string Operand(const o2m_emitter *e, int32_t index) { return e->operand(e, index); }
inline std::string ScratchName(const o2m_emitter *e) { return e->scratch(e); }
inline std::string RowsName(const o2m_emitter *e) { return e->rows(e); }
// "&name" of a static const object.
inline std::string Object(const o2m_emitter *e, const char *c_type, const std::string &initializer) {
  return Str("&", e->object(e, c_type, initializer.c_str()));
}
inline void Line(const o2m_emitter *e, const std::string &text) { e->line(e, text.c_str()); }

// "operand + i0 * stride", the place of operand o inside the loops of Rows.
inline std::string RowOperand(const o2m_emitter *e, int32_t index, const Rows &rows, int o) {
  std::string text = Operand(e, index);
  for (size_t l = 0; l < rows.loops.size(); ++l) text += Str(" + i", l, " * ", rows.loops[l].strides[o]);
  return text;
}
// How many rows the kernel is called for: "rows", "3 * rows", or a constant inside loops.
inline std::string RowCountText(const o2m_emitter *e, const Rows &rows) {
  if (!rows.merged()) return Str(rows.rows.count);
  return rows.rows_per_step == 1 ? RowsName(e) : Str(rows.rows_per_step, " * ", RowsName(e));
}
// Writes `statements` inside the outer loops of `rows`, if there are any.
inline void LinesInLoops(const o2m_emitter *e, const Rows &rows, const std::vector<std::string> &statements) {
  std::string indent;
  for (size_t l = 0; l < rows.loops.size(); ++l, indent += "  ") {
    const std::string count = l == 0 ? RowsName(e) : std::to_string(rows.loops[l].count);
    Line(e, Str(indent, "for (int32_t i", l, " = 0; i", l, " < ", count, "; ++i", l, ") {"));
  }
  for (const std::string &statement : statements) Line(e, indent + statement);
  for (size_t l = 0; l < rows.loops.size(); ++l) Line(e, std::string(2 * (rows.loops.size() - 1 - l), ' ') + "}");
}
inline void LineInLoops(const o2m_emitter *e, const Rows &rows, const std::string &statement) {
  LinesInLoops(e, rows, {statement});
}

// Hands over `file` and, before it, what it includes of the shared code for one instruction set, header and source.
template <class SourceFile>
void EmitSource(const o2m_emitter *e, const SourceFile *files, int count, const SourceFile &file) {
  for (int i = 0; i < count; ++i) {
    const std::string name = files[i].name;
    const bool included = std::strstr(file.text, Str("#include \"", name, "\"").c_str()) != nullptr;
    if (!included || !IsSharedByIsa(name) || name == file.name) continue;
    EmitSource(e, files, count, files[i]);
    const SourceFile *const source = FindSource(files, count, name.substr(0, name.size() - 1) + "c");
    if (source) e->source(e, source->name, source->text);
  }
  e->source(e, file.name, file.text);
}

// Hands over the named kernel files out of the generated o2m_sources[].
template <class SourceFile>
o2m_status EmitSources(const o2m_host *host, const o2m_emitter *e, const SourceFile *files, int count,
                       std::initializer_list<const char *> names) {
  for (const char *name : names) {
    const SourceFile *const found = FindSource(files, count, name);
    if (!found) return Fail(host, O2M_INTERNAL, Str("kernel file '", name, "' is not embedded in the plugin"));
    EmitSource(e, files, count, *found);
  }
  return O2M_OK;
}

// ---- Cost -----------------------------------------------------------------------------------------------------------

// What Terms() fills: see "o2m.terms/1". A name with the same kernel adds up.
class TermList {
 public:
  TermList(o2m_term *terms, int32_t capacity) : terms_(terms), capacity_(capacity) {}
  void Add(const char *kernel, const char *name, int64_t count) {
    if (count == 0) return;
    for (int32_t i = 0; i < count_; ++i) {
      const bool same = std::strcmp(terms_[i].kernel, kernel) == 0 && std::strcmp(terms_[i].name, name) == 0;
      if (same) return void(terms_[i].count += count);
    }
    if (count_ < capacity_) terms_[count_++] = {kernel, name, count};
  }
  int32_t count() const { return count_; }

 private:
  o2m_term *terms_;
  int32_t capacity_, count_ = 0;
};

// How many times an op's kernel is called in one call of so many steps: once per round of the outer loops.
inline int64_t KernelCalls(const Rows &rows, int64_t steps) {
  int64_t calls = 1;
  for (size_t l = 0; l < rows.loops.size(); ++l) calls *= l == 0 ? steps : rows.loops[l].count;
  return calls;
}

// ---- The table of an op ---------------------------------------------------------------------------------------------

// Runs `body`; an exception becomes O2M_INTERNAL.
template <class Body>
o2m_status Guard(const o2m_host *host, const Body &body) {
  try {
    return body();
  } catch (const std::exception &e) {
    return Fail(host, O2M_INTERNAL, Str("the plugin threw an exception: ", e.what()));
  } catch (...) {
    return Fail(host, O2M_INTERNAL, "the plugin threw an exception of no known type");
  }
}

template <class Op>
struct Table {
  static o2m_status Match(const o2m_host *h, const o2m_graph *g, int32_t root, o2m_match *m) {
    return Guard(h, [&] { return Op::Match(h, g, root, m); });
  }
  static o2m_status Infer(const o2m_host *h, const o2m_target *t, o2m_node *n) {
    return Guard(h, [&] { return Op::Infer(h, t, n); });
  }
  static o2m_status Emit(const o2m_host *h, const o2m_target *t, const o2m_node *n, const o2m_emitter *e) {
    return Guard(h, [&] { return Op::Emit(h, t, n, e); });
  }
  static o2m_status Pack(const o2m_host *h, const o2m_target *t, o2m_node *n) {
    if constexpr (requires { Op::Pack(h, t, n); }) return Guard(h, [&] { return Op::Pack(h, t, n); });
    return O2M_OK;
  }
  static o2m_status Split(const o2m_node *n, int32_t choice, o2m_split *s) {
    if constexpr (requires { Op::Split(n, choice, s); }) return Guard(nullptr, [&] { return Op::Split(n, choice, s); });
    return O2M_NO_MATCH;
  }
  static o2m_status FillTable(const o2m_node *n, int8_t *table) {
    if constexpr (requires { Op::FillTable(n, table); }) return Guard(nullptr, [&] { return Op::FillTable(n, table); });
    return O2M_UNIMPLEMENTED;
  }
  static o2m_status RunFloat(const o2m_node *n, const float *const *in, float *const *out) {
    if constexpr (requires { Op::RunFloat(n, in, out); })
      return Guard(nullptr, [&] { return Op::RunFloat(n, in, out); });
    return O2M_UNIMPLEMENTED;
  }
  // Built once, on first use, and never changed.
  static const CaseList &CaseTable() {
    static const CaseList cases = [] {
      CaseList list;
      if constexpr (requires { Op::Cases(list); }) Op::Cases(list);
      return list;
    }();
    return cases;
  }
  static const o2m_case *GetCase(int32_t index) { return CaseTable().get(index); }
  static void MakeRandomCase(uint64_t seed, void *taker, void (*take)(void *, const o2m_case *)) {
    if constexpr (requires(CaseList & list, Random & random) { Op::RandomCase(list, random); }) {
      CaseList list;
      Random random(seed);
      Op::RandomCase(list, random);
      take(taker, list.get(0));
    }
  }
  static const CaseList &WorstCaseTable() {
    static const CaseList cases = [] {
      CaseList list;
      if constexpr (requires { Op::WorstCases(list); }) Op::WorstCases(list);
      return list;
    }();
    return cases;
  }
  static const o2m_case *GetWorstCase(int32_t index) { return WorstCaseTable().get(index); }
  static const CaseList &CostCaseTable() {
    static const CaseList cases = [] {
      CaseList list;
      if constexpr (requires { Op::CostCases(list); }) Op::CostCases(list);
      return list;
    }();
    return cases;
  }
  static const o2m_case *GetCostCase(int32_t index) { return CostCaseTable().get(index); }
  static int32_t Terms(const o2m_target *t, const o2m_node *n, int32_t rows, o2m_term *terms, int32_t capacity) {
    TermList list(terms, capacity);
    if constexpr (requires { Op::Terms(t, n, rows, list); }) Op::Terms(t, n, rows, list);
    return list.count();
  }

  // Tables of cases are made where they are asked for: a compilation asks for none, and they are many.
  static const void *Extension(const char *id) {
    const auto is = [id](const char *name) { return std::strcmp(id, name) == 0; };
    if constexpr (requires(CaseList & list) { Op::Cases(list); }) {
      if (is("o2m.cases/1")) {
        static const o2m_cases cases = {CaseTable().count(), GetCase};
        return &cases;
      }
    }
    if constexpr (requires(CaseList & list, Random & random) { Op::RandomCase(list, random); }) {
      static constexpr o2m_random_cases random_cases = {MakeRandomCase};
      if (is("o2m.random_cases/1")) return &random_cases;
    }
    if constexpr (requires(CaseList & list) { Op::WorstCases(list); }) {
      if (is("o2m.worst_cases/1")) {
        static const o2m_cases cases = {WorstCaseTable().count(), GetWorstCase};
        return &cases;
      }
    }
    if constexpr (requires(const o2m_node *n, o2m_split *s) { Op::Split(n, 0, s); }) {
      static constexpr o2m_splitter splitter = {Split};
      if (is("o2m.split/1")) return &splitter;
    }
    if constexpr (requires(const o2m_node *n, o2m_projection *p) { Op::Projection(n, p); }) {
      static constexpr o2m_projector projector = {Op::Projection};
      if (is("o2m.projection/1")) return &projector;
    }
    if constexpr (requires(const o2m_node *n, o2m_mixing *m) { Op::Mixing(n, m); }) {
      static constexpr o2m_mixer mixer = {Op::Mixing};
      if (is("o2m.mixing/1")) return &mixer;
    }
    if constexpr (requires(const o2m_node *n, int8_t *t) { Op::FillTable(n, t); }) {
      static constexpr o2m_unary_table unary = {FillTable};
      if (is("o2m.unary_table/1")) return &unary;
    }
    if constexpr (requires(const o2m_target *t, const o2m_node *n, o2m_cost *c) { Op::Cost(t, n, 1, c); }) {
      static constexpr o2m_coster coster = {Op::Cost};
      if (is("o2m.cost/1")) return &coster;
    }
    if constexpr (requires(const o2m_target *t, const o2m_node *n, TermList &l) { Op::Terms(t, n, 1, l); }) {
      static constexpr o2m_terms terms = {Terms};
      if (is("o2m.terms/1")) return &terms;
    }
    if constexpr (requires(CaseList & list) { Op::CostCases(list); }) {
      if (is("o2m.cost_cases/1")) {
        static const o2m_cases cases = {CostCaseTable().count(), GetCostCase};
        return &cases;
      }
    }
    if constexpr (requires(const o2m_node *n, o2m_quant_rule *r) { Op::QuantRule(n, r); }) {
      static constexpr o2m_quantizer quantizer = {Op::QuantRule};
      if (is("o2m.quant/1")) return &quantizer;
    }
    if constexpr (requires(const o2m_node *n, o2m_wide_rule *r) { Op::WideRule(n, r); }) {
      static constexpr o2m_wide_quantizer quantizer = {Op::WideRule};
      if (is("o2m.quant_wide/1")) return &quantizer;
    }
    if constexpr (requires(const o2m_node *n, const float *const *i, float *const *o) { Op::RunFloat(n, i, o); }) {
      static constexpr o2m_float run_float = {RunFloat};
      if (is("o2m.float/1")) return &run_float;
    }
    if constexpr (requires { Op::kVariants; }) {
      if (is("o2m.variants/1")) return &Op::kVariants;
    }
    return nullptr;
  }

  static constexpr o2m_op Make() {
    o2m_op op = {};
    op.struct_size = sizeof op;
    op.id = Op::kId;
    op.params_size = sizeof(typename Op::Params);
    if constexpr (requires { Op::kFlags; }) op.flags = Op::kFlags;
    op.match = Match;
    op.infer = Infer;
    if constexpr (requires { &Op::Memory; }) op.memory = Op::Memory;
    if constexpr (requires { &Op::Pack; }) op.pack = Pack;
    op.run = Op::Run;
    op.emit = Emit;
    op.get_extension = Extension;
    return op;
  }
  static constexpr o2m_op kOp = Make();
};

}  // namespace o2m

// Defines the plugin's one exported symbol, for a library of one op.
#define O2M_PLUGIN(plugin_name, plugin_version, Op)                                              \
  extern "C" O2M_EXPORT const o2m_plugin *onnx2mcu_plugin(uint32_t host_abi_major) {             \
    static const o2m_op *const kOps[] = {&o2m::Table<Op>::kOp};                                  \
    static const o2m_plugin kPlugin = {                                                          \
        sizeof(o2m_plugin), O2M_ABI_MAJOR, O2M_ABI_MINOR, plugin_name, plugin_version, 1, kOps}; \
    return host_abi_major == O2M_ABI_MAJOR ? &kPlugin : nullptr;                                 \
  }
