#include "plugins/check_session.h"

#include <algorithm>
#include <cstring>

#include "absl/strings/str_cat.h"

namespace onnx2mcu::check {

CheckLayout LayoutOf(const TensorSpec &tensor, int32_t axis) {
  CheckLayout layout;
  if (tensor.missing()) return layout;
  const bool valid = axis >= 0 && axis < static_cast<int32_t>(tensor.dims.size());
  layout.rows = valid ? tensor.dims[axis] : 1;
  layout.row_stride = valid ? tensor.strides[axis] : 0;
  std::vector<int32_t> index(tensor.dims.size());
  for (int64_t n = CountOf(tensor); n > 0; n--) {
    int64_t offset = 0;
    for (size_t d = 0; d < index.size(); d++) offset += index[d] * tensor.strides[d];
    layout.offset.push_back(offset);
    layout.row.push_back(valid ? index[axis] : 0);
    layout.span = std::max(layout.span, offset + 1);
    for (size_t d = index.size(); d-- > 0 && ++index[d] == tensor.dims[d];) index[d] = 0;
  }
  return layout;
}

RowRange RowsTouched(const o2m_access &access, int32_t steps, int32_t all_rows, int32_t first, int32_t rows) {
  if (steps <= 0 || access.extent <= 0) return {0, all_rows};
  const int64_t begin = int64_t{first} * access.step - access.before;
  const int64_t end = int64_t{first + rows - 1} * access.step - access.before + access.extent;
  const auto cut = [&](int64_t row) { return static_cast<int32_t>(std::clamp<int64_t>(row, 0, all_rows)); };
  return {cut(begin), std::max(cut(begin), cut(end))};
}

CheckBlock::CheckBlock(int64_t size_, int64_t misalign, uint8_t poison) : size(size_) {
  const int64_t guard = (256 + std::min<int64_t>(size, 1 << 16) + 15) / 16 * 16;
  begin = guard + misalign;
  image_size = begin + size + guard;
  storage.assign(image_size + 16, poison);
  lead = static_cast<int64_t>(-reinterpret_cast<uintptr_t>(storage.data()) & 15);
}

namespace {

// Blocks move with their storage, so alignment survives a move but not a copy; copies are only compared.
std::string Byte(uint8_t value) { return absl::StrCat("0x", absl::Hex(value, absl::kZeroPad2)); }

std::string Changed(uint8_t before, uint8_t after) { return absl::StrCat(Byte(before), " became ", Byte(after)); }

}  // namespace

Session::Session(const NodeSpec &spec, const o2m_memory &memory, const std::vector<Bytes> &inputs,
                 const RunOptions &options)
    : spec_(spec), memory_(memory), data_(inputs), options_(options), view_(spec_) {
  steps_ = std::max(memory.steps, 1);
  rows_ = options.rows > 0 ? std::min(options.rows, steps_) : steps_;
  const auto operand = [](const TensorSpec &tensor, const o2m_access &access, const char *kind, size_t i) {
    Operand o{tensor, access, LayoutOf(tensor, access.axis), BytesOf(tensor.dtype), 0, 0, {}, "", {}};
    o.name = absl::StrCat(kind, " ", i);
    o.owned.resize(o.layout.span * o.element);
    for (int64_t offset : o.layout.offset)
      std::fill_n(o.owned.begin() + offset * o.element, static_cast<size_t>(o.element), true);
    return o;
  };
  for (size_t i = 0; i < spec.inputs.size(); i++)
    inputs_.push_back(operand(spec.inputs[i], memory.inputs[i], "input", i));
  for (size_t i = 0; i < spec.outputs.size(); i++)
    outputs_.push_back(operand(spec.outputs[i], memory.outputs[i], "output", i));
  Place(options);
}

void Session::Place(const RunOptions &options) {
  blocks_.reserve(inputs_.size() + outputs_.size() + 2);
  const auto add = [&](int64_t size, int64_t misalign, uint8_t poison) {
    blocks_.emplace_back(size, misalign, poison);
    return blocks_.size() - 1;
  };
  for (size_t i = 0; i < inputs_.size(); i++) {
    int64_t size = inputs_[i].layout.span * inputs_[i].element, misalign = inputs_[i].element;
    if (static_cast<int>(i) == options.overwrite) {  // output 0 first, the input `distance` behind its start
      inputs_[i].start = options.distance;
      size = std::max(options.distance + size, outputs_[0].layout.span * outputs_[0].element);
      misalign = std::max(misalign, outputs_[0].element);
    }
    inputs_[i].block = add(size, misalign, options.poison.gap);
  }
  for (size_t i = 0; i < outputs_.size(); i++) {
    Operand &o = outputs_[i];
    const bool shared = i == 0 && options.overwrite != O2M_NONE;
    o.block = shared ? inputs_[options.overwrite].block : add(o.layout.span * o.element, o.element, options.poison.gap);
    if (!shared) FillPrior(o);
  }
  scratch_ = add(memory_.scratch_bytes, 0, options.poison.scratch);
  state_ = add(memory_.state_bytes, 0, options.poison.gap);
  std::fill_n(blocks_[state_].at(), memory_.state_bytes, uint8_t{0});
  for (size_t i = 0; i < inputs_.size(); i++) {
    inputs_[i].touched = {0, inputs_[i].layout.rows};
    FillInput(i);
  }
}

// The input's elements in the rows touched; poison for the others.
void Session::FillInput(size_t i) {
  const Operand &input = inputs_[i];
  uint8_t *base = blocks_[input.block].at() + input.start;
  const bool all = !options_.hide_rows || static_cast<int>(i) == options_.overwrite;
  for (size_t e = 0; e < input.layout.offset.size(); e++) {
    uint8_t *to = base + input.layout.offset[e] * input.element;
    const int32_t row = input.layout.row[e];
    if (all || (row >= input.touched.begin && row < input.touched.end))
      std::memcpy(to, &data_[i][e * input.element], input.element);
    else
      std::memset(to, options_.poison.others, input.element);
  }
}

void Session::FillPrior(const Operand &output) {
  uint8_t *base = blocks_[output.block].at();
  for (int64_t offset : output.layout.offset)
    std::memset(base + offset * output.element, options_.poison.prior, output.element);
}

std::vector<void *> Session::Pointers(std::vector<Operand> &operands, int32_t first, int32_t count) {
  std::vector<void *> pointers;
  for (Operand &o : operands) {
    o.touched = RowsTouched(o.access, memory_.steps, o.layout.rows, first, count);
    const int64_t rows_before = memory_.steps > 0 && o.access.extent > 0 ? o.touched.begin : 0;
    uint8_t *base = blocks_[o.block].at() + o.start;
    pointers.push_back(o.tensor.missing() ? nullptr : base + rows_before * o.layout.row_stride * o.element);
  }
  return pointers;
}

void Session::Step() {
  const int32_t count = std::min(rows_, steps_ - next_);
  const std::vector<void *> in = Pointers(inputs_, next_, count);
  const std::vector<void *> out = Pointers(outputs_, next_, count);
  const std::vector<const void *> const_in(in.begin(), in.end());
  for (size_t i = 0; i < inputs_.size(); i++)
    if (static_cast<int>(i) != options_.overwrite) FillInput(i);
  CheckBlock &scratch = blocks_[scratch_];
  std::fill_n(scratch.at(), scratch.size, options_.poison.scratch);
  const std::vector<CheckBlock> before = blocks_;
  const NodeSpec node_before = spec_;
  const Bytes params_before = view_.params();

  const o2m_call call = {sizeof(o2m_call),     const_in.data(), out.data(), scratch.at(),
                         blocks_[state_].at(), next_,           count};
  spec_.op->run(view_.get(), &call);

  if (!(spec_ == node_before) || view_.params() != params_before)
    Found("inputs unmodified", "run() changed the node's constants or params");
  CheckInputs(before);
  for (const Operand &o : outputs_) {
    if (o.block < inputs_.size())
      CheckShared(before[o.block]);
    else
      CheckOutput(o, before[o.block]);
  }
  CheckGuard(scratch_, options_.poison.scratch, "scratch_bytes", "scratch");
  CheckGuard(state_, options_.poison.gap, "state_bytes", "state");
  next_ += count;
}

// Byte `offset` of the operand, from its first element, in words.
std::string Session::WhereIs(const Operand &operand, int64_t offset) const {
  const int64_t end = operand.layout.span * operand.element;
  if (offset < 0) return absl::StrCat(operand.name, ": byte ", -offset, " before its start");
  if (offset >= end) return absl::StrCat(operand.name, ": byte ", offset - end + 1, " past its end");
  if (!operand.owned[offset]) {
    int64_t owner = offset;
    while (owner > 0 && !operand.owned[owner - 1]) owner--;
    return absl::StrCat(operand.name, ": byte ", offset - owner + 1, " of the gap that follows byte ", owner - 1,
                        " (strides)");
  }
  const auto found = std::find(operand.layout.offset.begin(), operand.layout.offset.end(), offset / operand.element);
  const size_t element = found - operand.layout.offset.begin();
  return absl::StrCat(operand.name, ": row ", operand.layout.row[element], " of axis ", operand.access.axis);
}

void Session::CheckInputs(const std::vector<CheckBlock> &before) {
  for (size_t i = 0; i < inputs_.size(); i++) {
    if (static_cast<int>(i) == options_.overwrite) continue;
    const CheckBlock &now = blocks_[inputs_[i].block];
    const uint8_t *old = before[inputs_[i].block].image();
    const auto [a, b] = std::mismatch(now.image(), now.image() + now.image_size, old);
    if (a == now.image() + now.image_size) continue;
    Found("inputs unmodified", absl::StrCat("wrote to ", WhereIs(inputs_[i], a - now.at()), ", ", Changed(*b, *a)));
  }
}

// Only the rows of this call may have changed.
void Session::CheckOutput(const Operand &output, const CheckBlock &before) {
  const CheckBlock &now = blocks_[output.block];
  Bytes expected(before.image(), before.image() + before.image_size);
  for (size_t e = 0; e < output.layout.offset.size(); e++) {
    if (output.layout.row[e] < output.touched.begin || output.layout.row[e] >= output.touched.end) continue;
    const int64_t at = now.begin + output.layout.offset[e] * output.element;
    std::copy_n(now.image() + at, output.element, expected.begin() + at);
  }
  const auto [a, b] = std::mismatch(now.image(), now.image() + now.image_size, expected.begin());
  if (a == now.image() + now.image_size) return;
  const int64_t offset = a - now.at();
  const bool owned = offset >= 0 && offset < now.size && output.owned[offset];
  Found(owned ? "rows of the step" : "guard bytes",
        absl::StrCat("wrote ", owned ? "outside the rows of the step: " : "where nothing is its own: ",
                     WhereIs(output, offset), ", ", Changed(*b, *a)));
}

// Output 0 over an input: the guards around both.
void Session::CheckShared(const CheckBlock &before) {
  const CheckBlock &now = blocks_[outputs_[0].block];
  for (int64_t i = 0; i < now.image_size; i++) {
    if (i == now.begin) i += now.size;
    if (now.image()[i] == before.image()[i]) continue;
    return Found("guard bytes", absl::StrCat("written over an input: ", WhereIs(outputs_[0], i - now.begin), ", ",
                                             Changed(before.image()[i], now.image()[i])));
  }
}

void Session::CheckGuard(size_t block, uint8_t poison, const char *clause, const char *name) {
  const CheckBlock &now = blocks_[block];
  for (int64_t i = 0; i < now.image_size; i++) {
    if (i == now.begin) i += now.size;
    if (now.image()[i] == poison) continue;
    const int64_t past = i - now.begin - now.size;
    return Found(clause,
                 absl::StrCat("memory() asks for ", now.size, " bytes of ", name, ", run() wrote to byte ",
                              past >= 0 ? past + 1 : now.begin - i, past >= 0 ? " past the end" : " before it"));
  }
}

void Session::Found(const std::string &clause, const std::string &seen) {
  const std::string call =
      memory_.steps > 0 ? absl::StrCat(" (steps ", next_, " .. ", std::min(next_ + rows_, steps_) - 1, ")") : "";
  findings_.push_back({clause, seen + call});
}

std::vector<Bytes> Session::Outputs() const {
  std::vector<Bytes> all;
  for (const Operand &o : outputs_) {
    Bytes &dense = all.emplace_back(o.layout.offset.size() * o.element);
    const uint8_t *base = blocks_[o.block].at();
    for (size_t e = 0; e < o.layout.offset.size(); e++)
      std::memcpy(&dense[e * o.element], base + o.layout.offset[e] * o.element, o.element);
  }
  return all;
}

namespace {

std::string ValueText(o2m_dtype dtype, const uint8_t *at) {
  const auto load = [at](auto value) {
    std::memcpy(&value, at, sizeof value);
    return absl::StrCat(+value);
  };
  switch (dtype) {
    case O2M_F32:
      return load(float{});
    case O2M_S8:
      return load(int8_t{});
    case O2M_S16:
      return load(int16_t{});
    case O2M_S32:
      return load(int32_t{});
    case O2M_S64:
      return load(int64_t{});
    default:
      return load(uint8_t{});
  }
}

std::string IndexText(const TensorSpec &tensor, int64_t element) {
  std::vector<int32_t> index(tensor.dims.size());
  for (size_t d = index.size(); d-- > 0; element /= tensor.dims[d])
    index[d] = static_cast<int32_t>(element % tensor.dims[d]);
  return TextOf(index);
}

}  // namespace

std::string Difference(const NodeSpec &spec, const std::vector<Bytes> &expected, const std::vector<Bytes> &got) {
  for (size_t i = 0; i < expected.size(); i++) {
    if (expected[i] == got[i]) continue;
    const TensorSpec &tensor = spec.outputs[i];
    const int64_t size = BytesOf(tensor.dtype), count = CountOf(tensor);
    int64_t first = -1, differ = 0;
    for (int64_t e = 0; e < count; e++) {
      if (std::memcmp(&expected[i][e * size], &got[i][e * size], size) == 0) continue;
      if (differ++ == 0) first = e;
    }
    return absl::StrCat(
        "output ", i, " ", IndexText(tensor, first), ": expected ", ValueText(tensor.dtype, &expected[i][first * size]),
        ", got ", ValueText(tensor.dtype, &got[i][first * size]), " (", differ, " of ", count, " elements differ)");
  }
  return "";
}

}  // namespace onnx2mcu::check
