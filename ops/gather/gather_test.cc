// Element by element.
#include "op_test.hpp"

namespace o2m::testing {
namespace {

struct Params {
  int32_t axis, start, step, count;
};

Values Picked(TestNode &node, const Values &values) {
  const o2m_tensor &x = node.input(0);
  const auto &params = *static_cast<const Params *>(node.get()->params);
  std::vector<int64_t> indices;
  for (int32_t j = 0; j < params.count; ++j) indices.push_back(params.start + j * params.step);
  if (params.count == 0) {
    const auto *given = static_cast<const int64_t *>(node.input(1).data);
    indices.assign(given, given + ElementCount(node.input(1)));
  }
  int64_t outer = 1, inner = 1;
  for (int32_t k = 0; k < params.axis; ++k) outer *= x.dims[k];
  for (int32_t k = params.axis + 1; k < x.rank; ++k) inner *= x.dims[k];
  Values expected;
  const int64_t size = x.dims[params.axis];
  for (int64_t o = 0; o < outer; ++o) {
    for (const int64_t index : indices) {
      for (int64_t k = 0; k < inner; ++k) {
        expected.push_back(values[static_cast<size_t>((o * size + (index + size) % size) * inner + k)]);
      }
    }
  }
  return expected;
}

TEST(Gather, CasesPickWhatTheIndicesSay) {
  const o2m_op *op = FindOp("o2m.gather");
  const auto *cases = static_cast<const o2m_cases *>(op->get_extension("o2m.cases/1"));
  ASSERT_GT(cases->count, 0);
  for (int32_t i = 0; i < cases->count; ++i) {
    SCOPED_TRACE(cases->get(i)->name);
    TestNode node(op, *cases->get(i));
    ASSERT_TRUE(node.Prepare());
    const Values values = RandomValues(node.input(0), 7u + static_cast<uint32_t>(i));
    EXPECT_EQ(node.Run({values, {}}), Picked(node, values));
  }
}

TEST(Gather, RandomCasesPickWhatTheIndicesSay) {
  ForEachRandomCase("o2m.gather", [](Sample &s) {
    const Values expected = Picked(*s.node, s.inputs[0]);
    ASSERT_EQ(s.node->Run(s.inputs), expected);
    ASSERT_EQ(s.node->Run(s.inputs, 2), expected);
  });
}

TEST(Gather, RefusesWhatItCannotDo) {
  const o2m_op *op = FindOp("o2m.gather");
  const auto *cases = static_cast<const o2m_cases *>(op->get_extension("o2m.cases/1"));
  TestNode outside(op, *cases->get(0));
  outside.input(0).dims[1] = 4;
  EXPECT_EQ(outside.Infer(), O2M_INVALID_ARGUMENT);
  EXPECT_EQ(outside.host().message, "index 0 lies outside of axis 1 of the input [1, 4, 8]");
  TestNode scale(op, *cases->get(0));
  const float other = 0.07f;
  scale.output().quant.scale = &other;
  EXPECT_EQ(scale.Infer(), O2M_INVALID_ARGUMENT);
  EXPECT_NE(scale.host().message.find("as they are"), std::string::npos);
}

}  // namespace
}  // namespace o2m::testing
