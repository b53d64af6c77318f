#include "planner/cost.h"

#include <algorithm>
#include <cstring>
#include <span>

namespace onnx2mcu {
namespace {

struct CostEntry {
  const char *kernel, *term;
  int64_t thousandths[kCostCoreCount];  // by core
};
// Sorted by kernel.
constexpr CostEntry kTable[] = {
#include "planner/cost_table.inc"
};

constexpr char kAnyKernel[] = "*", kCall[] = "calls";

// One call: what the op states, then its terms; those of a generic kernel where it states none.
struct Call {
  o2m_cost cost{};
  o2m_term terms[O2M_MAX_TERMS + 1];  // and the call itself
  int32_t count = 0;
};

// An op that states nothing: its outputs, element by element.
o2m_cost Guess(const Graph &graph, const Node &node, int32_t steps, int32_t rows) {
  o2m_cost cost{};
  cost.kernel = node.op->id;
  cost.instructions = -1;
  for (TensorId id : node.outputs) cost.elements += ElementCount(graph.tensors[id].dims);
  if (steps > 0) cost.elements = cost.elements * rows / steps;
  return cost;
}

void AddTerm(Call &call, const o2m_term &term) {
  if (term.count > 0) call.terms[call.count++] = term;
}

// Products and outputs, or, where there are no products, elements: so that each is told from counts of some op alone.
void AddAnyKernel(Call &call) {
  const o2m_cost &c = call.cost;
  call.count = 0;
  AddTerm(call, {kAnyKernel, "macs", c.macs});
  AddTerm(call, c.macs > 0 ? o2m_term{kAnyKernel, "outputs", c.outputs}
                           : o2m_term{kAnyKernel, "elements", std::max(c.elements, c.outputs)});
  AddTerm(call, {kAnyKernel, kCall, 1});
}

void AddGeneric(Call &call, const char *kernel) {
  const o2m_cost &c = call.cost;
  call.count = 0;
  for (const o2m_term &term : {o2m_term{kernel, "macs", c.macs}, o2m_term{kernel, "elements", c.elements},
                               o2m_term{kernel, "outputs", c.outputs}, o2m_term{kernel, kCall, 1}})
    AddTerm(call, term);
}

void AddTerms(Call &call, const o2m_terms &terms, const o2m_target &target, const o2m_node *node, int32_t rows) {
  call.count = std::clamp(terms.terms(&target, node, rows, call.terms, O2M_MAX_TERMS), 0, int32_t{O2M_MAX_TERMS});
  for (int32_t i = 0; i < call.count; i++)
    if (!call.terms[i].kernel) call.terms[i].kernel = call.cost.kernel;
  call.terms[call.count++] = {call.cost.kernel, kCall, 1};
}

Call CallOf(const Graph &graph, const Node &node, const o2m_target &target, int32_t steps, int32_t rows) {
  Call call;
  const auto *coster = static_cast<const o2m_coster *>(ExtensionOf(node.op, "o2m.cost/1"));
  const auto *terms = static_cast<const o2m_terms *>(ExtensionOf(node.op, "o2m.terms/1"));
  const bool stated = coster && coster->cost, in_terms = terms && terms->terms;
  if (!stated) call.cost = Guess(graph, node, steps, rows);
  if (!stated && !in_terms) return AddGeneric(call, call.cost.kernel), call;
  const OpNode view(graph, node);
  if (stated) {
    call.cost.instructions = -1;
    coster->cost(&target, view.get(), rows, &call.cost);
    if (!call.cost.kernel) call.cost.kernel = node.op->id;
  }
  if (in_terms) {
    AddTerms(call, *terms, target, view.get(), rows);
  } else {
    AddGeneric(call, call.cost.kernel);
  }
  return call;
}

// The rows of the table that are a kernel's.
std::span<const CostEntry> EntriesOf(const char *kernel) {
  const auto before = [](const CostEntry &entry, const char *name) { return std::strcmp(entry.kernel, name) < 0; };
  const auto behind = [](const char *name, const CostEntry &entry) { return std::strcmp(name, entry.kernel) < 0; };
  const CostEntry *begin = std::lower_bound(std::begin(kTable), std::end(kTable), kernel, before);
  return {begin, std::upper_bound(begin, std::end(kTable), kernel, behind)};
}

int64_t CostAmong(std::span<const CostEntry> entries, int32_t core, const char *term) {
  for (const CostEntry &entry : entries)
    if (std::strcmp(entry.term, term) == 0) return entry.thousandths[core];
  return kUnknownCost;
}

// kUnknownCost where that of one of the terms is. Most are of one kernel, which is looked up once.
int64_t SumOf(int32_t core, const Call &call) {
  int64_t thousandths = 0;
  const char *kernel = nullptr;
  std::span<const CostEntry> entries;
  for (const o2m_term &term : std::span(call.terms, call.count)) {
    if (term.kernel != kernel) kernel = term.kernel, entries = EntriesOf(kernel);
    const int64_t cost = CostAmong(entries, core, term.name);
    if (cost == kUnknownCost) return kUnknownCost;
    thousandths += cost * term.count;
  }
  return thousandths;
}

int64_t ThousandthsOf(int32_t core, Call call) {
  const int64_t sum = SumOf(core, call), stated = call.cost.instructions;
  if (sum != kUnknownCost) return sum;
  if (stated >= 0) return stated * 1000 + std::max<int64_t>(CostOf(core, kAnyKernel, kCall), 0);
  AddAnyKernel(call);
  return std::max<int64_t>(SumOf(core, call), 0);
}

void Add(Work &work, const o2m_cost &cost, int64_t calls) {
  work.kernel = cost.kernel ? cost.kernel : "";
  work.calls += calls;
  work.macs += calls * std::max<int64_t>(cost.macs, 0);
  work.elements += calls * std::max<int64_t>(cost.elements, 0);
  work.outputs += calls * std::max<int64_t>(cost.outputs, 0);
  work.flash_bytes_read += calls * std::max<int64_t>(cost.flash_bytes_read, 0);
}

// body(rows of the call, how many such calls there are)
template <class Body>
void ForEachCall(int32_t steps, int32_t rows, const Body &body) {
  if (steps == 0) return body(1, 1);
  if (steps >= rows) body(rows, steps / rows);
  if (steps % rows) body(steps % rows, 1);
}

void AddUp(std::vector<Term> &terms, const o2m_term &term, int64_t calls) {
  for (Term &known : terms)
    if (known.kernel == term.kernel && known.name == term.name) return void(known.count += calls * term.count);
  terms.push_back({term.kernel, term.name, calls * term.count});
}

}  // namespace

int32_t CostCoreOf(const std::string &target) {
  for (int32_t i = 0; i < kCostCoreCount; i++)
    if (target == kCostCores[i]) return i;
  return kFallbackCore;
}

int64_t CostOf(int32_t core, const char *kernel, const char *term) { return CostAmong(EntriesOf(kernel), core, term); }

Work WorkOf(const Graph &graph, const Node &node, const o2m_target &target, int32_t steps, int32_t rows) {
  const int32_t core = CostCoreOf(target.id ? target.id : "");
  Work work;
  int64_t thousandths = 0;
  ForEachCall(steps, rows, [&](int32_t r, int64_t calls) {
    const Call call = CallOf(graph, node, target, steps, r);
    Add(work, call.cost, calls);
    thousandths += calls * ThousandthsOf(core, call);
  });
  work.instructions = thousandths / 1000;
  return work;
}

std::vector<Term> TermsOf(const Graph &graph, const Node &node, const o2m_target &target, int32_t steps, int32_t rows,
                          bool generic) {
  std::vector<Term> terms;
  ForEachCall(steps, rows, [&](int32_t r, int64_t calls) {
    Call call = CallOf(graph, node, target, steps, r);
    if (generic) AddAnyKernel(call);
    for (int32_t i = 0; i < call.count; i++) AddUp(terms, call.terms[i], calls);
  });
  return terms;
}

int64_t TimeOf(int64_t instructions, int64_t flash_bytes_read, const o2m_target &target) {
  return instructions + flash_bytes_read * target.flash_wait / 1000;
}

int64_t FlashBytesRead(const Graph &graph, const Plan &plan, const o2m_target &target) {
  int64_t total = 0;
  for (const Stage &stage : plan.stages)
    for (NodeId node : stage.nodes)
      total += WorkOf(graph, graph.nodes[node], target, stage.steps, std::max(stage.rows, 1)).flash_bytes_read;
  return total;
}

int64_t EstimateInstructions(const Graph &graph, const Plan &plan, const o2m_target &target) {
  int64_t total = 0;
  for (const Stage &stage : plan.stages)
    for (NodeId node : stage.nodes)
      total += WorkOf(graph, graph.nodes[node], target, stage.steps, std::max(stage.rows, 1)).instructions;
  return total;
}

}  // namespace onnx2mcu
