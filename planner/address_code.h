// planner/address_code.h - the addresses that a function of NAME.c works out and holds: compilers do so before the
// loops, and keep on the stack what finds no register.
#pragma once
#include <cstdint>
#include <map>
#include <string>

#include "importer/ir/graph.h"
#include "planner/plan.h"

namespace onnx2mcu {

// What the stages of one function hold, by kind: "address in 8 bits", "address in 11 bits", "address in 12 bits" and
// "address beyond", by how far into the arena they lie and so by what an instruction can add: different places of
// tensors, scratch and state, but for the arena's start; "byte step" and "uneven step", of loops: different operands
// that move on by a byte ("k + t"), and by what is no power of two, so that it is not one shift ("x + t * 48").
// Precondition: a plan with offsets.
std::map<std::string, int64_t> AddressCounts(const Graph &graph, const Plan &plan, const o2m_target &target);

}  // namespace onnx2mcu
