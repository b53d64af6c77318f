// Strides that an op must take because its o2m_access.layout says so.
#include <algorithm>
#include <numeric>

#include "absl/strings/str_cat.h"
#include "plugins/check_clauses.h"

namespace onnx2mcu::check {
namespace {

using Strides = std::vector<int64_t>;
using Change = Strides (*)(const std::vector<int32_t> &dims, int32_t axis);

// Dense but for the access axis, which gets three elements more per row. Nothing where axes lie outside it: they would
// overlap, or have to change as well. Three, because no kernel may assume that rows are aligned.
Strides RowStrided(const std::vector<int32_t> &dims, int32_t axis) {
  Strides strides = DenseStrides(dims);
  if (axis < 0 || axis >= static_cast<int32_t>(dims.size()) || dims[axis] == 1) return {};
  if (std::any_of(dims.begin(), dims.begin() + axis, [](int32_t dim) { return dim != 1; })) return {};
  strides[axis] += 3;
  return strides;
}

// Dense in the order of `order`, outermost first.
Strides InOrder(const std::vector<int32_t> &dims, const std::vector<size_t> &order, int64_t inner, int64_t pad) {
  Strides strides(dims.size());
  int64_t stride = inner;
  for (size_t i = order.size(); i-- > 0; stride = stride * dims[order[i]] + pad) strides[order[i]] = stride;
  return strides;
}

std::vector<size_t> Ascending(size_t rank) {
  std::vector<size_t> order(rank);
  std::iota(order.begin(), order.end(), size_t{0});
  return order;
}

// Every second element, with a gap after each axis.
Strides Gapped(const std::vector<int32_t> &dims, int32_t) { return InOrder(dims, Ascending(dims.size()), 2, 3); }

// The last two axes longer than one change places, as in V written transposed.
Strides Transposed(const std::vector<int32_t> &dims, int32_t) {
  std::vector<size_t> order = Ascending(dims.size()), longer;
  for (size_t d = 0; d < dims.size(); d++)
    if (dims[d] > 1) longer.push_back(d);
  if (longer.size() < 2) return {};
  std::swap(order[longer[longer.size() - 1]], order[longer[longer.size() - 2]]);
  return InOrder(dims, order, 1, 0);
}

// All axes in reverse order.
Strides Reversed(const std::vector<int32_t> &dims, int32_t) {
  std::vector<size_t> order = Ascending(dims.size());
  std::reverse(order.begin(), order.end());
  return InOrder(dims, order, 1, 1);
}

struct Way {
  const char *name, *clause;
  Change change;
  int32_t layout;  // the least that admits it
};
constexpr Way kWays[] = {
    {"rows 3 elements apart", "strided == dense", RowStrided, O2M_ROW_STRIDED},
    {"every second element", "strided == dense", Gapped, O2M_ANY_STRIDES},
    {"last two axes exchanged", "transposed == dense", Transposed, O2M_ANY_STRIDES},
    {"axes in reverse", "transposed == dense", Reversed, O2M_ANY_STRIDES},
};

struct Slot {
  TensorSpec *tensor;
  o2m_access access;
  std::string name;
};

std::vector<Slot> SlotsOf(NodeSpec &spec, const o2m_memory &memory) {
  std::vector<Slot> slots;
  for (size_t i = 0; i < spec.inputs.size(); i++)
    if (!spec.inputs[i].is_constant && !spec.inputs[i].missing())
      slots.push_back({&spec.inputs[i], memory.inputs[i], absl::StrCat("input ", i)});
  for (size_t i = 0; i < spec.outputs.size(); i++)
    slots.push_back({&spec.outputs[i], memory.outputs[i], absl::StrCat("output ", i)});
  return slots;
}

// Changes operand `only` (or all, at -1); the number of operands changed.
int Apply(const Way &way, const o2m_memory &memory, int only, Strided &to) {
  int changed = 0;
  const std::vector<Slot> slots = SlotsOf(to.spec, memory);
  for (size_t i = 0; i < slots.size(); i++) {
    if ((only >= 0 && only != static_cast<int>(i)) || slots[i].access.layout < way.layout) continue;
    const Strides strides = way.change(slots[i].tensor->dims, slots[i].access.axis);
    if (strides.empty() || strides == slots[i].tensor->strides) continue;
    slots[i].tensor->strides = strides;
    to.name = absl::StrCat(slots[i].name, ", ", way.name);
    changed++;
  }
  if (changed > 1) to.name = absl::StrCat("all operands, ", way.name);
  return changed;
}

}  // namespace

std::vector<Strided> StridedSpecs(const Subject &subject) {
  const o2m_memory memory = MemoryOf(subject.inferred, subject.target, 1);
  std::vector<Strided> all;
  for (const Way &way : kWays) {
    int operands = 0;
    NodeSpec spec = subject.inferred;
    for (int i = 0; i < static_cast<int>(SlotsOf(spec, memory).size()); i++) {
      Strided one{"", way.clause, subject.inferred, false};
      if (Apply(way, memory, i, one) == 0) continue;
      all.push_back(one);
      operands++;
    }
    Strided every{"", way.clause, subject.inferred, false};
    if (operands > 1 && Apply(way, memory, -1, every) > 0) all.push_back(every);
    if (operands > 0) all.back().widest = true;
  }
  if (subject.case_strides.empty()) return all;
  Strided own{"as the case lays them out", "strided == dense", subject.inferred, true};
  size_t i = 0;
  for (std::vector<TensorSpec> *operands : {&own.spec.inputs, &own.spec.outputs})
    for (TensorSpec &tensor : *operands)
      if (const Strides &strides = subject.case_strides[i++]; strides.size() == tensor.dims.size())
        tensor.strides = strides;
  all.push_back(own);
  return all;
}

}  // namespace onnx2mcu::check
