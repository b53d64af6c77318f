// What a function of NAME.c holds is counted by where it lies, and by how loops move on.
#include "planner/address_code.h"

#include <gtest/gtest.h>

#include "planner/make_plan.h"
#include "tests/planner/fake_op.h"

namespace onnx2mcu {
namespace {

using Counts = std::map<std::string, int64_t>;

// x -> a -> columns of t; c from rows of a and all of t, with scratch; the output from c.
struct Net {
  Graph graph;
  TensorId a = kNone, t = kNone, c = kNone;
  Plan plan;
  Net() {
    graph.inputs = {fake::AddBase(graph, "x", {16, 12})};
    a = fake::AddRowwise(graph, "a", {graph.inputs[0]}, 12);
    fake::Params columns;
    columns.steps = 16, columns.inputs[0] = fake::Rows(0), columns.output = fake::Rows(1);
    t = fake::AddBase(graph, "t", {4, 16});
    fake::AddNode(graph, "t", {a}, t, columns);
    fake::Params attend;
    attend.steps = 16, attend.inputs[0] = fake::Rows(0), attend.inputs[1] = fake::kWhole;
    attend.output = fake::Rows(0), attend.scratch_fixed = 20;
    c = fake::AddBase(graph, "c", {16, 8});
    fake::AddNode(graph, "c", {a, t}, c, attend);
    graph.outputs = {fake::AddRowwise(graph, "out", {c}, 8)};
    Contracts contracts = ContractsOf(graph, fake::kTarget).value();
    plan = PlanStages(graph, fake::kTarget, contracts, {{{0}, 16, 4}, {{1}, 16, 4}, {{2}, 16, 2}, {{3}, 16, 16}});
  }
  // Counts with the tensors and the scratch at these places.
  Counts At(int64_t a_at, int64_t t_at, int64_t c_at, int64_t scratch_at) {
    plan.buffers[plan.buffer_of[a]].offset = a_at, plan.buffers[plan.buffer_of[t]].offset = t_at;
    plan.buffers[plan.buffer_of[c]].offset = c_at, plan.buffers[plan.scratch_of[2]].offset = scratch_at;
    return AddressCounts(graph, plan, fake::kTarget);
  }
};

TEST(AddressCounts, TellPlacesAndSteps) {
  // rows of 12 bytes: x and a, a, a; the last stage is no loop
  const Counts steps = {{"byte step", 1}, {"uneven step", 4}};
  Counts expected = steps;
  expected["address in 8 bits"] = 1, expected["address in 12 bits"] = 1, expected["address beyond"] = 1;
  EXPECT_EQ(Net().At(0, 255, 2048, 4096), expected);
  expected = steps;
  expected["address in 11 bits"] = 2, expected["address in 12 bits"] = 2;
  EXPECT_EQ(Net().At(256, 2047, 2048, 4095), expected);
}

TEST(AddressCounts, OnePlaceIsHeldOnce) {
  EXPECT_EQ(Net().At(0, 512, 512, 512), (Counts{{"byte step", 1}, {"uneven step", 4}, {"address in 11 bits", 1}}));
  EXPECT_EQ(Net().At(0, 0, 0, 0), (Counts{{"byte step", 1}, {"uneven step", 4}}));
}

}  // namespace
}  // namespace onnx2mcu
