// Clauses on extensions and flags: what an op says about its results must hold for what run() gives.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "plugins/check_clauses.h"

namespace onnx2mcu::check {
namespace {

bool PerTensorS8(const TensorSpec &tensor) {
  return tensor.dtype == O2M_S8 && tensor.quant.scale.size() == 1 && tensor.quant.zero_point.size() == 1;
}

// ---- epilogue

void CheckEpilogue(const Subject &subject, const std::vector<Bytes> &inputs, const std::vector<Bytes> &plain,
                   Reporter &report) {
  const NodeSpec spec = WithEpilogue(subject);
  if (!spec.op) return;
  report.Begin("epilogue");
  const absl::StatusOr<NodeSpec> inferred = Infer(spec, subject.target);
  report.Expect("epilogue", inferred.ok() ? "" : "infer refuses one: " + std::string(inferred.status().message()));
  if (!inferred.ok()) return;
  std::vector<Bytes> expected = plain;
  for (uint8_t &byte : expected[0])
    byte = static_cast<uint8_t>(spec.epilogue_table[static_cast<size_t>(static_cast<int8_t>(byte) + 128)]);
  RunOptions options;
  for (const int32_t rows : {0, 3}) {
    options.rows = rows;
    ExpectRun("epilogue", absl::StrCat("a random table, rows=", rows, ": "), *inferred, subject.target, inputs, options,
              expected, report);
  }
}

// ---- unary table

// Input 0 cycles through all 256 values, `base` first.
Bytes Cycle(size_t count, int base) {
  Bytes bytes(count);
  for (size_t i = 0; i < count; i++) bytes[i] = static_cast<uint8_t>(static_cast<size_t>(base) + i);
  return bytes;
}

void CheckUnaryTable(const Subject &subject, Reporter &report) {
  const NodeSpec &spec = subject.inferred;
  const auto *unary = ExtensionOf<o2m_unary_table>(spec.op, "o2m.unary_table/1");
  if (!unary || spec.inputs.empty() || spec.inputs[0].dtype != O2M_S8 || spec.outputs[0].dtype != O2M_S8) return;
  report.Begin("unary table");
  const absl::StatusOr<NodeSpec> packed = Pack(spec, subject.target, 0);
  if (!packed.ok()) return;
  int8_t table[256] = {}, again[256];
  std::fill_n(again, 256, int8_t{85});
  const NodeView view(*packed), second(*packed);
  if (unary->fill(view.get(), table) != O2M_OK) return;  // not a table for this node
  const bool same = unary->fill(second.get(), again) == O2M_OK && std::memcmp(table, again, sizeof table) == 0;
  report.Expect("unary table", same ? "" : "fill() gave two tables, or left entries out");
  const size_t count = CountOf(spec.inputs[0]);
  if (count != static_cast<size_t>(CountOf(spec.outputs[0])))
    return report.Fail("unary table", "offered for a node whose output has another size than its input");
  std::vector<Bytes> inputs = MakeInputs(spec, Fill::kRandom, subject.seed);
  for (int base = 0; base < 256; base += static_cast<int>(std::min<size_t>(count, 256))) {
    inputs[0] = Cycle(count, base);
    std::vector<Bytes> expected(1);
    for (const uint8_t byte : inputs[0])
      expected[0].push_back(static_cast<uint8_t>(table[static_cast<int8_t>(byte) + 128]));
    ExpectRun("unary table", "run() against the table: ", spec, subject.target, inputs, {}, expected, report);
  }
}

// ---- split

// Piece `part` of `parts` equal ones along `axis` of dense data.
Bytes CutBytes(const Bytes &data, const TensorSpec &whole, int32_t axis, int32_t part, int32_t parts) {
  const int64_t row = DenseStrides(whole.dims)[axis] * BytesOf(whole.dtype);
  const int64_t run = row * whole.dims[axis] / parts;
  Bytes piece;
  for (int64_t at = part * run; at < static_cast<int64_t>(data.size()); at += run * parts)
    piece.insert(piece.end(), data.begin() + at, data.begin() + at + run);
  return piece;
}

TensorSpec CutTensor(const TensorSpec &whole, int32_t axis, int32_t part, int32_t parts) {
  if (axis == O2M_NONE || whole.missing()) return whole;
  TensorSpec piece = whole;
  piece.dims[axis] /= parts;
  piece.strides = DenseStrides(piece.dims);
  if (!whole.data.empty()) piece.data = CutBytes(whole.data, whole, axis, part, parts);
  const auto channels = static_cast<int64_t>(whole.quant.scale.size());
  if (channels > 1 && whole.quant.axis == axis) {
    const int64_t from = channels / parts * part, to = from + channels / parts;
    piece.quant.scale.assign(whole.quant.scale.begin() + from, whole.quant.scale.begin() + to);
    piece.quant.zero_point.assign(whole.quant.zero_point.begin() + from, whole.quant.zero_point.begin() + to);
  }
  return piece;
}

std::string SplitError(const TensorSpec &tensor, int32_t axis, int32_t parts) {
  if (axis == O2M_NONE) return "";
  if (axis < 0 || axis >= static_cast<int32_t>(tensor.dims.size())) return absl::StrCat("has no axis ", axis);
  if (tensor.dims[axis] % parts != 0)
    return absl::StrCat("axis ", axis, " of ", tensor.dims[axis], " is not divisible");
  return "";
}

std::string SplitError(const NodeSpec &spec, const o2m_split &split) {
  if (split.parts < 2) return absl::StrCat(split.parts, " parts");
  for (size_t i = 0; i < spec.inputs.size(); i++) {
    const std::string error = SplitError(spec.inputs[i], split.input_axis[i], split.parts);
    if (!error.empty() && !spec.inputs[i].missing()) return absl::StrCat("input ", i, " ", error);
  }
  for (size_t i = 0; i < spec.outputs.size(); i++) {
    const std::string error = SplitError(spec.outputs[i], split.output_axis[i], split.parts);
    if (!error.empty()) return absl::StrCat("output ", i, " ", error);
    if (split.output_axis[i] == O2M_NONE && !split.sum) return absl::StrCat("output ", i, " goes whole to every part");
  }
  return "";
}

void CheckPart(const Subject &subject, const o2m_split &split, int32_t part, const std::vector<Bytes> &inputs,
               const std::vector<Bytes> &whole, const std::string &how, Reporter &report) {
  NodeSpec spec = subject.given;
  std::vector<Bytes> cut_inputs = inputs, expected = whole;
  for (size_t i = 0; i < spec.inputs.size(); i++) {
    const int32_t axis = split.input_axis[i];
    spec.inputs[i] = CutTensor(subject.given.inputs[i], axis, part, split.parts);
    if (axis != O2M_NONE && !spec.inputs[i].missing())
      cut_inputs[i] = CutBytes(inputs[i], subject.given.inputs[i], axis, part, split.parts);
  }
  for (size_t i = 0; i < spec.outputs.size(); i++) {
    const int32_t axis = split.output_axis[i];
    spec.outputs[i] = CutTensor(subject.inferred.outputs[i], axis, part, split.parts);
    if (axis != O2M_NONE) expected[i] = CutBytes(whole[i], subject.inferred.outputs[i], axis, part, split.parts);
  }
  const absl::StatusOr<NodeSpec> inferred = Infer(spec, subject.target);
  report.Expect("split", inferred.ok() ? "" : how + "infer: " + std::string(inferred.status().message()));
  if (inferred.ok()) ExpectRun("split", how, *inferred, subject.target, cut_inputs, {}, expected, report);
}

void CheckSplits(const Subject &subject, const std::vector<Bytes> &inputs, const std::vector<Bytes> &whole,
                 Reporter &report) {
  const auto *splitter = ExtensionOf<o2m_splitter>(subject.inferred.op, "o2m.split/1");
  constexpr int32_t kMostChoices = 64;
  for (int32_t choice = 0; splitter; choice++) {
    report.Begin("split");
    if (choice == kMostChoices) return report.Fail("split", "more than 64 choices; O2M_NO_MATCH must end them");
    o2m_split split{};
    const NodeView view(subject.inferred);
    if (splitter->split(view.get(), choice, &split) != O2M_OK) return;
    const std::string error = SplitError(subject.inferred, split);
    report.Expect("split", error.empty() ? "" : absl::StrCat("choice ", choice, ": ", error));
    if (!error.empty() || split.sum) continue;  // partial sums have no whole to be compared with here
    for (int32_t part = 0; part < split.parts; part++)
      CheckPart(subject, split, part, inputs, whole,
                absl::StrCat("choice ", choice, ", part ", part, " of ", split.parts, ": "), report);
  }
}

// ---- variants and targets: the same bytes

// The bytes expected, or, where the variant may give others, the same ones for any rows per call.
void CheckVariant(const Subject &subject, const NodeSpec &inferred, const std::string &what,
                  const std::vector<Bytes> &inputs, const std::vector<Bytes> *expected, Reporter &report) {
  const std::vector<Bytes> whole = expected ? *expected : RunNode(inferred, subject.target, inputs, {}, report);
  RunOptions options;
  for (const int32_t rows : {0, 1, 3}) {
    options.rows = rows;
    ExpectRun("variants", absl::StrCat(what, "rows=", rows, ": "), inferred, subject.target, inputs, options, whole,
              report);
  }
}

void CheckVariants(const Subject &subject, const std::vector<Bytes> &inputs, const std::vector<Bytes> &expected,
                   Reporter &report) {
  const auto *variants = ExtensionOf<o2m_variants>(subject.inferred.op, "o2m.variants/1");
  for (int32_t v = 1; variants && v < variants->count; v++) {
    report.Begin("variants");
    NodeSpec spec = subject.given;
    spec.variant = v;
    const absl::StatusOr<NodeSpec> inferred = Infer(spec, subject.target);
    if (!inferred.ok()) continue;  // a variant may not suit these weights
    const std::string name = variants->names[v] ? variants->names[v] : "?";
    const bool exact = (variants->inexact >> v & 1) == 0;
    CheckVariant(subject, *inferred, absl::StrCat("variant ", name, ": "), inputs, exact ? &expected : nullptr, report);
  }
}

constexpr o2m_target kTargets[] = {
    {sizeof(o2m_target), "cortex-m0", 0, 0, 0},
    {sizeof(o2m_target), "cortex-m4", O2M_FEATURE_DSP | O2M_FEATURE_LONG_MUL | O2M_FEATURE_UNALIGNED, 0, 0},
    {sizeof(o2m_target), "cortex-m55", O2M_FEATURE_DSP | O2M_FEATURE_MVE | O2M_FEATURE_LONG_MUL | O2M_FEATURE_UNALIGNED,
     0, 0},
    {sizeof(o2m_target), "rv32imc", O2M_FEATURE_RV32, 0, 0},
};

void CheckTargets(const Subject &subject, const std::vector<Bytes> &inputs, const std::vector<Bytes> &expected,
                  Reporter &report) {
  for (const o2m_target &target : kTargets) {
    report.Begin("targets");
    const absl::StatusOr<NodeSpec> inferred = Infer(subject.given, target);
    const std::string id = target.id;
    report.Expect("targets", inferred.ok() ? "" : id + ": infer: " + std::string(inferred.status().message()));
    if (inferred.ok()) ExpectRun("targets", id + ": ", *inferred, target, inputs, {}, expected, report);
  }
}

// ---- cost, terms and rules: pure and sensible

void CheckCost(const Subject &subject, Reporter &report) {
  const auto *coster = ExtensionOf<o2m_coster>(subject.inferred.op, "o2m.cost/1");
  if (!coster) return;
  report.Begin("cost");
  const NodeView view(subject.inferred);
  o2m_cost cost{}, again{};
  coster->cost(&subject.target, view.get(), 1, &cost);
  coster->cost(&subject.target, view.get(), 1, &again);
  const auto numbers = [](const o2m_cost &c) {
    return std::vector<int64_t>{c.macs, c.elements, c.outputs, c.flash_bytes_read};
  };
  report.Expect("cost", numbers(cost) == numbers(again) ? "" : "two equal calls gave two costs");
  const std::vector<int64_t> all = numbers(cost);
  const bool negative = std::any_of(all.begin(), all.end(), [](int64_t n) { return n < 0; });
  report.Expect("cost", negative ? "negative work" : "");
  report.Expect("cost", cost.instructions < 0 && !cost.kernel ? "names neither instructions nor a kernel" : "");
}

void CheckTerms(const Subject &subject, Reporter &report) {
  const auto *extension = ExtensionOf<o2m_terms>(subject.inferred.op, "o2m.terms/1");
  if (!extension) return;
  report.Begin("terms");
  const NodeView view(subject.inferred);
  for (const int32_t rows : {1, 2, 5}) {
    o2m_term terms[O2M_MAX_TERMS] = {}, again[O2M_MAX_TERMS] = {};
    const int32_t count = extension->terms(&subject.target, view.get(), rows, terms, O2M_MAX_TERMS);
    const int32_t other = extension->terms(&subject.target, view.get(), rows, again, O2M_MAX_TERMS);
    report.Expect("terms", count < 0 || count > O2M_MAX_TERMS ? "more terms than there is room for" : "");
    if (count < 0 || count > O2M_MAX_TERMS) return;
    bool same = count == other, sound = true;
    for (int32_t i = 0; i < count; i++) {
      sound &= terms[i].name != nullptr && terms[i].count >= 0;
      same &= sound && terms[i].count == again[i].count && std::string(terms[i].name) == again[i].name;
    }
    report.Expect("terms", sound ? "" : "a term without a name, or fewer than none of one");
    report.Expect("terms", same ? "" : "two equal calls gave other terms");
  }
}

void CheckQuantRule(const Subject &subject, Reporter &report) {
  const auto *quantizer = ExtensionOf<o2m_quantizer>(subject.inferred.op, "o2m.quant/1");
  if (!quantizer) return;
  report.Begin("quantisation rule");
  const NodeView view(subject.given);
  o2m_quant_rule rule{};
  quantizer->rule(view.get(), &rule);
  const bool sound =
      std::isfinite(rule.fixed_scale) && rule.fixed_scale >= 0 &&
      ((rule.s16_inputs | rule.per_channel_inputs) >> subject.given.inputs.size()) == 0 &&
      ((rule.s16_outputs | rule.per_channel_outputs | rule.same_as_input0) >> subject.given.outputs.size()) == 0;
  report.Expect("quantisation rule", sound ? "" : "names operands that are not there, or a scale that is no number");
}

}  // namespace

NodeSpec WithEpilogue(const Subject &subject) {
  const TensorSpec &output = subject.inferred.outputs[0];
  NodeSpec spec = subject.given;
  const bool takes = (spec.op->flags & O2M_TAKES_EPILOGUE) && PerTensorS8(output);
  if (!takes) spec.op = nullptr;
  if (!takes) return spec;
  Random random{subject.seed};
  for (int i = 0; i < 256; i++) spec.epilogue_table.push_back(static_cast<int8_t>(random.Between(-128, 127)));
  spec.epilogue_in = output.quant;
  spec.outputs[0].dtype = O2M_S8;
  spec.outputs[0].quant = {{output.quant.scale[0] * 0.75f}, {-5}, O2M_NONE};
  return spec;
}

void CheckExtensions(const Subject &subject, Reporter &report) {
  report.Begin("extensions");
  const std::vector<Bytes> inputs = MakeInputs(subject.inferred, Fill::kRandom, subject.seed);
  const std::vector<Bytes> whole = RunNode(subject.inferred, subject.target, inputs, {}, report);
  CheckEpilogue(subject, inputs, whole, report);
  CheckUnaryTable(subject, report);
  CheckSplits(subject, inputs, whole, report);
  CheckVariants(subject, inputs, whole, report);
  CheckTargets(subject, inputs, whole, report);
  CheckCost(subject, report);
  CheckTerms(subject, report);
  CheckQuantRule(subject, report);
}

}  // namespace onnx2mcu::check
