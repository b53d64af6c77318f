// integer_test.hpp - for the tests of integerised models' ops: a naive requantisation, and comparison without
// tolerance.
// op_test.hpp comes first: it takes the path of the plugin out of O2M_PLUGIN.
#pragma once
#include "../op_test.hpp"
#include "integer_op.hpp"

namespace o2m::testing {

// Element n of operand i, a constant or not.
inline int64_t IntegerAt(const Sample &s, int i, int64_t n) {
  const o2m_tensor &t = s.node->input(i);
  return t.is_constant ? static_cast<const int64_t *>(t.data)[n]
                       : s.inputs[static_cast<size_t>(i)][static_cast<size_t>(n)];
}

inline int64_t FloorOf(int64_t a, int64_t b) { return a / b - (a % b != 0 && (a < 0) != (b < 0) ? 1 : 0); }

// By operands `at` and `at` + 1, of one value or one per channel.
inline int64_t Requantised(const Sample &s, const RequantParams &p, int at, int64_t v, int64_t channel) {
  if (!p.on) return v;
  const auto factor = [&](int i) { return IntegerAt(s, i, ElementCount(s.node->input(i)) == 1 ? 0 : channel); };
  const int64_t scaled = v * factor(at) + factor(at + 1);
  const int64_t q = p.round ? FloorOf(2 * scaled + p.div, 2 * p.div) : FloorOf(scaled, p.div);
  return std::min(std::max(q, p.low), p.high);
}

// s32 outputs included, which the comparison in LSB of other ops leaves out.
inline void ExpectExact(Sample &s, const Oracle &oracle) {
  const Values whole = s.node->Run(s.inputs);
  ASSERT_EQ(whole, s.node->Run(s.inputs, 1));
  ASSERT_EQ(whole, s.node->Run(s.inputs, 3));
  const std::vector<double> expected = oracle(s);
  ASSERT_EQ(whole.size(), expected.size());
  for (size_t i = 0; i < whole.size(); ++i) {
    if (whole[i] == expected[i]) continue;
    s.node->Describe();
    FAIL() << "element " << i << " is " << whole[i] << ", not " << expected[i];
  }
}

inline void CheckExact(const std::string &id, const Oracle &oracle) {
  const o2m_op *op = FindOp(id);
  const auto *cases = static_cast<const o2m_cases *>(op->get_extension("o2m.cases/1"));
  for (int32_t i = 0; i < cases->count; ++i) {
    SCOPED_TRACE(cases->get(i)->name);
    TestNode node(op, *cases->get(i));
    ASSERT_TRUE(node.Prepare());
    Sample sample = {&node, {}};
    for (int32_t k = 0; k < node.get()->input_count; ++k)
      sample.inputs.push_back(node.input(k).is_constant ? Values() : RandomValues(node.input(k), 1u + i * 8u + k));
    ExpectExact(sample, oracle);
  }
}

inline void CheckRandomExact(const std::string &id, const Oracle &oracle) {
  ForEachRandomCase(id, [&](Sample &sample) { ExpectExact(sample, oracle); });
}

}  // namespace o2m::testing
