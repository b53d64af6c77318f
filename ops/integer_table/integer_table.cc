// integer_table.cc - "o2m.integer_table": a function of one byte of an integerised model. README.md says more.
#include "binary_op.hpp"
#include "integer_op.hpp"
#include "o2m_integer_table.h"
#include "o2m_sources.h"

namespace {
using namespace o2m;

struct TableParams {
  int32_t first;
  OwnQuant y;
};

Elements LoopsOf(const o2m_node *node) { return ElementsOf({node->outputs[0], node->inputs[0]}); }

o2m_integer_table_params KernelParams(const o2m_node *node) {
  const Elements e = LoopsOf(node);
  const auto &row = e.rows.rows.strides;
  return {static_cast<int32_t>(e.count),        static_cast<int32_t>(row[1]),     static_cast<int32_t>(e.steps[1]),
          static_cast<int32_t>(row[0]),         static_cast<int32_t>(e.steps[0]), IntegerType(node->inputs[0]->dtype),
          IntegerType(node->outputs[0]->dtype), ParamsOf<TableParams>(node).first};
}

std::string ParamsText(const o2m_integer_table_params &p) {
  return Initializer()
      .Field("count", p.count)
      .Field("x_row", p.x_row)
      .Field("x_step", p.x_step)
      .Field("y_row", p.y_row)
      .Field("y_step", p.y_step)
      .Field("x_type", p.x_type)
      .Field("y_type", p.y_type)
      .Field("first", p.first)
      .text();
}

struct IntegerTable {
  static constexpr char kId[] = "o2m.integer_table";
  using Params = TableParams;

  static o2m_status Match(const o2m_host *, const o2m_graph *graph, int32_t root, o2m_match *match) {
    const GraphView g(graph);
    if (!g.Is(root, "IntegerTable", kIntegerDomain) || g.IsConstant(g.Input(root, 0))) return O2M_NO_MATCH;
    static_cast<Params *>(match->params)->first = static_cast<int32_t>(g.Int(root, "first", 0));
    return Matched(match, {root}, {g.Input(root, 0), g.Input(root, 1)});
  }

  static o2m_status Infer(const o2m_host *host, const o2m_target *, o2m_node *node) {
    if (node->input_count != 2 || node->output_count != 1) return Reject(host, "two inputs and one output would work");
    if (o2m_status s = CheckInteger(host, *node->inputs[0], "input 0")) return s;
    const o2m_tensor &table = *node->inputs[1];
    if (o2m_status s = CheckConstant(host, table, "the table")) return s;
    if (ElementCount(table) != 256) return Reject(host, Str("the table has ", ElementCount(table), " values, not 256"));
    o2m_tensor &y = *node->outputs[0];
    SetShapeLike(y, *node->inputs[0]);
    // Entries that no value reaches may lie outside of y's type: the importer knows, and presets it.
    SettleOutput(y, TypeOfConstant(table), ParamsOf<Params>(node).y, 1, 0);
    if (o2m_status s = CheckInteger(host, y, "the output")) return s;
    SetConstants(node, {{"table", y.dtype, 256, nullptr}});
    return O2M_OK;
  }

  static void Memory(const o2m_target *, const o2m_node *node, int32_t, o2m_memory *memory) {
    ElementwiseMemory(node, LoopsOf(node), memory);
  }

  static o2m_status Pack(const o2m_host *, const o2m_target *, o2m_node *node) {
    const o2m_dtype dtype = node->outputs[0]->dtype;
    for (int32_t i = 0; i < 256; ++i) {
      const int64_t value = Integers(*node->inputs[1])[i];
      const int64_t low = dtype == O2M_S32 ? INT32_MIN : LowOf(dtype),
                    high = dtype == O2M_S32 ? INT32_MAX : HighOf(dtype);
      o2m_integer_put(node->constants[0].data, i, IntegerType(dtype),
                      static_cast<int32_t>(std::min(std::max(value, low), high)));
    }
    return O2M_OK;
  }

  static void Run(const o2m_node *node, const o2m_call *call) {
    const Elements e = LoopsOf(node);
    const o2m_integer_table_params p = KernelParams(node);
    const int32_t steps = StepCount(call, e.rows);
    ForEachRowBlock(e.rows, steps, [&](const int64_t *at) {
      O2M_SYM(o2m_integer_table)
      (At(call->inputs[0], at[1], node->inputs[0]->dtype), At(call->outputs[0], at[0], node->outputs[0]->dtype),
       static_cast<int32_t>(e.rows.RowCount(steps)), node->constants[0].data, &p);
    });
  }

  static o2m_status Emit(const o2m_host *host, const o2m_target *, const o2m_node *node, const o2m_emitter *e) {
    const Rows rows = LoopsOf(node).rows;
    LineInLoops(e, rows,
                Call("O2M_SYM(o2m_integer_table)",
                     {RowOperand(e, 0, rows, 1), RowOperand(e, 2, rows, 0), RowCountText(e, rows), ConstantName(e, 0),
                      Object(e, "o2m_integer_table_params", ParamsText(KernelParams(node)))}));
    return EmitSources(host, e, o2m_sources, O2M_SOURCE_COUNT,
                       {"o2m_fixedpoint.h", "o2m_integers.h", "o2m_integer_table.h", "o2m_integer_table.c"});
  }

  static void Cost(const o2m_target *, const o2m_node *node, int32_t rows, o2m_cost *cost) {
    const int64_t values = ElementCount(*node->outputs[0]) / LoopsOf(node).rows.steps * rows;
    *cost = {"o2m_integer_table", 0, values, values, 0, -1};
  }

  static void RandomCase(CaseList &list, Random &random);
  static void Cases(CaseList &list);
};

void AddCase(CaseList &list, const std::string &name, Random &r, std::vector<int32_t> dims, o2m_dtype x, o2m_dtype y) {
  const int64_t low = y == O2M_S32 ? -1000000000 : LowOf(y), high = y == O2M_S32 ? 1000000000 : HighOf(y);
  list.Add(name, {IntegerOperand(x, dims, r.Strides(dims)), IntegerConstant({256}, r, low, high)},
           {IntegerOperand(y, dims, r.Strides(dims))}, TableParams{x == O2M_U8 ? 0 : -128, {}});
}

void IntegerTable::RandomCase(CaseList &list, Random &r) {
  AddCase(list, "random", r, RandomDims(r), CaseType(r), r.OneIn(5) ? O2M_S32 : CaseType(r));
}

void IntegerTable::Cases(CaseList &list) {
  Random r(4);
  list.Add("s8 to s8", {IntegerOperand(O2M_S8, {1, 50, 64}), IntegerConstant({256}, r, -128, 127)},
           {IntegerOperand(O2M_S8, {1, 50, 64})}, TableParams{-128, {}});
  list.Add("u8 to s8", {IntegerOperand(O2M_U8, {1, 9, 17}), IntegerConstant({256}, r, -128, 127)},
           {IntegerOperand(O2M_S8, {1, 9, 17})}, TableParams{0, {}});
  AddCase(list, "s8 to s32", r, {1, 9, 17}, O2M_S8, O2M_S32);
  AddCase(list, "s16 to u8", r, {1, 9, 17}, O2M_S16, O2M_U8);
  for (int32_t i = 0; i < 8; ++i) RandomCase(list, r);
}

}  // namespace

O2M_PLUGIN("integer_table", "1.0", IntegerTable)
