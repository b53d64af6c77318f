// targets.cc - the cores, one row each, with the QEMU machine that stands in for each of them.
//
// Machine addresses are those of Arm's application notes for the MPS2 and MPS3 FPGA images (DAI0385, DAI0386, DAI0400,
// DAI0505, DAI0547) and of QEMU's hw/riscv/virt.c. The network's flash lies in the large external RAM of each machine
// and the core starts from the memory at its reset address, which holds nothing but the harness.
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "planner/target.h"

namespace onnx2mcu {
namespace {

Emulator Mps2(const std::string &machine, uint64_t psram) {
  return {"qemu-system-arm",
          machine,
          {"boot", 0x00000000, 256 * kKi},
          {"harness", 0x00040000, 4 * kMi - 256 * kKi},
          {"flash", psram, 16 * kMi},
          {"ram", 0x20000000, 4 * kMi},
          Protection::kPmsav7,
          8};
}

// IoTKit: the core starts in the secure alias of SSRAM1.
Emulator Mps2Secure(const std::string &machine) {
  return {"qemu-system-arm",
          machine,
          {"boot", 0x10000000, 256 * kKi},
          {"harness", 0x10040000, 4 * kMi - 256 * kKi},
          {"flash", 0x80000000, 16 * kMi},
          {"ram", 0x38000000, 4 * kMi},
          Protection::kPmsav8,
          16};
}

// SSE-300: 512 KiB ITCM at the reset address, 2 GiB DDR.
Emulator Mps3() {
  return {"qemu-system-arm",
          "mps3-an547",
          {"boot", 0x00000000, 256 * kKi},
          {"harness", 0x70000000, 16 * kMi},
          {"flash", 0x60000000, 256 * kMi},
          {"ram", 0x01000000, 2 * kMi},
          Protection::kPmsav8,
          16};
}

Emulator Virt() {
  return {"qemu-system-riscv32",
          "virt",
          {"boot", 0x80000000, 256 * kKi},
          {"harness", 0x80040000, 16 * kMi - 256 * kKi},
          {"flash", 0x81000000, 64 * kMi},
          {"ram", 0x86000000, 16 * kMi},
          Protection::kPmp,
          16};
}

constexpr uint32_t kArmv7 = O2M_FEATURE_ARMV6M | O2M_FEATURE_ARMV7M | O2M_FEATURE_LONG_MUL | O2M_FEATURE_UNALIGNED;
constexpr uint32_t kArmv7e = kArmv7 | O2M_FEATURE_DSP | O2M_FEATURE_FPU;

Target Arm(const std::string &id, uint32_t features, const Emulator &emulator) {
  // soft: the generated code holds no float, and a helper call would show it.
  return {id, "arm-none-eabi-gcc", {"-mcpu=" + id, "-mthumb", "-mfloat-abi=soft"}, features, emulator};
}

Target CortexM55() {
  Target target = Arm("cortex-m55", kArmv7e | O2M_FEATURE_MVE, Mps3());
  target.flags.back() = "-mfloat-abi=hard";  // vector registers exist in this ABI only
  return target;
}

Target Rv32imc() {
  return {"rv32imc",
          "riscv64-unknown-elf-gcc",
          {"-march=rv32imc", "-mabi=ilp32"},
          O2M_FEATURE_RV32 | O2M_FEATURE_LONG_MUL,
          Virt()};
}

}  // namespace

const std::vector<Target> &Targets() {
  static const std::vector<Target> targets = {
      {"host", "cc", {}, O2M_FEATURE_LONG_MUL | O2M_FEATURE_UNALIGNED, {}},
      Arm("cortex-m0", O2M_FEATURE_ARMV6M, Mps2("mps2-an385", 0x21000000)),
      Arm("cortex-m3", kArmv7, Mps2("mps2-an385", 0x21000000)),
      Arm("cortex-m4", kArmv7e, Mps2("mps2-an386", 0x21000000)),
      Arm("cortex-m7", kArmv7e | O2M_FEATURE_DUAL_ISSUE, Mps2("mps2-an500", 0x60000000)),
      Arm("cortex-m33", kArmv7e, Mps2Secure("mps2-an505")),
      CortexM55(),
      Rv32imc(),
  };
  return targets;
}

o2m_target Target::abi() const { return {sizeof(o2m_target), id.c_str(), features, flash_wait, call_price}; }

absl::StatusOr<Target> FindTarget(const std::string &id) {
  std::vector<std::string> ids;
  for (const Target &target : Targets()) {
    if (target.id == id) return target;
    ids.push_back(target.id);
  }
  return absl::NotFoundError(absl::StrCat("target '", id, "': no such core; did you mean '", Nearest(id, ids),
                                          "'? 'onnx2mcu targets' lists them all"));
}

}  // namespace onnx2mcu
