// codegen/names.h - from ONNX names to C ones.
#pragma once
#include <set>
#include <string>

#include "importer/ir/graph.h"

namespace onnx2mcu {

// A valid C identifier: every other character becomes '_', runs of '_' become one, none at the ends; "x" before a
// leading digit and instead of nothing; "_" behind a word that C or C++ reserve.
std::string CIdentifier(const std::string &name);
std::string UpperCase(const std::string &name);
// "int8_t"; what the generated C holds a tensor of this type in.
std::string CType(DType dtype);
// Of NAME_run: position i of graph.inputs / graph.outputs; "image" for u8 pixels, else "input", "input1"; "output" ...
std::string InputName(const Graph &graph, int i);
std::string OutputName(const Graph &graph, int i);
// Of the macros: "VIT_INPUT", "VIT_INPUT1", "VIT_OUTPUT".
std::string InputMacro(const Graph &graph, int i);
std::string OutputMacro(const Graph &graph, int i);

// Hands out identifiers that differ from each other and from those reserved: "fc1", "fc1_2", "fc1_3".
class NameSet {
 public:
  void Reserve(const std::string &name) { used_.insert(name); }
  std::string Unique(const std::string &name);

 private:
  std::set<std::string> used_;
};

}  // namespace onnx2mcu
