#include "nas/train/checkpoint.h"

#include <ATen/ops/from_blob.h>

#include <cmath>
#include <cstdio>
#include <filesystem>

#include "absl/strings/str_cat.h"
#include "importer/data/arrays.h"
#include "importer/data/inputs.h"
#include "importer/sha256.h"
#include "nas/atomic_file.h"

namespace onnx2mcu {
namespace {

constexpr int kParts = 4;  // of a 64-bit number, 16 bits each: exact as floats too

struct Named {
  const char *name;
  at::Tensor Weights::*tensor;
};
constexpr Named kTensors[] = {{"values", &Weights::values},
                              {"average", &Weights::average},
                              {"first_moment", &Weights::first_moment},
                              {"second_moment", &Weights::second_moment}};

void Put(std::vector<int32_t> &parts, uint64_t value) {
  for (int i = 0; i < kParts; i++) parts.push_back(static_cast<int32_t>(value >> 16 * i & 0xffff));
}

uint64_t NumberAt(const std::vector<float> &parts, int index) {
  uint64_t value = 0;
  for (int i = 0; i < kParts; i++) value |= static_cast<uint64_t>(parts[index * kParts + i]) << 16 * i;
  return value;
}

uint64_t Hash(const std::string &identity) { return std::stoull(Sha256Hex(identity).substr(0, 16), nullptr, 16); }

std::vector<float> FloatsOf(const at::Tensor &x) {
  const at::Tensor dense = x.detach().to(at::kCPU).contiguous();
  return {dense.const_data_ptr<float>(), dense.const_data_ptr<float>() + dense.numel()};
}

const Array *Find(const std::vector<Array> &arrays, const std::string &name, size_t size) {
  for (const Array &array : arrays)
    if (array.name == name && array.f32.size() == size) return &array;
  return nullptr;
}

absl::Status Foreign(const std::string &path) {
  return absl::FailedPreconditionError(absl::StrCat(
      path, ": is the checkpoint of another training (its space, data, seed or options differ); go on with ",
      "what it was made with, or begin anew with another path"));
}

}  // namespace

absl::Status SaveCheckpoint(const std::string &path, const std::string &identity, const Weights &weights) {
  std::vector<NamedArray> arrays;
  for (const Named &named : kTensors)
    arrays.push_back({named.name, {(weights.*named.tensor).numel()}, FloatsOf(weights.*named.tensor), {}});
  NamedArray state{"state", {3 * kParts}, {}, {}};
  Put(state.i32, static_cast<uint64_t>(weights.step));
  Put(state.i32, static_cast<uint64_t>(std::llround(weights.seconds * 1e6)));
  Put(state.i32, Hash(identity));
  arrays.push_back(std::move(state));
  O2M_RETURN_IF_ERROR(WriteNpz(path + ".tmp", arrays));
  return PublishFile(path + ".tmp", path);
}

absl::Status LoadCheckpoint(const std::string &path, const std::string &identity, Weights &weights) {
  if (!std::filesystem::exists(path)) return absl::NotFoundError(absl::StrCat(path, ": no such checkpoint"));
  O2M_ASSIGN_OR_RETURN(const std::vector<Array> arrays, ReadArrays(path));
  const Array *state = Find(arrays, "state", 3 * kParts);
  if (!state) return absl::InvalidArgumentError(absl::StrCat(path, ": is no checkpoint of a training; delete it"));
  if (NumberAt(state->f32, 2) != Hash(identity)) return Foreign(path);
  for (const Named &named : kTensors) {
    at::Tensor &to = weights.*named.tensor;
    const Array *array = Find(arrays, named.name, static_cast<size_t>(to.numel()));
    if (!array) return Foreign(path);
    to.copy_(at::from_blob(const_cast<float *>(array->f32.data()), {to.numel()}, at::kFloat));
  }
  weights.step = static_cast<int64_t>(NumberAt(state->f32, 0));
  weights.seconds = static_cast<double>(NumberAt(state->f32, 1)) / 1e6;
  return absl::OkStatus();
}

}  // namespace onnx2mcu
