// planner/answers.h - what ops say of nodes, by all that an op can see: a node that looks like one seen before is not
// asked about again.
#pragma once
#include <cstdint>
#include <deque>
#include <string>
#include <unordered_map>
#include <vector>

#include "planner/contract.h"
#include "planner/cost.h"

namespace onnx2mcu {

// Ops are asked without the data of constants, so that an answer holds for every network of these shapes.
struct Answer {
  Contract contract;  // tensor and base of its touches: kNone, since they are told by operand
  int32_t kind = 0;   // equal for nodes of which a planner can learn nothing different
};

struct Answers {
  std::unordered_map<std::string, Answer> by_fields;  // op, variant, params, operands' dtypes, dims, strides, scales...
  std::unordered_map<std::string, int32_t> kinds;     // by contract, work and splits
};

// Errors as ContractsOf().
absl::StatusOr<const Answer *> AnswerOf(Answers &known, const Graph &graph, const Node &node, const o2m_target &target);

// For keys: the bytes of plain values.
template <class... Values>
void PutBytes(std::string &text, const Values &...values) {
  (..., text.append(reinterpret_cast<const char *>(&values), sizeof values));
}

}  // namespace onnx2mcu
