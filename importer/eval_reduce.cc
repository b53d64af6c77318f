// importer/eval_reduce.cc - reductions over any axes, ArgMax, ArgMin and CumSum.
#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "importer/eval_op.h"

namespace onnx2mcu {
namespace {

// What a reduction does to the shape.
struct Reduction {
  Dims kept, reduced;  // dims, in order
  Dims perm;           // brings the reduced dims to the end
  Dims result;         // with keepdims
};

Reduction PlanReduction(const Dims &dims, const Dims &axes, bool keep) {
  Reduction plan;
  Dims last;
  for (int64_t d = 0; d < static_cast<int64_t>(dims.size()); d++) {
    if (std::binary_search(axes.begin(), axes.end(), d)) {
      last.push_back(d);
      plan.reduced.push_back(dims[d]);
      if (keep) plan.result.push_back(1);
    } else {
      plan.perm.push_back(d);
      plan.kept.push_back(dims[d]);
      plan.result.push_back(dims[d]);
    }
  }
  plan.perm.insert(plan.perm.end(), last.begin(), last.end());
  return plan;
}

// Reduces each row of n values that belong together: of(const float *, n) or oi(const int64_t *, n).
template <class OnFloat, class OnInt>
Values Reduce(const OpCall &call, OnFloat of, OnInt oi) {
  const Value &x = call.in(0);
  O2M_ASSIGN_OR_RETURN(Dims axes, AxesOf(call, 1, static_cast<int64_t>(x.dims.size())));
  if (axes.empty()) {
    if (AttrInt(call.node, "noop_with_empty_axes", 0) != 0) return One(x);
    axes.resize(x.dims.size());
    std::iota(axes.begin(), axes.end(), 0);
  }
  const Reduction plan = PlanReduction(x.dims, axes, AttrInt(call.node, "keepdims", 1) != 0);
  const bool trailing = std::is_sorted(plan.perm.begin(), plan.perm.end());
  const Value moved = trailing ? Value() : Permute(x, plan.perm);
  const Value &rows = trailing ? x : moved;
  const int64_t n = ElementCount(plan.reduced);
  Value out = Like(x, plan.result);
  for (size_t r = 0; r < out.f.size(); r++) out.f[r] = of(rows.f.data() + static_cast<int64_t>(r) * n, n);
  for (size_t r = 0; r < out.i.size(); r++) {
    out.i[r] = WrapTo(out.dtype, oi(rows.i.data() + static_cast<int64_t>(r) * n, n));
  }
  return One(std::move(out));
}

// finish(sum over term(x)), in double.
template <class Term, class Finish>
Values ReduceSumOf(const OpCall &call, Term term, Finish finish) {
  const auto reduce = [=](const auto *x, int64_t n) {
    double sum = 0;
    for (int64_t k = 0; k < n; k++) sum += term(static_cast<double>(x[k]));
    return finish(sum, static_cast<double>(n));
  };
  return Reduce(
      call, [=](const float *x, int64_t n) { return static_cast<float>(reduce(x, n)); },
      [=](const int64_t *x, int64_t n) { return static_cast<int64_t>(reduce(x, n)); });
}

double Same(double x) { return x; }
double Square(double x) { return x * x; }
double Total(double sum, double) { return sum; }

Values ReduceSum(const OpCall &call) { return ReduceSumOf(call, Same, Total); }
Values ReduceMean(const OpCall &call) {
  return ReduceSumOf(call, Same, [](double sum, double n) { return sum / n; });
}
Values ReduceSumSquare(const OpCall &call) { return ReduceSumOf(call, Square, Total); }
Values ReduceL1(const OpCall &call) {
  return ReduceSumOf(
      call, [](double x) { return std::fabs(x); }, Total);
}
Values ReduceL2(const OpCall &call) {
  return ReduceSumOf(call, Square, [](double sum, double) { return std::sqrt(sum); });
}
Values ReduceLogSum(const OpCall &call) {
  return ReduceSumOf(call, Same, [](double sum, double) { return std::log(sum); });
}

// log(sum(exp(x))), around the maximum so that nothing overflows.
Values ReduceLogSumExp(const OpCall &call) {
  const auto reduce = [](const auto *x, int64_t n) {
    if (n == 0) return -std::numeric_limits<double>::infinity();
    const double top = static_cast<double>(*std::max_element(x, x + n));
    if (std::isinf(top)) return top;
    double sum = 0;
    for (int64_t k = 0; k < n; k++) sum += std::exp(static_cast<double>(x[k]) - top);
    return top + std::log(sum);
  };
  return Reduce(
      call, [=](const float *x, int64_t n) { return static_cast<float>(reduce(x, n)); },
      [=](const int64_t *x, int64_t n) { return static_cast<int64_t>(reduce(x, n)); });
}

Values ReduceProd(const OpCall &call) {
  return Reduce(
      call,
      [](const float *x, int64_t n) {
        return static_cast<float>(std::accumulate(x, x + n, 1.0, std::multiplies<double>()));
      },
      [](const int64_t *x, int64_t n) {
        uint64_t product = 1;
        for (int64_t k = 0; k < n; k++) product *= static_cast<uint64_t>(x[k]);
        return static_cast<int64_t>(product);
      });
}

Values ReduceMax(const OpCall &call) {
  const DType dtype = call.in(0).dtype;
  return Reduce(
      call,
      [](const float *x, int64_t n) {
        return n == 0 ? -std::numeric_limits<float>::infinity() : *std::max_element(x, x + n);
      },
      [=](const int64_t *x, int64_t n) { return n == 0 ? LowestOf(dtype) : *std::max_element(x, x + n); });
}

Values ReduceMin(const OpCall &call) {
  const DType dtype = call.in(0).dtype;
  return Reduce(
      call,
      [](const float *x, int64_t n) {
        return n == 0 ? std::numeric_limits<float>::infinity() : *std::min_element(x, x + n);
      },
      [=](const int64_t *x, int64_t n) { return n == 0 ? HighestOf(dtype) : *std::min_element(x, x + n); });
}

// The position along the axis of the value that `better` prefers; of equal ones the first, or the last if asked.
template <class Better>
Values ArgBest(const OpCall &call, Better better) {
  const Value &x = call.in(0);
  O2M_ASSIGN_OR_RETURN(const int64_t axis,
                       NormalAxis(AttrInt(call.node, "axis", 0), static_cast<int64_t>(x.dims.size())));
  const bool last = AttrInt(call.node, "select_last_index", 0) != 0;
  const AxisSplit split = SplitAt(x.dims, axis);
  if (split.size == 0) return Invalid("the axis has no elements; at least one would work");
  Dims dims = x.dims;
  if (AttrInt(call.node, "keepdims", 1) != 0) {
    dims[axis] = 1;
  } else {
    dims.erase(dims.begin() + axis);
  }
  Value out = Integers(DType::kS64, dims);
  OnData(x, out, [&](const auto &from, const auto &) {
    for (int64_t r = 0; r < Count(out); r++) {
      const auto *line = from.data() + r / split.inner * split.size * split.inner + r % split.inner;
      int64_t best = 0;
      for (int64_t k = 1; k < split.size; k++) {
        const auto a = line[k * split.inner], b = line[best * split.inner];
        if (better(a, b) || (last && a == b)) best = k;
      }
      out.i[r] = best;
    }
  });
  return One(std::move(out));
}

Values ArgMax(const OpCall &call) {
  return ArgBest(call, [](auto a, auto b) { return a > b; });
}
Values ArgMin(const OpCall &call) {
  return ArgBest(call, [](auto a, auto b) { return a < b; });
}

Values CumSum(const OpCall &call) {
  const Value &x = call.in(0);
  if (Count(call.in(1)) != 1) return Invalid("axis is not a scalar; one number would work");
  O2M_ASSIGN_OR_RETURN(const int64_t axis, NormalAxis(call.in(1).i[0], static_cast<int64_t>(x.dims.size())));
  const bool exclusive = AttrInt(call.node, "exclusive", 0) != 0, reverse = AttrInt(call.node, "reverse", 0) != 0;
  const AxisSplit split = SplitAt(x.dims, axis);
  Value out = Like(x, x.dims);
  OnData(x, out, [&](const auto &from, auto &to) {
    using T = typename std::decay_t<decltype(to)>::value_type;
    for (int64_t r = 0; r < split.outer * split.inner; r++) {
      const int64_t start = r / split.inner * split.size * split.inner + r % split.inner;
      T sum = 0;
      for (int64_t n = 0; n < split.size; n++) {
        const int64_t k = start + (reverse ? split.size - 1 - n : n) * split.inner;
        to[k] = sum;
        if constexpr (std::is_same_v<T, float>) {
          sum += from[k];
        } else {
          sum = WrapTo(x.dtype, static_cast<int64_t>(static_cast<uint64_t>(sum) + static_cast<uint64_t>(from[k])));
        }
        if (!exclusive) to[k] = sum;
      }
    }
  });
  return One(std::move(out));
}

}  // namespace

std::vector<OpEntry> ReduceOps() {
  return {{"ReduceSum", "*i?", ReduceSum},
          {"ReduceMean", "*i?", ReduceMean},
          {"ReduceMax", "*i?", ReduceMax},
          {"ReduceMin", "*i?", ReduceMin},
          {"ReduceProd", "*i?", ReduceProd},
          {"ReduceL1", "*i?", ReduceL1},
          {"ReduceL2", "*i?", ReduceL2},
          {"ReduceSumSquare", "*i?", ReduceSumSquare},
          {"ReduceLogSum", "*i?", ReduceLogSum},
          {"ReduceLogSumExp", "*i?", ReduceLogSumExp},
          {"ArgMax", "*", ArgMax},
          {"ArgMin", "*", ArgMin},
          {"CumSum", "*i", CumSum}};
}

}  // namespace onnx2mcu
