// importer/eval_einsum.cc - Einsum of any number of operands, as a chain of pairwise matrix products.
#include <algorithm>

#include "importer/eval_op.h"

namespace onnx2mcu {
namespace {

// Labels are letters; the dims of an ellipsis become control characters, the last one '\1'.
struct Equation {
  std::vector<std::string> operands;
  std::string result;
};

// A value whose dims carry distinct labels.
struct Labelled {
  Value value;
  std::string labels;
};

std::string EllipsisLabels(int64_t count) {
  std::string labels;
  for (int64_t n = count; n > 0; n--) labels.push_back(static_cast<char>(n));
  return labels;
}

bool HasLabel(const std::string &labels, char label) { return labels.find(label) != std::string::npos; }

// Replaces "..." by as many labels as the operand's rank asks for.
absl::StatusOr<std::string> ExpandTerm(const std::string &term, int64_t rank) {
  const size_t dots = term.find("...");
  const int64_t letters = static_cast<int64_t>(term.size()) - (dots == std::string::npos ? 0 : 3);
  if (letters > rank || (dots == std::string::npos && letters != rank)) {
    return Invalid("term '", term, "' does not fit a tensor of ", rank, " dimensions; one letter per dimension would");
  }
  if (dots == std::string::npos) return term;
  return term.substr(0, dots) + EllipsisLabels(rank - letters) + term.substr(dots + 3);
}

// Without "->": every label that occurs once, in alphabetical order, after those of the ellipsis.
std::string ImplicitResult(const std::vector<std::string> &terms, const std::string &ellipsis) {
  std::string all, once;
  for (const std::string &term : terms) all += term;
  for (char c : all) {
    if (c >= 'A' && std::count(all.begin(), all.end(), c) == 1) once.push_back(c);
  }
  std::sort(once.begin(), once.end());
  return ellipsis + once;
}

absl::StatusOr<Equation> Parse(std::string text, const std::vector<const Value *> &inputs) {
  text.erase(std::remove(text.begin(), text.end(), ' '), text.end());
  const size_t arrow = text.find("->");
  std::vector<std::string> terms(1);
  for (char c : text.substr(0, arrow)) {
    if (c == ',') {
      terms.emplace_back();
    } else {
      terms.back().push_back(c);
    }
  }
  if (terms.size() != inputs.size()) {
    return Invalid("equation '", text, "' has ", terms.size(), " terms for ", inputs.size(), " operands");
  }
  Equation equation;
  std::string ellipsis;
  for (size_t n = 0; n < terms.size(); n++) {
    O2M_ASSIGN_OR_RETURN(std::string labels, ExpandTerm(terms[n], static_cast<int64_t>(inputs[n]->dims.size())));
    const int64_t dots = std::count_if(labels.begin(), labels.end(), [](char c) { return c < 'A'; });
    if (dots > static_cast<int64_t>(ellipsis.size())) ellipsis = EllipsisLabels(dots);
    equation.operands.push_back(std::move(labels));
  }
  equation.result = arrow == std::string::npos ? ImplicitResult(equation.operands, ellipsis) : text.substr(arrow + 2);
  const size_t dots = equation.result.find("...");
  if (dots != std::string::npos) equation.result.replace(dots, 3, ellipsis);
  return equation;
}

// A label's size; 1 in one operand broadcasts to another's.
using Sizes = std::map<char, int64_t>;

absl::StatusOr<Sizes> SizesOf(const Equation &equation, const std::vector<const Value *> &inputs) {
  Sizes sizes;
  for (size_t n = 0; n < inputs.size(); n++) {
    for (size_t d = 0; d < equation.operands[n].size(); d++) {
      int64_t &size = sizes.emplace(equation.operands[n][d], 1).first->second;
      const int64_t dim = inputs[n]->dims[d];
      if (size != dim && size != 1 && dim != 1) {
        return Invalid("a label stands for dimensions of ", size, " and ", dim, "; equal ones would work");
      }
      size = std::max(size, dim);
    }
  }
  for (char label : equation.result) {
    if (sizes.count(label) == 0) return Invalid("the result names a label that no operand has");
  }
  Dims dims;
  for (const auto &[label, size] : sizes) {
    if (size > 1) dims.push_back(size);
  }
  O2M_RETURN_IF_ERROR(CheckSize(dims));
  return sizes;
}

// Reads `in` in the order of `order`; a label that `in` lacks or has with size 1 is repeated, one that occurs twice is
// read along its diagonal.
Value TakeLabels(const Value &in, const std::string &labels, const std::string &order, const Sizes &sizes) {
  const Dims dense = DenseStrides(in.dims);
  Dims dims, strides;
  for (char label : order) {
    dims.push_back(sizes.at(label));
    strides.push_back(0);
    for (size_t d = 0; d < labels.size(); d++) {
      if (labels[d] == label && in.dims[d] != 1) strides.back() += dense[d];
    }
  }
  return StridedTake(in, 0, dims, strides);
}

std::string Distinct(const std::string &labels) {
  std::string distinct;
  for (char label : labels) {
    if (!HasLabel(distinct, label)) distinct.push_back(label);
  }
  return distinct;
}

int64_t SizeOf(const std::string &labels, const Sizes &sizes) {
  int64_t count = 1;
  for (char label : labels) count *= sizes.at(label);
  return count;
}

// Sums over every label that `needed` lacks.
Labelled SumOut(const Labelled &in, const std::string &needed, const Sizes &sizes) {
  std::string kept, summed;
  for (char label : Distinct(in.labels)) (HasLabel(needed, label) ? kept : summed).push_back(label);
  Labelled out{TakeLabels(in.value, in.labels, kept + summed, sizes), kept};
  if (summed.empty()) return out;
  const int64_t inner = SizeOf(summed, sizes);
  Value total = Floats(Dims(out.value.dims.begin(), out.value.dims.begin() + static_cast<int64_t>(kept.size())));
  for (size_t k = 0; k < total.f.size(); k++) {
    double sum = 0;
    for (int64_t n = 0; n < inner; n++) sum += out.value.f[k * inner + n];
    total.f[k] = static_cast<float>(sum);
  }
  out.value = std::move(total);
  return out;
}

// Batched [batch,m,k] x [batch,k,n]: batch labels are in both and needed later, k in both and not needed.
Labelled Contract(const Labelled &a, const Labelled &b, const std::string &needed, const Sizes &sizes) {
  std::string batch, m, k, n;
  for (char label : a.labels) {
    if (!HasLabel(b.labels, label)) {
      m.push_back(label);
    } else {
      (HasLabel(needed, label) ? batch : k).push_back(label);
    }
  }
  for (char label : b.labels) {
    if (!HasLabel(a.labels, label)) n.push_back(label);
  }
  const Value x = TakeLabels(a.value, a.labels, batch + m + k, sizes);
  const Value w = TakeLabels(b.value, b.labels, batch + k + n, sizes);
  Labelled out{Value(), batch + m + n};
  Dims dims;
  for (char label : out.labels) dims.push_back(sizes.at(label));
  out.value = Floats(dims);
  const int64_t rows = SizeOf(m, sizes), inner = SizeOf(k, sizes), columns = SizeOf(n, sizes);
  for (int64_t i = 0; i < SizeOf(batch, sizes); i++) {
    MultiplyInto(x.f.data() + i * rows * inner, w.f.data() + i * inner * columns,
                 out.value.f.data() + i * rows * columns, rows, inner, columns);
  }
  return out;
}

Values Einsum(const OpCall &call) {
  O2M_ASSIGN_OR_RETURN(const Equation equation, Parse(AttrString(call.node, "equation", ""), call.inputs));
  O2M_ASSIGN_OR_RETURN(const Sizes sizes, SizesOf(equation, call.inputs));
  Labelled total;
  for (size_t n = 0; n < call.inputs.size(); n++) {
    std::string later = equation.result;
    for (size_t r = n + 1; r < call.inputs.size(); r++) later += equation.operands[r];
    const Labelled operand = SumOut({call.in(n), equation.operands[n]}, later + (n == 0 ? "" : total.labels), sizes);
    total = n == 0 ? operand : Contract(total, operand, later, sizes);
    total = SumOut(total, later, sizes);
  }
  return One(TakeLabels(total.value, total.labels, equation.result, sizes));
}

}  // namespace

std::vector<OpEntry> EinsumOps() { return {{"Einsum", "f+", Einsum}}; }

}  // namespace onnx2mcu
