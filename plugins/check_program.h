// plugins/check_program.h - the checker's own emitter: what emit() writes, gathered into the text of one C program.
#pragma once
#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "plugins/check_node.h"

namespace onnx2mcu::check {

struct CheckProgram {
  std::vector<std::pair<std::string, std::string>> sources;  // name, text, in the order they came
  std::string definitions;                                   // constants and objects
  std::string functions;                                     // run_0(uint8_t *const *blocks), run_1 ...
  std::map<std::string, std::string> constants;              // initialiser -> name
  int objects = 0;
  bool operator==(const CheckProgram &) const = default;
};

// Appends function run_INDEX: the loop over the steps of a packed node around the lines that emit() writes. blocks:
// inputs, outputs, scratch, state. Returns what emit() got wrong; empty if nothing.
std::string EmitCall(const NodeSpec &packed, const o2m_target &target, int32_t rows, size_t index,
                     CheckProgram &program);

// What the kernel sources may not contain: includes beyond <stdint.h>, <stddef.h>, <string.h> and each other.
std::vector<std::string> SourceErrors(const CheckProgram &program);

}  // namespace onnx2mcu::check
