// Clauses on what an op declares: infer(), memory(), pack().
#include <algorithm>
#include <cstring>
#include <functional>

#include "absl/strings/str_cat.h"
#include "plugins/check_clauses.h"

namespace onnx2mcu::check {
namespace {

std::string DifferentTensor(const TensorSpec &a, const TensorSpec &b) {
  if (a.dtype != b.dtype) return absl::StrCat("dtype ", a.dtype, " then ", b.dtype);
  if (a.dims != b.dims) return absl::StrCat("shape ", TextOf(a.dims), " then ", TextOf(b.dims));
  if (!(a.quant == b.quant)) return "another scale or zero point";
  return "";
}

enum class Compare : uint8_t { kOutputs, kConstants, kAll };

// What differs between two results of infer(), empty if nothing.
std::string Different(const NodeSpec &a, const NodeSpec &b, Compare compare) {
  for (size_t i = 0; i < a.outputs.size(); i++) {
    const std::string what = DifferentTensor(a.outputs[i], b.outputs[i]);
    if (!what.empty()) return absl::StrCat("output ", i, ": ", what);
  }
  if (compare == Compare::kOutputs) return "";
  if (!(a.constants == b.constants)) return "other constants (hint, dtype or count)";
  const auto [x, y] = std::mismatch(a.params.begin(), a.params.end(), b.params.begin());
  if (compare == Compare::kConstants || x == a.params.end()) return "";
  return absl::StrCat("params byte ", x - a.params.begin(), ": ", *x, " then ", *y);
}

std::string InferAgain(const NodeSpec &given, const NodeSpec &first, const o2m_target &target, Compare compare) {
  const absl::StatusOr<NodeSpec> again = Infer(given, target);
  if (!again.ok()) return absl::StrCat("accepted first, then: ", std::string(again.status().message()));
  return Different(first, *again, compare);
}

bool CheckInfer(Subject &subject, Reporter &report) {
  report.Begin("infer accepts");
  const absl::StatusOr<NodeSpec> first = Infer(subject.given, subject.target);
  report.Expect("infer accepts", first.ok() ? "" : std::string(first.status().message()));
  if (!first.ok()) return false;
  subject.inferred = *first;
  report.Begin("infer is pure");
  for (int i = 0; i < 3; i++) {
    const std::string what = InferAgain(subject.given, *first, subject.target, Compare::kAll);
    report.Expect("infer is pure", what.empty() ? "" : absl::StrCat("call ", i + 2, " of equal calls: ", what));
  }
  report.Begin("infer obeys presets");
  NodeSpec preset = subject.given;
  for (size_t i = 0; i < preset.outputs.size(); i++) {
    preset.outputs[i].dtype = first->outputs[i].dtype;
    preset.outputs[i].quant = first->outputs[i].quant;
  }
  // The params may differ: an op that chose a scale itself may keep it there.
  report.Expect("infer obeys presets", InferAgain(preset, *first, subject.target, Compare::kConstants));
  report.Begin("infer without data");
  NodeSpec priced = subject.given;
  for (TensorSpec &input : priced.inputs)
    if (input.is_constant) input.data.clear();
  // Sizes of constants may differ: without values, sparse or narrow forms can only be estimated.
  report.Expect("infer without data", InferAgain(priced, *first, subject.target, Compare::kOutputs));
  return true;
}

std::string AccessError(const o2m_access &access, const TensorSpec &tensor, int32_t steps, bool output) {
  if (access.layout < O2M_DENSE || access.layout > O2M_ANY_STRIDES) return absl::StrCat("layout ", access.layout);
  if (access.step < 0 || access.extent < 0 || access.before < 0) return "negative step, extent or before";
  const auto rank = static_cast<int32_t>(tensor.dims.size());
  if (access.axis < 0 || (access.axis >= rank && rank > 0))
    return absl::StrCat("axis ", access.axis, " of rank ", rank);
  if (steps == 0 || access.extent == 0) return "";
  if (rank == 0) return "steps over a tensor of rank 0";
  const int32_t rows = tensor.dims[access.axis];
  const int64_t last = int64_t{steps - 1} * access.step - access.before;
  if (last >= rows) return absl::StrCat("step ", steps - 1, " starts at row ", last, " of ", rows);
  if (!output) return "";
  if (access.extent != access.step || access.before != 0) return "an output row in no step, or in two";
  if (last + access.extent < rows) return absl::StrCat("rows from ", last + access.extent, " on are in no step");
  return "";
}

std::string MemoryError(const NodeSpec &spec, const o2m_memory &memory) {
  if (memory.steps < 0) return absl::StrCat(memory.steps, " steps");
  if (memory.scratch_bytes < 0 || memory.state_bytes < 0) return "negative scratch_bytes or state_bytes";
  for (size_t i = 0; i < spec.inputs.size(); i++) {
    const std::string error = AccessError(memory.inputs[i], spec.inputs[i], memory.steps, false);
    if (!error.empty() && !spec.inputs[i].missing()) return absl::StrCat("input ", i, ": ", error);
  }
  for (size_t i = 0; i < spec.outputs.size(); i++) {
    const std::string error = AccessError(memory.outputs[i], spec.outputs[i], memory.steps, true);
    if (!error.empty()) return absl::StrCat("output ", i, ": ", error);
  }
  for (size_t i = 0; i < 32; i++) {
    if (!(memory.in_place_inputs >> i & 1)) continue;
    if (i >= spec.inputs.size()) return absl::StrCat("in_place_inputs names input ", i);
    if (memory.steps > 1 && memory.inputs[i].extent == 0)
      return absl::StrCat("in_place_inputs names input ", i, ", which is whole: it is needed to the last step");
  }
  return "";
}

// Only scratch_bytes may depend on the rows per call.
bool SameContract(o2m_memory a, o2m_memory b) {
  a.scratch_bytes = b.scratch_bytes = 0;
  return std::memcmp(&a, &b, sizeof a) == 0;
}

bool CheckMemory(const Subject &subject, Reporter &report) {
  report.Begin("memory is sound");
  const o2m_memory memory = MemoryOf(subject.inferred, subject.target, 1);
  const std::string error = MemoryError(subject.inferred, memory);
  report.Expect("memory is sound", error);
  report.Begin("memory is pure");
  const o2m_memory again = MemoryOf(subject.inferred, subject.target, 1);
  const bool same = std::memcmp(&memory, &again, sizeof memory) == 0;
  report.Expect("memory is pure", same ? "" : "two equal calls gave two contracts");
  const o2m_memory all = MemoryOf(subject.inferred, subject.target, std::max(memory.steps, 1));
  report.Expect("memory is sound",
                SameContract(memory, all) ? "" : "more than scratch_bytes changes with the rows per call");
  return error.empty();
}

bool CheckPack(const Subject &subject, Reporter &report) {
  report.Begin("pack is deterministic");
  const absl::StatusOr<NodeSpec> zeroed = Pack(subject.inferred, subject.target, 0);
  const absl::StatusOr<NodeSpec> poisoned = Pack(subject.inferred, subject.target, 0xAA);
  for (const auto *result : {&zeroed, &poisoned}) {
    report.Expect("pack succeeds", result->ok() ? "" : std::string(result->status().message()));
    if (!result->ok()) return false;
  }
  if (!subject.inferred.op->pack && !subject.inferred.constants.empty()) {
    report.Fail("pack succeeds", "infer() declares constants, but there is no pack() to fill them");
    return false;
  }
  for (size_t i = 0; i < zeroed->constants.size(); i++) {
    const Bytes &a = zeroed->constants[i].data, &b = poisoned->constants[i].data;
    const auto at = std::mismatch(a.begin(), a.end(), b.begin()).first;
    report.Expect("pack is deterministic",
                  at == a.end() ? ""
                                : absl::StrCat("constant ", i, " (", zeroed->constants[i].hint, "): byte ",
                                               at - a.begin(), " keeps what the memory held before"));
  }
  return true;
}

}  // namespace

bool CheckDeclarations(Subject &subject, Reporter &report) {
  return CheckInfer(subject, report) && CheckMemory(subject, report) && CheckPack(subject, report);
}

}  // namespace onnx2mcu::check
