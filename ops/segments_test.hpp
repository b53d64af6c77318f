// segments_test.hpp - for the tests of ops that hold a function of an s16 value as segments.
#pragma once
#include "op_test.hpp"
#include "segments.hpp"

namespace o2m::testing {

// A case of an op that maps s16 to one value each: all 65,536 of them, at several scales, into each type of output; its
// errors printed, every output within 1 of the correctly rounded and as near to the real one as segments promise.
inline void CheckEveryS16(const std::string &id, const o2m_case &c, const Oracle &oracle) {
  int64_t segments = 0;
  for (const o2m_dtype type : {O2M_S16, O2M_S8}) {
    Errors errors;
    for (const float scale : {0.00002f, 0.0003f, 0.002f, 0.03f}) {
      TestNode node(FindOp(id), c);
      o2m_tensor &x = node.input(0), &y = node.output();
      const float y_scale = scale * (type == O2M_S8 ? 256 : 1);
      const int32_t x_zero = scale > 0.001f ? -700 : 0, y_zero = type == O2M_S8 ? -50 : 0;
      SetShape(x, {1, 65536});
      SetShape(y, {1, 65536});
      x.dtype = O2M_S16, y.dtype = type;
      x.quant = PerTensor(&scale, &x_zero);
      y.quant = PerTensor(&y_scale, &y_zero);
      ASSERT_TRUE(node.Prepare());
      segments = std::max(segments, node.get()->constants[0].count);
      Sample sample = {&node, {{}}};
      for (int32_t q = -32768; q < 32768; ++q) sample.inputs[0].push_back(q);
      errors.Add(y, node.Run(sample.inputs), oracle(sample));
    }
    errors.Print(id + " " + c.name + ", s16" + (type == O2M_S8 ? " to s8" : ""));
    EXPECT_LE(errors.steps, 1);
    EXPECT_LE(errors.largest, 0.5001 + SegmentTolerance(type, false));
  }
  std::printf("      in at most %d segments\n", static_cast<int>(segments));
}

}  // namespace o2m::testing
