// compiler.cc - the compiler is this list of passes.
#include "codegen/compiler.h"

#include <algorithm>
#include <cstdio>
#include <map>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "codegen/recompute.h"
#include "codegen/regions.h"
#include "codegen/sizes.h"
#include "importer/coarse.h"
#include "importer/copies.h"
#include "importer/data/inputs.h"
#include "importer/dialect.h"
#include "importer/ir/op_node.h"
#include "importer/ir/print.h"
#include "importer/ir/text.h"
#include "importer/passes.h"
#include "importer/quant/given.h"
#include "planner/cost.h"
#include "planner/prefetch.h"
#include "planner/variants.h"

namespace onnx2mcu {
namespace {

constexpr int64_t kCodeAllowance = 24 * 1024;  // of flash, where nothing better is known
constexpr int kFitRounds = 3;
constexpr int64_t kCalibrationLimit = 128;  // samples; more move the ranges by less than their noise

const std::vector<std::string> &PassNames() {
  static const std::vector<std::string> names = {"read",    "fold",        "canonical", "lower", "views",
                                                 "layout",  "reassociate", "quantize",  "legal", "fuse",
                                                 "weights", "schedule",    "pack"};
  return names;
}

// --dump=PASS prints the graph as that pass left it.
void DumpAfter(const std::string &pass, const Graph &graph, const CompileOptions &options) {
  if (options.dump != pass && options.dump != "all") return;
  std::fprintf(stderr, "== after %s ==\n%s", pass.c_str(), PrintGraph(graph).c_str());
}

absl::Status CheckCompileOptions(const CompileOptions &options) {
  const std::vector<std::string> &passes = PassNames();
  if (options.dump.empty() || options.dump == "all" ||
      std::find(passes.begin(), passes.end(), options.dump) != passes.end()) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(absl::StrCat("--dump=", options.dump, ": no such pass; did you mean '",
                                                 Nearest(options.dump, passes), "'? There are ",
                                                 absl::StrJoin(passes, ", "), " and all"));
}

// Read .. canonical: the float half, and the preprocessing folded into it.
absl::StatusOr<Graph> Import(const CompileOptions &options, Preprocessing *preprocessing) {
  O2M_RETURN_IF_ERROR(CheckCompileOptions(options));

  // The ONNX file, checked; batch 1.
  O2M_ASSIGN_OR_RETURN(Graph graph, ReadOnnx(options.model));
  DumpAfter("read", graph, options);

  // Integerised models: their operators spelled out as exact integer nodes.
  O2M_RETURN_IF_ERROR(ReadDialect(graph));

  // Pixels become the input where the normalisation is known. From here on every input has its final type.
  O2M_ASSIGN_OR_RETURN(*preprocessing, PreprocessingOf(graph, options.pixels));
  if (graph.integerised && preprocessing->known())
    return absl::InvalidArgumentError(
        absl::StrCat(graph.file, ": an integerised model takes integers as they are; leave out --mean and --std"));
  O2M_RETURN_IF_ERROR(ApplyPreprocessing(graph, *preprocessing));

  // Shape arithmetic disappears; every tensor has static dims.
  O2M_RETURN_IF_ERROR(FoldConstants(graph));
  DumpAfter("fold", graph, options);

  // An input that the file holds quantised is a real number, rounded: what every quantised model begins with.
  DequantiseInputs(graph);

  // The rest of an integerised model likewise; sums with their requantisation, functions of a byte as tables.
  O2M_RETURN_IF_ERROR(Integerise(graph));

  // One spelling for each thing. From here on the float half does not change: calibration and validation run it.
  O2M_RETURN_IF_ERROR(Canonicalize(graph));
  DumpAfter("canonical", graph, options);
  return graph;
}

// Tensors that options.wide names.
absl::StatusOr<std::vector<TensorId>> WideTensors(const Graph &graph, const CompileOptions &options) {
  std::vector<TensorId> ids;
  std::vector<std::string> names;
  for (const Tensor &tensor : graph.tensors)
    if (!tensor.is_constant) names.push_back(tensor.name);
  for (const std::string &name : options.wide) {
    const auto same = [&](const Tensor &tensor) { return !tensor.is_constant && tensor.name == name; };
    const auto found = std::find_if(graph.tensors.begin(), graph.tensors.end(), same);
    if (found == graph.tensors.end())
      return absl::InvalidArgumentError(absl::StrCat(graph.file, ": --s16=", name,
                                                     ": no such tensor is computed; did you mean '",
                                                     Nearest(name, names), "'? `onnx2mcu validate` lists the worst"));
    ids.push_back(static_cast<TensorId>(found - graph.tensors.begin()));
  }
  return ids;
}

absl::StatusOr<QuantOptions> CalibrationOf(const Graph &graph, const CompileOptions &options,
                                           const Preprocessing &preprocessing) {
  QuantOptions quant;
  quant.residual = options.residual;
  quant.pixels = preprocessing.known();
  quant.shapes_only = options.shapes_only;
  O2M_ASSIGN_OR_RETURN(quant.wide, WideTensors(graph, options));
  if (options.calibrate.empty() || options.shapes_only) return quant;
  O2M_ASSIGN_OR_RETURN(const auto sets, ReadAllInputs(options.calibrate, graph, preprocessing, kCalibrationLimit));
  for (int64_t n = 0; n < sets[0].count; n++)
    if (options.hold_out == 0 || n % options.hold_out != 0) quant.samples.push_back(SampleOf(sets, n));
  return quant;
}

// The core and, where one is named, its board; --ram and --flash replace the board's figures.
absl::Status ChooseTarget(const CompileOptions &options, Compilation *compilation) {
  std::string target = options.target;
  if (!options.board.empty()) {
    O2M_ASSIGN_OR_RETURN(compilation->board, FindBoard(options.board));
    target = compilation->board.target;
  }
  O2M_ASSIGN_OR_RETURN(compilation->target, FindTarget(target));
  compilation->target.call_price = options.call_price;
  Board &board = compilation->board;
  O2M_ASSIGN_OR_RETURN(compilation->ram_regions, ChooseRegions(options, board));
  if (options.ram > 0) board.ram = compilation->ram_regions;
  if (options.flash > 0) board.flash = {{"flash", MainFlash(board).base, options.flash}};
  return absl::OkStatus();
}

// What arenas may take of the regions: all but the stack, which the first holds. There is no .data and no .bss.
absl::StatusOr<RegionLine> ArenaBudget(const Graph &graph, const Compilation &compilation) {
  const std::vector<Region> regions = ArenaRegions(compilation);
  const int64_t ram = regions[0].bytes;
  const int64_t least = regions.size() > 1 ? kStackAllowance + 15 : kStackAllowance;
  if (ram == 0 || ram > least) return LineOf(regions, kStackAllowance);
  return absl::ResourceExhaustedError(absl::StrCat(graph.file, ": RAM of ", ram, " B is no more than the stack needs (",
                                                   kStackAllowance, " B); give --ram more than that",
                                                   regions.size() > 1 ? ", in the first region" : ""));
}

// Weights and constants alone; what code adds is known when it is compiled.
absl::Status CheckFlash(const Compilation &compilation) {
  const int64_t bytes = ConstantBytes(compilation.graph);
  int64_t largest = 0;
  std::string name;
  for (const Node &node : compilation.graph.nodes)
    if (ConstantBytes(node) > largest) largest = ConstantBytes(node), name = node.name;
  const Board &board = compilation.board;
  if (FlashForWeights(board, bytes, 0)) return absl::OkStatus();
  return absl::ResourceExhaustedError(absl::StrCat(
      compilation.graph.file, ": weights and constants of ", bytes, " B exceed the flash of ", FlashText(board),
      board.id.empty() ? "" : absl::StrCat(" of ", board.id), "; largest: '", name, "' (", largest,
      " B); try --weights=auto or a smaller or low-rank model, or a board with more flash"));
}

// Schedules that differ in rows per stage only would share a name.
void NumberEqualNames(std::vector<Alternative> &alternatives) {
  std::map<std::string, int> seen;
  for (Alternative &alternative : alternatives)
    if (const int before = seen[alternative.name]++; before > 0) absl::StrAppend(&alternative.name, " #", before + 1);
}

// Prices every schedule and keeps the chosen one. Afterwards strides, variants and epilogues are final.
absl::Status Schedule(Graph graph, const CompileOptions &options, const Registry &registry, Host &host,
                      PlanCache *plans, Compilation *compilation) {
  compilation->target.flash_wait = FlashWait(compilation->board, ConstantBytes(graph));
  const o2m_target target = compilation->target.abi();
  PlanOptions plan_options;
  plan_options.rows = options.rows;
  plan_options.optimize = options.optimize;
  plan_options.copy = FindCopy(registry, graph).value_or(nullptr);
  O2M_ASSIGN_OR_RETURN(const RegionLine line, ArenaBudget(graph, *compilation));
  plan_options.arena_budget = line.end, plan_options.boundaries = line.boundaries;
  for (const Region &region : ArenaRegions(*compilation)) plan_options.region_names.push_back(region.name);
  O2M_ASSIGN_OR_RETURN(compilation->alternatives, ChooseSchedule(graph, host, target, plan_options, plans));
  for (Alternative &alternative : compilation->alternatives) {
    if (!compilation->numeric) continue;
    alternative.exact = false;
    alternative.name = absl::StrCat("reassociated, ", alternative.name);
  }
  NumberEqualNames(compilation->alternatives);
  compilation->graph = std::move(compilation->alternatives[0].graph);
  compilation->plan = compilation->alternatives[0].plan;
  DumpAfter("schedule", compilation->graph, options);
  if (options.dump == "schedule" || options.dump == "all") {
    std::fputs(MemoryMap(compilation->graph, compilation->plan).c_str(), stderr);
  }
  return absl::OkStatus();
}

absl::Status PutImageInArena(const CompileOptions &options, Graph &graph) {
  if (!options.image_in_arena) return absl::OkStatus();
  if (graph.inputs.size() == 1) {
    graph.tensors[graph.inputs[0]].in_arena = true;
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(absl::StrCat(graph.file, ": --image-in-arena: the model has ", graph.inputs.size(),
                                                 " inputs; it works for models with one"));
}

absl::Status PrefetchWeights(const CompileOptions &options, Compilation *compilation) {
  if (options.prefetch == 0) return absl::OkStatus();
  O2M_ASSIGN_OR_RETURN(const RegionLine line, ArenaBudget(compilation->graph, *compilation));
  AddPrefetch(compilation->graph, options.prefetch, line.end, &compilation->plan);
  const ReadInPlace left = LeftInPlace(compilation->graph, compilation->plan);
  if (left.bytes == 0) return absl::OkStatus();
  compilation->graph.warnings.push_back(
      absl::StrCat("--prefetch=", options.prefetch, ": ", Grouped(left.bytes),
                   " B of weights are read in place, in the first stage, ", "or since they do not fit; largest: '",
                   compilation->graph.nodes[left.node].name, "' (", Grouped(left.largest), " B)"));
  return absl::OkStatus();
}

absl::Status AddStream(const CompileOptions &options, Compilation *compilation) {
  Stream &stream = compilation->stream;
  stream.why = "--stream=off";
  if (options.stream == "off") return absl::OkStatus();
  stream.why = "--prefetch looks a stage ahead, and rows come when they come";
  if (options.prefetch > 0 && options.stream == "auto") return absl::OkStatus();
  if (options.prefetch > 0)
    return absl::InvalidArgumentError("--stream=on: does not work with --prefetch; give one of the two");
  stream = AddStream(compilation->graph, compilation->target.abi(), options.stream == "on", &compilation->plan);
  if (stream.possible() || options.stream != "on") return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(compilation->graph.file,
                                                 ": --stream=on: the input cannot be pushed in rows, since ",
                                                 stream.why, "; --stream=auto compiles it for whole inputs"));
}

}  // namespace

absl::StatusOr<Graph> ImportFloat(const CompileOptions &options) {
  Preprocessing preprocessing;
  return Import(options, &preprocessing);
}

namespace {

// The float half as op nodes on quantised tensors.
absl::StatusOr<Graph> LowerImported(Graph graph, const CompileOptions &options, const Preprocessing &preprocessing,
                                    const Registry &registry, Host &host, CoarseTensors *coarse,
                                    Compilation *compilation) {
  // Ops claim the float half, largest match first; from here on there are op nodes.
  O2M_RETURN_IF_ERROR(LowerToOps(graph, registry, coarse));
  DumpAfter("lower", graph, options);

  // Movement dissolves into base, offset and strides; what strides cannot say is a copy.
  O2M_RETURN_IF_ERROR(ResolveViews(graph, registry));
  DumpAfter("views", graph, options);

  // The caller's order of the image's elements.
  if (options.layout == "hwc") O2M_RETURN_IF_ERROR(SetChannelsLast(graph, "--layout=hwc", graph.inputs));
  if (preprocessing.formatted())
    O2M_RETURN_IF_ERROR(
        SetChannelsLast(graph, absl::StrCat("--input-format=", preprocessing.format.name), {graph.inputs[0]}));
  DumpAfter("layout", graph, options);

  // Where asked for: what is held whole is the input, not what is projected from it.
  if (options.recompute) {
    O2M_ASSIGN_OR_RETURN(const int changed, Reassociate(graph));
    compilation->numeric = changed > 0;
    DumpAfter("reassociate", graph, options);
  }

  // Ranges from the float evaluator give every tensor its dtype and scale; every op has accepted them.
  O2M_ASSIGN_OR_RETURN(const QuantOptions quant, CalibrationOf(graph, options, preprocessing));
  compilation->calibration_inputs = static_cast<int64_t>(quant.samples.size());
  O2M_RETURN_IF_ERROR(Quantize(graph, quant, host, compilation->target.abi(), coarse));
  for (RaisedTensor &raised : graph.raised) {
    const auto asked = std::find(options.wide.begin(), options.wide.end(), raised.name) - options.wide.begin();
    if (asked < static_cast<int64_t>(options.wide_why.size())) raised.why = options.wide_why[asked];
  }
  for (const TensorId id : quant.wide)
    if (DTypeBytes(graph.tensors[id].dtype) == 1)
      graph.warnings.push_back(absl::StrCat("--s16=", graph.tensors[id].name,
                                            ": stays bytes: it is an input, or an op that touches it takes no s16"));
  DumpAfter("quantize", graph, options);
  return graph;
}

}  // namespace

absl::StatusOr<Graph> LowerModel(const CompileOptions &options, const Registry &registry, Host &host,
                                 Compilation *compilation) {
  O2M_RETURN_IF_ERROR(ChooseTarget(options, compilation));
  O2M_RETURN_IF_ERROR(CheckSections(options.sections));
  compilation->sections = options.sections;
  const o2m_target target = compilation->target.abi();

  Preprocessing preprocessing;
  O2M_ASSIGN_OR_RETURN(const Graph imported, Import(options, &preprocessing));
  const auto lower = [&](CoarseTensors *coarse) {
    return LowerImported(imported, options, preprocessing, registry, host, coarse, compilation);
  };
  SetOption(host, "lines", AnyGiven(imported) ? "fine" : "coarse");
  CoarseTensors coarse;
  O2M_ASSIGN_OR_RETURN(Graph graph, lower(&coarse));

  // Once more where calibration shows that an op's bytes are too coarse for its operands.
  if (!coarse.read.empty()) {
    coarse.inside.clear();
    O2M_ASSIGN_OR_RETURN(graph, lower(&coarse));
  }

  // Copies around ops that do not take their operands' strides.
  O2M_RETURN_IF_ERROR(LegalizeLayouts(graph, registry, target));
  O2M_RETURN_IF_ERROR(InferAll(graph, host, target));
  DumpAfter("legal", graph, options);

  // Functions of one value move into their producers. From here on no pass changes what is computed.
  O2M_RETURN_IF_ERROR(FuseEpilogues(graph, host, target));
  DumpAfter("fuse", graph, options);
  for (const Node &node : graph.nodes) compilation->recognised.push_back(node.op);
  return graph;
}

namespace {

// What constants may take of the flash that they end up in, where code and all else take `other`; 0: any.
int64_t RoomForConstants(const Board &board, int64_t other) {
  if (MainFlash(board).bytes == 0) return 0;
  int64_t room = std::max<int64_t>(MainFlash(board).bytes - other, 1);
  for (size_t i = 1; i < board.flash.size(); i++) room = std::max(room, board.flash[i].bytes);
  return room;
}

// Schedules; nodes then take the form of weights that is quickest for the rows they got, where scratch has room for it.
absl::Status ScheduleAndRefine(Graph graph, bool refine, const CompileOptions &options, const Registry &registry,
                               Host &host, PlanCache *plans, Compilation *compilation) {
  O2M_RETURN_IF_ERROR(Schedule(std::move(graph), options, registry, host, plans, compilation));
  if (!refine) return absl::OkStatus();
  const o2m_target target = compilation->target.abi();
  O2M_RETURN_IF_ERROR(RefineVariants(compilation->graph, compilation->plan, host, target));
  compilation->alternatives[0].instructions = EstimateInstructions(compilation->graph, compilation->plan, target);
  return absl::OkStatus();
}

// The usual forms of weights that other exact ones were preferred to; nothing where there are none.
absl::StatusOr<std::optional<Graph>> WithUsualForms(const Graph &graph, const o2m_target &target, Host &host) {
  std::optional<Graph> usual;
  for (NodeId id = 0; id < static_cast<NodeId>(graph.nodes.size()); id++) {
    if (graph.nodes[id].variant == 0 || !IsExact(graph.nodes[id])) continue;
    if (!usual) usual = graph;
    O2M_RETURN_IF_ERROR(SetVariant(*usual, id, 0, host, target));
  }
  return usual;
}

// A form that is quickest in one call may be slow in many short ones, as where each decodes an index, and the usual one
// then lacks scratch: so the usual forms are scheduled too, and the better of both is taken.
absl::Status ScheduleForms(Graph graph, bool free, const CompileOptions &options, const Registry &registry, Host &host,
                           PlanCache *plans, Compilation *compilation) {
  std::optional<Graph> usual;
  if (free && options.rows == 0) {
    O2M_ASSIGN_OR_RETURN(usual, WithUsualForms(graph, compilation->target.abi(), host));
  }
  Compilation other = *compilation;
  O2M_RETURN_IF_ERROR(ScheduleAndRefine(std::move(graph), free, options, registry, host, plans, compilation));
  if (!usual || !ScheduleAndRefine(*std::move(usual), free, options, registry, host, plans, &other).ok())
    return absl::OkStatus();
  const auto key = [&](const Compilation &c) {
    const int64_t arena = c.plan.arena_bytes, time = c.alternatives[0].instructions;
    return options.optimize == "ram" ? std::make_pair(arena, time) : std::make_pair(time, arena);
  };
  if (key(other) < key(*compilation)) *compilation = std::move(other);
  return absl::OkStatus();
}

// Forms of weights, then schedule .. pack, of a model that is lowered.
absl::StatusOr<Compilation> CompileLowered(Graph graph, Compilation compilation, const CompileOptions &options,
                                           int64_t room, const Registry &registry, Host &host, PlanCache *plans) {
  // How weights are held: by time or by flash. Exact, but where the options allow fewer bits.
  compilation.target.flash_wait = FlashWait(compilation.board, ConstantBytes(graph));
  O2M_ASSIGN_OR_RETURN(const bool free, ChooseWeights(options, compilation.target.abi(), room, host, graph));
  DumpAfter("weights", graph, options);

  // Order, loops, lifetimes, offsets.
  const absl::Status scheduled = ScheduleForms(std::move(graph), free && options.optimize != "flash", options, registry,
                                               host, plans, &compilation);
  if (absl::IsResourceExhausted(scheduled)) return CompileWithin(scheduled, options, registry, host);
  O2M_RETURN_IF_ERROR(scheduled);
  const o2m_target target = compilation.target.abi();
  if (options.image_in_arena) OverwriteInput(compilation.graph, target, &compilation.plan);

  // A band of the arena for inputs that come in rows.
  O2M_RETURN_IF_ERROR(AddStream(options, &compilation));

  // Weights in the form the kernels read.
  if (options.shapes_only) return compilation;
  O2M_RETURN_IF_ERROR(PackAll(compilation.graph, host, target));
  DumpAfter("pack", compilation.graph, options);
  O2M_RETURN_IF_ERROR(CheckFlash(compilation));

  // Weights that come from slow flash a stage ahead.
  O2M_RETURN_IF_ERROR(PrefetchWeights(options, &compilation));

  // A second opinion on every byte of the plan.
  O2M_RETURN_IF_ERROR(ValidatePlan(compilation.graph, target, compilation.plan));
  O2M_RETURN_IF_ERROR(ValidateStream(compilation.graph, target, compilation.plan, compilation.stream));
  return compilation;
}

// What flash holds besides constants of 8 bits; about what kernels take where no compiler is there to tell.
absl::StatusOr<int64_t> OtherFlash(const Compilation &compilation, const CompileOptions &options, Host &host) {
  O2M_ASSIGN_OR_RETURN(std::vector<GeneratedFile> files, EmitProgram(compilation, options, host));
  O2M_ASSIGN_OR_RETURN(const Sizes sizes, MeasureSizes(compilation, files));
  return sizes.measured ? sizes.text + sizes.rodata + sizes.data : kCodeAllowance;
}

// Again and again with the flash that code leaves, as long as weights could be smaller. They need other kernels then.
absl::StatusOr<Compilation> ShrinkToFit(Graph graph, const Compilation &lowered, const CompileOptions &options,
                                        const Registry &registry, Host &host, PlanCache *plans) {
  int64_t room = RoomForConstants(lowered.board, 0), least = 0;
  std::optional<Compilation> before;
  for (int round = 0;; round++) {
    O2M_ASSIGN_OR_RETURN(Compilation compilation, CompileLowered(graph, lowered, options, room, registry, host, plans));
    const int64_t bytes = ConstantBytes(compilation.graph);
    const bool near = room > 0 && !FlashForWeights(lowered.board, bytes, 2 * kCodeAllowance);
    if (!near || options.shapes_only) return compilation;
    O2M_ASSIGN_OR_RETURN(const bool more, CanShrink(options, compilation.target.abi(), host, graph));
    if (!more) return compilation;
    O2M_ASSIGN_OR_RETURN(const int64_t other, OtherFlash(compilation, options, host));
    if (before && bytes + other >= least) return *std::move(before);  // kernels took more than weights saved
    if (round == kFitRounds || FlashForWeights(lowered.board, bytes, other)) return compilation;
    least = bytes + other, before = std::move(compilation);
    room = std::min(RoomForConstants(lowered.board, other), room);
  }
}

}  // namespace

absl::StatusOr<Compilation> Compile(const CompileOptions &options, const Registry &registry, Host &host,
                                    PlanCache *plans) {
  Compilation lowered;
  O2M_ASSIGN_OR_RETURN(Graph graph, LowerModel(options, registry, host, &lowered));
  O2M_RETURN_IF_ERROR(PutImageInArena(options, graph));
  O2M_ASSIGN_OR_RETURN(Compilation compilation, ShrinkToFit(std::move(graph), lowered, options, registry, host, plans));
  if (!options.shapes_only) O2M_RETURN_IF_ERROR(StateCoarseWeights(options, host, &compilation));
  return compilation;
}

}  // namespace onnx2mcu
