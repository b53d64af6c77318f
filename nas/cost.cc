#include "nas/cost.h"

#include <algorithm>
#include <cstdlib>
#include <ctime>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "importer/copies.h"
#include "planner/cost.h"
#include "planner/make_plan.h"

namespace onnx2mcu {
namespace {

constexpr char kBlockName[] = "/blocks.";  // nas/vit_graph.cc names nodes so

// The number of the block that a node belongs to; -1: none.
int BlockOf(const Node &node) {
  return node.name.rfind(kBlockName, 0) == 0 ? std::atoi(node.name.c_str() + sizeof kBlockName - 1) : -1;
}

PlanOptions PlanOptionsOf(const Pricer &pricer, const o2m_op *copy) {
  PlanOptions options;
  options.optimize = pricer.options.optimize, options.copy = copy;
  const int64_t ram = MainRam(pricer.board).bytes;
  options.arena_budget = ram > 0 ? ram - kStackAllowance : 0;
  return options;
}

// What a run of segments belongs to: a block's number, -1 before the first one, the last one's for all behind.
// Internal: parts of two blocks are planned as one.
absl::StatusOr<int> PartOf(const Graph &graph, const Layout &layout, const Layout::Run &run, int before) {
  int part = -2;
  for (int32_t k = run.begin; k < run.end; k++) {
    const int block = BlockOf(graph.nodes[layout.order[k]]);
    if (block < 0) continue;
    if (part >= 0 && part != block)
      return absl::InternalError(absl::StrCat("blocks ", part, " and ", block, " are planned as one; no price of one"));
    part = block;
  }
  return part == -2 ? before : part;
}

// From a network of two blocks that are alike: what stands before them, the first, and the last with what follows.
absl::Status Learn(Pricer &pricer, Learnt &learnt, const VitConfig &frame, const BlockConfig &block) {
  const std::clock_t start = std::clock();
  VitConfig config = frame;
  config.blocks = {block, block};
  const o2m_target target = learnt.target.abi();
  O2M_ASSIGN_OR_RETURN(const Graph graph, LoweredVit(config, pricer.options, pricer.registry, pricer.host, target));
  learnt.copy = FindCopy(pricer.registry, graph).value_or(nullptr);
  const PlanOptions options = PlanOptionsOf(pricer, learnt.copy);
  O2M_RETURN_IF_ERROR(KindsOf(learnt.cache, graph, pricer.host, target, options).status());
  O2M_ASSIGN_OR_RETURN(const Layout layout, LayOut(learnt.cache, graph, {pricer.host, target, options.copy}));
  KindsOfFrame &known = learnt.frames[frame];
  KindsOfBlock kinds;
  known.embedding.clear();
  int part = -1;
  for (const Layout::Run &run : layout.runs) {
    O2M_ASSIGN_OR_RETURN(part, PartOf(graph, layout, run, part));
    std::vector<SegmentId> &to = part < 0 ? known.embedding : part == 0 ? kinds.inner : kinds.last;
    to.insert(to.end(), run.unit->kinds.begin(), run.unit->kinds.end());
  }
  known.blocks[block] = std::move(kinds);
  pricer.blocks_learnt++;
  pricer.learning_seconds += static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC;
  return absl::OkStatus();
}

absl::StatusOr<const KindsOfBlock *> KindsOf(Pricer &pricer, Learnt &learnt, const VitConfig &frame,
                                             const BlockConfig &block) {
  KindsOfFrame &known = learnt.frames[frame];
  if (!known.blocks.count(block)) O2M_RETURN_IF_ERROR(Learn(pricer, learnt, frame, block));
  return &known.blocks[block];
}

absl::StatusOr<std::vector<SegmentId>> RowOf(Pricer &pricer, Learnt &learnt, const VitConfig &config) {
  VitConfig frame = config;
  frame.blocks.clear();
  std::vector<SegmentId> row;
  for (size_t i = 0; i < config.blocks.size(); i++) {
    O2M_ASSIGN_OR_RETURN(const KindsOfBlock *block, KindsOf(pricer, learnt, frame, config.blocks[i]));
    const std::vector<SegmentId> &embedding = learnt.frames[frame].embedding;
    if (i == 0) row = embedding;
    const std::vector<SegmentId> &kinds = i + 1 < config.blocks.size() ? block->inner : block->last;
    row.insert(row.end(), kinds.begin(), kinds.end());
  }
  return row;
}

Learnt &LearntFor(Pricer &pricer, int32_t flash_wait) {
  Learnt &learnt = pricer.learnt[flash_wait];
  learnt.target = pricer.target, learnt.target.flash_wait = flash_wait;
  return learnt;
}

PricedSchedule PriceRow(const Pricer &pricer, Learnt &learnt, const std::vector<SegmentId> &row) {
  const PlanOptions options = PlanOptionsOf(pricer, nullptr);
  std::vector<PricedSchedule> frontier = PriceSchedules(learnt.cache, row, options);
  const size_t chosen = ChosenOf(frontier, options);
  return std::move(frontier[chosen == frontier.size() ? 0 : chosen]);
}

// Placed by itself, which is how it lies in most networks.
absl::StatusOr<StageCode> StagesOf(Pricer &pricer, Learnt &learnt, SegmentId id, int32_t pick) {
  const SegmentKind &kind = learnt.cache.kinds[id];
  Plan plan = kind.pieces[pick].plan;
  PlaceBuffers(plan, &learnt.cache.placements);
  return StageCodeOf(kind.options[pick].graph, plan, learnt.target.abi(), learnt.copy, pricer.host);
}

absl::StatusOr<const CodeOfOption *> CodeOf(Pricer &pricer, Learnt &learnt, SegmentId kind, int32_t pick) {
  const auto known = learnt.code.find({kind, pick});
  if (known != learnt.code.end()) return &known->second;
  const Option &option = learnt.cache.kinds[kind].options[pick];
  O2M_ASSIGN_OR_RETURN(const StageCode stages, StagesOf(pricer, learnt, kind, pick));
  const int32_t core = CostCoreOf(learnt.target.id);
  CodeOfOption code{{}, ObjectBlocks(stages, core), CallText(stages, core), ConstantBytes(option.graph)};
  for (const std::string &source : stages.sources)
    code.sources.push_back(
        learnt.sources.try_emplace(source, static_cast<int32_t>(learnt.sources.size())).first->second);
  return &learnt.code.emplace(std::pair(kind, pick), std::move(code)).first->second;
}

const KernelSize &KernelsOf(Learnt &learnt, const std::vector<int32_t> &numbers) {
  const auto [known, fresh] = learnt.kernels.try_emplace(numbers);
  if (!fresh) return known->second;
  std::set<std::string> files;
  for (const auto &[file, number] : learnt.sources)
    if (std::binary_search(numbers.begin(), numbers.end(), number)) files.insert(file);
  return known->second = KernelSizeOf(files, CostCoreOf(learnt.target.id));
}

// The flash of a program whose segments run as picked.
absl::Status AddFlash(Pricer &pricer, Learnt &learnt, const std::vector<SegmentId> &row, const Picks &picks,
                      Cost &cost) {
  std::vector<int32_t> sources;
  std::vector<const std::vector<ConstantBlock> *> objects;
  // the price of rows is an upper bound: now and then the arena has no place for a band of them (planner/stream.h)
  const bool rows = learnt.cache.kinds[row[0]].options[picks[0]].stages[0].steps > 0;
  int64_t text = rows ? StreamText(CostCoreOf(learnt.target.id)) : 0;
  for (size_t i = 0; i < row.size(); i++) {
    O2M_ASSIGN_OR_RETURN(const CodeOfOption *code, CodeOf(pricer, learnt, row[i], picks[i]));
    text += code->text, cost.weight_bytes += code->weight_bytes;
    objects.push_back(&code->objects);
    sources.insert(sources.end(), code->sources.begin(), code->sources.end());
  }
  std::sort(sources.begin(), sources.end());
  sources.erase(std::unique(sources.begin(), sources.end()), sources.end());
  const KernelSize &kernels = KernelsOf(learnt, sources);
  cost.code_bytes = text / 1000 + kernels.text;
  cost.constant_bytes = RodataBytes(objects, kernels.rodata);
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::unique_ptr<Pricer>> MakePricer(const Registry &registry, const PriceOptions &options) {
  std::unique_ptr<Pricer> pricer(new Pricer{registry, options, {}, {}, {}, {}, 0, 0});
  std::string target = options.target;
  if (!options.board.empty()) {
    O2M_ASSIGN_OR_RETURN(pricer->board, FindBoard(options.board));
    target = pricer->board.target;
  }
  O2M_ASSIGN_OR_RETURN(pricer->target, FindTarget(target));
  if (options.ram > 0) pricer->board.ram = {{"RAM", 0, options.ram}};
  if (options.flash > 0) pricer->board.flash = {{"flash", MainFlash(pricer->board).base, options.flash}};
  const int64_t ram = MainRam(pricer->board).bytes;
  if (ram == 0 || ram > kStackAllowance) return pricer;
  return absl::InvalidArgumentError(absl::StrCat("RAM of ", ram, " B is no more than the stack needs (",
                                                 kStackAllowance, " B); give --ram more than that"));
}

Limits LimitsOf(const Pricer &pricer, int64_t instructions) {
  int64_t flash = 0;
  for (const Region &region : pricer.board.flash) flash += region.bytes;
  return {MainRam(pricer.board).bytes, flash, instructions};
}

namespace {

struct PricedVit {
  Learnt *learnt = nullptr;
  std::vector<SegmentId> row;
  PricedSchedule schedule;
};

absl::StatusOr<PricedVit> ScheduleOf(Pricer &pricer, const VitConfig &config, int32_t flash_wait) {
  if (config.blocks.empty()) return absl::InvalidArgumentError("a network without blocks has no price here");
  PricedVit vit{&LearntFor(pricer, flash_wait), {}, {}};
  O2M_ASSIGN_OR_RETURN(vit.row, RowOf(pricer, *vit.learnt, config));
  vit.schedule = PriceRow(pricer, *vit.learnt, vit.row);
  return vit;
}

}  // namespace

// Weights that do not fit the core's own flash are read from a slower one, and schedules are chosen for that.
absl::StatusOr<Cost> PriceVit(Pricer &pricer, const VitConfig &config) {
  for (int32_t wait = 0;;) {
    O2M_ASSIGN_OR_RETURN(const PricedVit vit, ScheduleOf(pricer, config, wait));
    Cost cost{.arena_bytes = vit.schedule.price.arena_bytes,
              .stack_bytes = kStackAllowance,
              .instructions = vit.schedule.price.instructions};
    O2M_RETURN_IF_ERROR(AddFlash(pricer, *vit.learnt, vit.row, vit.schedule.picks, cost));
    const int32_t real = FlashWait(pricer.board, cost.weight_bytes);
    if (wait != 0 || real == 0) return cost;
    wait = real;
  }
}

absl::StatusOr<std::map<std::string, int64_t>> CodeCounts(Pricer &pricer, const VitConfig &config) {
  O2M_ASSIGN_OR_RETURN(const PricedVit vit, ScheduleOf(pricer, config, 0));
  std::map<std::string, int64_t> counts;
  for (size_t i = 0; i < vit.row.size(); i++) {
    O2M_ASSIGN_OR_RETURN(const StageCode code, StagesOf(pricer, *vit.learnt, vit.row[i], vit.schedule.picks[i]));
    for (const auto &[name, times] : code.counts) counts[name] += times;
  }
  return counts;
}

}  // namespace onnx2mcu
