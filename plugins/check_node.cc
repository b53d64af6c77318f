#include "plugins/check_node.h"

#include <algorithm>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "plugins/registry.h"

namespace onnx2mcu::check {
namespace {

QuantSpec SpecOf(const o2m_quant &quant) {
  if (quant.count <= 0 || !quant.scale || !quant.zero_point) return {};
  return {{quant.scale, quant.scale + quant.count}, {quant.zero_point, quant.zero_point + quant.count}, quant.axis};
}

o2m_quant ViewOf(const QuantSpec &quant) {
  if (quant.scale.empty()) return {nullptr, nullptr, 0, O2M_NONE};
  return {quant.scale.data(), quant.zero_point.data(), static_cast<int32_t>(quant.scale.size()), quant.axis};
}

Bytes RandomConstant(const TensorSpec &tensor, Random &random) {
  Bytes data(CountOf(tensor) * BytesOf(tensor.dtype));
  if (tensor.dtype != O2M_F32) return data;
  for (size_t i = 0; i < data.size(); i += sizeof(float)) {
    const float value = random.Unit();
    std::memcpy(&data[i], &value, sizeof value);
  }
  return data;
}

constexpr size_t kFirstTensorSize = offsetof(o2m_tensor, data) + sizeof(o2m_tensor::data);  // as of ABI 1.0

absl::StatusOr<TensorSpec> SpecOf(const o2m_tensor &tensor, Random &random) {
  if (tensor.struct_size < kFirstTensorSize)
    return absl::InvalidArgumentError("o2m_tensor.struct_size is too small; set it to sizeof(o2m_tensor)");
  if (tensor.rank < 0 || tensor.rank > O2M_MAX_RANK)
    return absl::InvalidArgumentError(absl::StrCat("rank ", tensor.rank, " is outside 0 .. ", int{O2M_MAX_RANK}));
  if (tensor.dtype < O2M_ANY || tensor.dtype > O2M_BOOL)
    return absl::InvalidArgumentError(absl::StrCat("dtype ", tensor.dtype, " is unknown"));
  TensorSpec spec;
  spec.name = tensor.name ? tensor.name : "";
  spec.dtype = tensor.dtype;
  spec.dims.assign(tensor.dims, tensor.dims + tensor.rank);
  spec.strides = DenseStrides(spec.dims);
  spec.token_axis = tensor.token_axis;
  spec.quant = SpecOf(tensor.quant);
  spec.is_constant = tensor.is_constant != 0;
  const int64_t bytes = CountOf(spec) * BytesOf(spec.dtype);
  const auto *data = static_cast<const uint8_t *>(tensor.data);
  if (data) spec.data.assign(data, data + bytes);
  if (!data && spec.is_constant) spec.data = RandomConstant(spec, random);
  return spec;
}

absl::Status AppendSpecs(const char *what, const o2m_tensor *tensors, int32_t count, Random &random,
                         std::vector<TensorSpec> &specs) {
  if (count < 0 || count > O2M_MAX_OPERANDS || (count > 0 && !tensors))
    return absl::InvalidArgumentError(absl::StrCat("the case has ", count, " ", what, "s"));
  for (int32_t i = 0; i < count; i++) {
    absl::StatusOr<TensorSpec> spec = SpecOf(TensorAt(tensors, i), random);
    if (!spec.ok())
      return absl::InvalidArgumentError(absl::StrCat(what, " ", i, ": ", std::string(spec.status().message())));
    if (spec->name.empty()) spec->name = absl::StrCat(what, i);
    specs.push_back(*std::move(spec));
  }
  return absl::OkStatus();
}

o2m_tensor ViewOf(const TensorSpec &spec) {
  o2m_tensor view{};
  view.struct_size = sizeof view;
  view.name = spec.name.c_str();
  view.dtype = spec.dtype;
  view.rank = static_cast<int32_t>(spec.dims.size());
  std::copy(spec.dims.begin(), spec.dims.end(), view.dims);
  std::copy(spec.strides.begin(), spec.strides.end(), view.strides);
  view.token_axis = spec.token_axis;
  view.quant = ViewOf(spec.quant);
  view.is_constant = spec.is_constant;
  view.data = spec.is_constant && !spec.data.empty() ? spec.data.data() : nullptr;
  return view;
}

std::string Reason(o2m_status status, const Host &host) {
  const std::string reason = host.last_error.empty() ? "no reason given to host->error()" : host.last_error;
  return absl::StrCat("returned ", status, ": ", reason);
}

}  // namespace

int64_t BytesOf(o2m_dtype dtype) {
  constexpr int64_t kBytes[] = {0, 4, 1, 2, 4, 8, 1, 1};
  return dtype >= 0 && dtype <= O2M_BOOL ? kBytes[dtype] : 0;
}

int64_t CountOf(const TensorSpec &tensor) {
  if (tensor.missing()) return 0;
  int64_t count = 1;
  for (int32_t dim : tensor.dims) count *= dim;
  return count;
}

std::vector<int64_t> DenseStrides(const std::vector<int32_t> &dims) {
  std::vector<int64_t> strides(dims.size());
  int64_t stride = 1;
  for (size_t i = dims.size(); i-- > 0; stride *= dims[i]) strides[i] = stride;
  return strides;
}

std::string TextOf(const std::vector<int32_t> &dims) {
  std::string text = "[";
  for (size_t i = 0; i < dims.size(); i++) absl::StrAppend(&text, i ? ", " : "", dims[i]);
  return text + "]";
}

absl::StatusOr<NodeSpec> SpecOf(const o2m_op *op, const o2m_case &c, uint64_t seed) {
  NodeSpec spec;
  spec.op = op;
  spec.name = c.name ? c.name : "";
  Random random{seed};
  absl::Status status = AppendSpecs("input", c.inputs, c.input_count, random, spec.inputs);
  if (status.ok()) status = AppendSpecs("output", c.outputs, c.output_count, random, spec.outputs);
  if (!status.ok()) return status;
  if (spec.outputs.empty()) return absl::InvalidArgumentError("the case has no outputs");
  const auto *params = static_cast<const uint8_t *>(c.params);
  if (params) spec.params.assign(params, params + op->params_size);
  spec.params.resize(op->params_size);
  return spec;
}

std::vector<std::vector<int64_t>> CaseStrides(const o2m_case &c) {
  std::vector<std::vector<int64_t>> all;
  bool special = false;
  for (int32_t i = 0; i < c.input_count + c.output_count; i++) {
    const o2m_tensor &t = i < c.input_count ? TensorAt(c.inputs, i) : TensorAt(c.outputs, i - c.input_count);
    const std::vector<int64_t> dense = DenseStrides({t.dims, t.dims + t.rank});
    std::vector<int64_t> strides(t.strides, t.strides + t.rank);
    for (int32_t d = 0; d < t.rank; d++)
      if (strides[d] <= 0 || t.dims[d] == 1) strides[d] = dense[d];
    special |= strides != dense;
    all.push_back(strides);
  }
  return special ? all : std::vector<std::vector<int64_t>>();
}

NodeView::NodeView(const NodeSpec &spec) : params_(spec.params) {
  for (const TensorSpec &tensor : spec.inputs) inputs_.push_back(&tensors_.emplace_back(ViewOf(tensor)));
  for (const TensorSpec &tensor : spec.outputs) outputs_.push_back(&tensors_.emplace_back(ViewOf(tensor)));
  params_.resize(std::max<size_t>(params_.size(), 1));
  for (size_t i = 0; i < spec.constants.size(); i++) {
    const ConstantSpec &c = spec.constants[i];
    constants_[i] = {c.hint.c_str(), c.dtype, c.count, c.data.empty() ? nullptr : const_cast<uint8_t *>(c.data.data())};
  }
  epilogue_ = {ViewOf(spec.epilogue_in), spec.epilogue_table.data()};
  node_.struct_size = sizeof node_;
  node_.name = spec.name.c_str();
  node_.input_count = static_cast<int32_t>(inputs_.size());
  node_.output_count = static_cast<int32_t>(outputs_.size());
  node_.inputs = inputs_.data();
  node_.outputs = outputs_.data();
  node_.params = params_.data();
  node_.variant = spec.variant;
  node_.epilogue = spec.epilogue_table.empty() ? nullptr : &epilogue_;
  node_.constants = constants_.data();
}

namespace {

absl::Status Broke(const std::string &what) { return absl::InternalError(what); }

// An operand after infer(): what was preset must have been obeyed, what was open must be filled.
absl::Status TakeOutput(const o2m_tensor &view, size_t index, TensorSpec &spec) {
  const std::string who = absl::StrCat("output ", index);
  if (view.rank < 0 || view.rank > O2M_MAX_RANK) return Broke(absl::StrCat(who, ": rank ", view.rank));
  if (BytesOf(view.dtype) == 0) return Broke(absl::StrCat(who, ": dtype ", view.dtype, " was left open"));
  const TensorSpec preset = spec;
  spec.dtype = view.dtype;
  spec.dims.assign(view.dims, view.dims + view.rank);
  spec.strides = DenseStrides(spec.dims);
  spec.quant = SpecOf(view.quant);
  if (CountOf(spec) <= 0) return Broke(absl::StrCat(who, ": shape ", TextOf(spec.dims), " has no elements"));
  if (!preset.dims.empty() && preset.dims != spec.dims)
    return Broke(absl::StrCat(who, ": shape ", TextOf(spec.dims), ", the case says ", TextOf(preset.dims)));
  if (preset.dtype != O2M_ANY && preset.dtype != spec.dtype)
    return Broke(absl::StrCat(who, ": dtype ", spec.dtype, " instead of the preset ", preset.dtype));
  if (!preset.quant.scale.empty() && !(preset.quant == spec.quant))
    return Broke(absl::StrCat(who, ": changed the preset scale or zero point"));
  return absl::OkStatus();
}

absl::Status TakeConstants(const o2m_constant *constants, NodeSpec &spec) {
  spec.constants.clear();
  for (int i = 0; i < O2M_MAX_CONSTANTS && constants[i].count > 0; i++) {
    if (BytesOf(constants[i].dtype) == 0) return Broke(absl::StrCat("constant ", i, ": dtype was left open"));
    spec.constants.push_back({constants[i].hint ? constants[i].hint : "", constants[i].dtype, constants[i].count, {}});
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<NodeSpec> Infer(const NodeSpec &spec, const o2m_target &target) {
  NodeSpec result = spec;
  result.constants.clear();
  const NodeSpec before = result;
  NodeView view(result);
  Host host;
  const o2m_status status = spec.op->infer(&host.host, &target, view.get());
  if (status != O2M_OK) return absl::InvalidArgumentError(Reason(status, host));
  if (!(result == before)) return Broke("changed its inputs' data");
  for (size_t i = 0; i < result.outputs.size(); i++)
    if (absl::Status s = TakeOutput(*view.get()->outputs[i], i, result.outputs[i]); !s.ok()) return s;
  if (absl::Status s = TakeConstants(view.constants(), result); !s.ok()) return s;
  result.params.assign(view.params().begin(), view.params().begin() + spec.op->params_size);
  return result;
}

absl::StatusOr<NodeSpec> Pack(const NodeSpec &spec, const o2m_target &target, uint8_t poison) {
  constexpr int64_t kGuard = 64;
  NodeSpec result = spec;
  NodeView view(result);
  std::vector<Bytes> memory;
  for (const ConstantSpec &c : spec.constants) {
    memory.emplace_back(c.count * BytesOf(c.dtype) + kGuard, poison);
    view.constants()[memory.size() - 1].data = memory.back().data();
  }
  if (spec.op->pack) {
    Host host;
    const o2m_status status = spec.op->pack(&host.host, &target, view.get());
    if (status != O2M_OK) return absl::InvalidArgumentError(Reason(status, host));
  }
  for (size_t i = 0; i < memory.size(); i++) {
    const auto guard = memory[i].end() - kGuard;
    if (std::any_of(guard, memory[i].end(), [&](uint8_t b) { return b != poison; }))
      return Broke(absl::StrCat("wrote past the end of constant ", i, " (", result.constants[i].hint, ")"));
    result.constants[i].data.assign(memory[i].begin(), guard);
  }
  return result;
}

o2m_memory MemoryOf(const NodeSpec &spec, const o2m_target &target, int32_t rows) {
  o2m_memory memory;
  std::memset(&memory, 0, sizeof memory);
  memory.struct_size = sizeof memory;
  const NodeView view(spec);
  if (spec.op->memory) spec.op->memory(&target, view.get(), rows, &memory);
  return memory;
}

uint64_t Random::Next() {
  uint64_t z = state += 0x9e3779b97f4a7c15u;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}

int64_t Random::Between(int64_t low, int64_t high) {
  return low + static_cast<int64_t>(Next() % static_cast<uint64_t>(high - low + 1));
}

float Random::Unit() { return static_cast<float>(Next() >> 40) / 8388608.0f - 1.0f; }

}  // namespace onnx2mcu::check
