// emit_stream.cc - NAME_begin, NAME_push_rows and NAME_end: the schedule around the one loop that reads the input.
#include "absl/strings/str_cat.h"
#include "codegen/emit.h"
#include "codegen/printer.h"
#include "importer/ir/op_node.h"
#include "planner/rewrites.h"

namespace onnx2mcu {
namespace {

using Values = std::vector<std::pair<std::string, std::string>>;

const Stage &LoopOf(const ProgramText &program) { return program.plan->stages[program.stream->stage]; }

// The loop's nodes as they read the band; of all other nodes only what names need.
absl::StatusOr<Graph> BandGraph(const ProgramText &program, Host &host) {
  const Graph &graph = *program.graph;
  Graph moved = WithoutData(graph);
  MoveToBand(&moved, *program.stream);
  for (NodeId id : LoopOf(program).nodes) {
    bool reads = false;
    moved.nodes[id].constants = graph.nodes[id].constants;
    for (TensorId input : graph.nodes[id].inputs) {
      if (input == kNone) continue;
      const TensorId base = BaseOf(graph, input);
      reads |= base == graph.inputs[0];
      for (TensorId tensor : {input, base}) moved.tensors[tensor].data = graph.tensors[tensor].data;
    }
    if (reads) O2M_RETURN_IF_ERROR(PackNode(moved, id, host, program.target));
  }
  return moved;
}

// "t + 2 < 7 ? t + 2 : 7": past the last of the steps of one iteration.
std::string StepsEnd(const Stage &loop, int32_t rows) {
  const std::string next = absl::StrCat("t + ", rows);
  if (loop.steps % rows == 0) return next;
  return absl::StrCat("(", next, " < ", loop.steps, " ? ", next, " : ", loop.steps, ")");
}

// "+ 3", "- 3", nothing.
std::string Plus(int64_t value) {
  if (value == 0) return "";
  return absl::StrCat(value < 0 ? " - " : " + ", std::abs(value));
}

std::string Times(const std::string &text, int64_t factor) {
  return factor == 1 ? text : absl::StrCat(text, " * ", factor);
}

// Two functions that say which rows an iteration reads.
std::string WindowFunctions(const ProgramText &program, const std::string &first, const std::string &end) {
  const Stream &s = *program.stream;
  const Stage &loop = LoopOf(program);
  const std::string last = StepsEnd(loop, s.rows);
  const std::string steps = s.rows == 1 ? "step t" : absl::StrCat("steps t to t + ", s.rows - 1);
  const std::string begins = Times("t", s.step) + Plus(-s.before);
  const std::string ends = Times(s.step == 1 || last[0] == '(' ? last : absl::StrCat("(", last, ")"), s.step) +
                           Plus(s.extent - s.before - s.step);
  const bool clipped = loop.steps * s.step - s.step - s.before + s.extent > s.image_rows;
  std::string text =
      absl::StrCat(Comment(absl::StrCat("Rows of the input that ", steps, " read: the first, and past the last.")),
                   "static int32_t ", first, "(int32_t t) { return ");
  absl::StrAppend(&text,
                  s.before > 0 ? absl::StrCat(Times("t", s.step), " > ", s.before, " ? ", begins, " : 0") : begins,
                  "; }\nstatic int32_t ", end, "(int32_t t) {");
  if (!clipped) return absl::StrCat(text, " return ", ends, "; }\n\n");
  return absl::StrCat(text, "\n  const int32_t end = ", ends, ";\n  return end < ", s.image_rows,
                      " ? end : ", s.image_rows, ";\n}\n\n");
}

// The calls of one iteration, each for `steps` steps.
struct Iteration {
  std::string declarations, calls;
};
absl::StatusOr<Iteration> EmitIteration(ProgramText &program, FunctionText &function, Host &host) {
  const Stage loop = LoopOf(program);
  const bool even = loop.steps % loop.rows == 0;
  Iteration iteration;
  bool uses_rows = false;
  for (NodeId id : loop.nodes) {
    const std::string rows = even ? absl::StrCat(loop.rows) : "steps";
    O2M_ASSIGN_OR_RETURN(const CallText call, EmitNode(program, function, loop, id, true, rows, host));
    for (const std::string &line : call.lines) absl::StrAppend(&iteration.calls, Statement(line, 4));
    uses_rows |= call.uses_rows;
  }
  if (uses_rows && !even)
    iteration.calls = absl::StrCat("    const int32_t steps = ", StepsEnd(loop, loop.rows), " - t;\n", iteration.calls);
  iteration.declarations = Declarations(function);
  return iteration;
}

// Rows that arrive before the next iteration's first one are dropped.
bool DropsRows(const Stream &stream) { return stream.before < 0 || stream.extent < stream.step; }

constexpr char kTake[] =
    R"(    if (taken > 0) memcpy($image$ + (*pushed - first) * $row$, rows, (size_t)taken * $row_bytes$);
)";
constexpr char kTakeSome[] =
    R"(    const int32_t skipped = *pushed < first ? first - *pushed : 0;  // rows that no step reads
    if (taken > skipped) {
      memcpy($image$ + (*pushed + skipped - first) * $row$, rows + skipped * $row$, (size_t)(taken - skipped) * $row_bytes$);
    }
)";
// memcpy: a row never overlaps the one it moves to.
constexpr char kKeep[] = R"(    const int32_t next = $first$(t + $steps$);
    for (int32_t y = next; $moved$y < end; ++y) {  // the next steps read these rows again
      memcpy($image$ + (y - next) * $row$, $image$ + (y - first) * $row$, $row_bytes$);
    }
)";

std::string PushText(const ProgramText &program, const FunctionText &function, const std::string &count,
                     const Iteration &iteration, const std::string &first, const std::string &end) {
  const Stream &s = *program.stream;
  const Graph &graph = *program.graph;
  const Tensor &input = graph.tensors[graph.inputs[0]];
  const Values values = {{"image", InputName(graph, 0)},
                         {"row", absl::StrCat(s.row_bytes / DTypeBytes(input.dtype))},
                         {"row_bytes", absl::StrCat(s.row_bytes)},
                         {"rows", absl::StrCat(s.image_rows)},
                         {"steps", absl::StrCat(s.rows)},
                         {"all", absl::StrCat(LoopOf(program).steps)},
                         {"moved", s.before >= s.rows * s.step ? "next > first && " : ""},
                         {"arenas", ArenaPointers(function.uses_arena)},
                         {"count", count},
                         {"first", first},
                         {"end", end}};
  std::string text = Fill(R"($arenas$  int32_t *const pushed = (int32_t *)($count$);  // rows so far

)",
                          values);
  absl::StrAppend(&text, iteration.declarations, "\n",
                  Fill(R"(  if (*pushed < 0 || count < 0 || count > $rows$ - *pushed) return 1;
  int32_t t = 0;
  while (t < $all$ && $end$(t) <= *pushed) t += $steps$;
  for (; t < $all$; t += $steps$) {
    const int32_t first = $first$(t), end = $end$(t);
    const int32_t taken = count < end - *pushed ? count : end - *pushed;
)",
                       values),
                  Fill(DropsRows(s) ? kTakeSome : kTake, values),
                  Fill(R"(    rows += taken * $row$;
    count -= taken;
    *pushed += taken;
    if (*pushed < end) return 0;

)",
                       values),
                  iteration.calls, s.extent > s.step ? "\n" + Fill(kKeep, values) : "", "  }\n",
                  "  *pushed += count;  // rows that no step reads\n  return 0;\n}\n");
  return text;
}

}  // namespace

absl::StatusOr<std::string> EmitStream(ProgramText &program, const StreamText &around, Host &host) {
  if (program.stream == nullptr || !program.stream->possible()) return std::string();
  const Graph &graph = *program.graph;
  const Plan &plan = *program.plan;
  const Stream &stream = *program.stream;
  const std::string first = program.names.Unique("band_first"), end = program.names.Unique("band_end");
  const std::string windows = WindowFunctions(program, first, end);
  FunctionText function = NewFunction(program, "push_rows");
  for (const char *name : {"pushed", "count", "first", "end", "taken", "skipped", "steps", "next", "y"})
    function.names.Reserve(name);

  O2M_ASSIGN_OR_RETURN(const Graph moved, BandGraph(program, host));
  const Plan streamed = StreamedPlan(graph, plan, stream);
  program.graph = &moved, program.plan = &streamed;
  const auto iteration = EmitIteration(program, function, host);
  program.graph = &graph, program.plan = &plan;
  O2M_RETURN_IF_ERROR(iteration.status());

  // each of the three reads or writes the count of rows
  const auto with_count = [&](std::vector<bool> used) {
    used[static_cast<size_t>(PlaceOf(plan, plan.buffers[stream.band].offset).arena)] = true;
    return ArenaPointers(used);
  };
  const std::string count = ArenaByte(program, function, plan.buffers[stream.band].offset + stream.count_at);
  const Values values = {{"count", count},
                         {"begin_arenas", with_count(around.begin_arenas)},
                         {"end_arenas", with_count(around.end_arenas)},
                         {"rows", absl::StrCat(stream.image_rows)},
                         {"begin", around.begin},
                         {"clear", around.clear},
                         {"end", around.end}};
  return absl::StrCat("\n", windows, BeginPrototype(graph, plan),
                      Fill(R"( {
$begin_arenas$
$begin$$clear$  *(int32_t *)($count$) = 0;  // rows pushed so far
}

)",
                           values),
                      PushPrototype(graph, plan), " {\n", PushText(program, function, count, *iteration, first, end),
                      "\n", EndPrototype(graph, plan),
                      Fill(R"( {
$end_arenas$
  if (*(const int32_t *)($count$) != $rows$) return 1;
$end$  return 0;
}
)",
                           values));
}

}  // namespace onnx2mcu
