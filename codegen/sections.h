// codegen/sections.h - memory sections that the user's linker script places: ITCM, DTCM, external flash.
#pragma once
#include <string>

#include "importer/ir/status.h"

namespace onnx2mcu {

// Names for __attribute__((section)); empty: the compiler's own.
struct Sections {
  std::string weights;  // of NAME_weights.c
  std::string code;     // of all that NAME_run calls: NAME.c and the kernels
  std::string arena;    // NAME_ARENA_SECTION of NAME.h, for whoever defines the arena
};

// InvalidArgument names the option: characters that no section's name has, or code and data in one section, which
// compilers refuse.
absl::Status CheckSections(const Sections &sections);

// `__attribute__((section("NAME")))`
std::string SectionAttribute(const std::string &name);

// The C source with that attribute before every function that it defines at file scope, itself or through a macro of
// its own; as it is where the name is empty. Preconditions: a line of the preprocessor begins with its '#'.
std::string WithCodeIn(const std::string &section, const std::string &source);

}  // namespace onnx2mcu
