// isa.hpp - which of an op's kernels a target gets. `name.c` is scalar C and defines the bits; `name_<isa>.c` gives the
// same bits with one instruction set. Adding such a kernel is adding that file.
#pragma once
#include <cstring>
#include <string>

#include "onnx2mcu_op.h"

namespace o2m {

struct Isa {
  const char *suffix;  // of file and function
  uint32_t features;   // what a core must have
};
// The first that a core has and an op was written for is taken.
inline constexpr Isa kIsas[] = {{"_mve", O2M_FEATURE_MVE},
                                {"_dsp", O2M_FEATURE_DSP},
                                {"_rv32", O2M_FEATURE_RV32},
                                {"_armv7m", O2M_FEATURE_ARMV7M},
                                {"_armv6m", O2M_FEATURE_ARMV6M}};

template <class SourceFile>
const SourceFile *FindSource(const SourceFile *files, int count, const std::string &name) {
  for (int i = 0; i < count; ++i)
    if (files[i].name == name) return files + i;
  return nullptr;
}

// Whether `name` is a header of code that kernels for one instruction set share: "o2m_dot_dsp.h".
inline bool IsSharedByIsa(const std::string &name) {
  for (const Isa &isa : kIsas) {
    const std::string end = std::string(isa.suffix) + ".h";
    if (name.size() > end.size() && name.compare(name.size() - end.size(), end.size(), end) == 0) return true;
  }
  return false;
}

// The suffix of the kernel `name` for a target: "_dsp"; "" where scalar C is all there is.
template <class SourceFile>
const char *IsaSuffix(const SourceFile *files, int count, const std::string &name, const o2m_target *target) {
  for (const Isa &isa : kIsas)
    if ((target->features & isa.features) != 0 && FindSource(files, count, name + isa.suffix + ".c")) return isa.suffix;
  return "";
}

}  // namespace o2m
