// The ONNX node tests: of every operator that the evaluator claims, each case passes or is on the list below with its
// reason. O2M_NODE_TESTS names the folders, separated by colons; node_tests.sh sets it.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <set>
#include <sstream>

#include "importer/evaluate.h"
#include "importer/onnx_reader.h"
#include "importer/passes.h"
#include "onnx/onnx_pb.h"

namespace onnx2mcu {
namespace {

namespace fs = std::filesystem;

struct Exclusion {
  const char *part;
  const char *reason;
};

// Cases of claimed operators that do not apply, by name.
const Exclusion kExclusions[] = {
    {"test_training_dropout", "random numbers of training"},
    {"test_training_dropout_default", "random numbers of training"},
    {"test_training_dropout_default_mask", "random numbers of training"},
    {"test_training_dropout_mask", "random numbers of training"},
    {"test_resize_downsample_scales_cubic_align_corners", "divides by the unrounded size; ONNX Runtime does not"},
    {"test_resize_downsample_scales_linear_align_corners", "divides by the unrounded size; ONNX Runtime does not"},
    {"test_maxpool_with_argmax_2d_precomputed_strides", "indices in column-major order"},
    {"test_cast_BFLOAT16_to_FLOAT", "bfloat16 stored as uint16 in the data of opset 17"},
    {"test_cast_FLOAT_to_BFLOAT16", "bfloat16 stored as uint16 in the data of opset 17"},
    {"test_castlike_BFLOAT16_to_FLOAT", "bfloat16 stored as uint16 in the data of opset 17"},
    {"test_castlike_BFLOAT16_to_FLOAT_expanded", "bfloat16 stored as uint16 in the data of opset 17"},
    {"test_castlike_FLOAT_to_BFLOAT16", "bfloat16 stored as uint16 in the data of opset 17"},
    {"test_castlike_FLOAT_to_BFLOAT16_expanded", "bfloat16 stored as uint16 in the data of opset 17"},
    {"test_quantizelinear_int4", "4-bit integers are held as s8 and do not saturate at 4 bits"},
};

// What the reader refuses in a case, by a part of its message: no model of ours has it.
const Exclusion kRefusals[] = {
    {"has size 0", "empty tensors"},
    {"dimension of size 0", "empty tensors"},
    {"has element type", "strings, 8-bit floats, 2-bit and 4-bit integers, uint16 and wider"},
    {"is not a tensor", "sequences and optionals"},
    {"control flow", "If, Loop, Scan"},
    {"is older than 11", "opsets that no exporter writes any more"},
    {"has no input", "constants only"},
    {"is NaN", "NaN in half and double data; a weight may hold none"},
    {"is infinite", "the same of infinities"},
    {"of onnx.TensorProto is not supported", "casts to types that no kernel has"},
};

const char *WhyExcluded(const std::string &name) {
  for (const Exclusion &exclusion : kExclusions) {
    if (name == exclusion.part) return exclusion.reason;
  }
  return nullptr;
}

bool MayBeRefused(const absl::Status &status) {
  return std::any_of(std::begin(kRefusals), std::end(kRefusals), [&](const Exclusion &refusal) {
    return std::string(status.message()).find(refusal.part) != std::string::npos;
  });
}

bool Claims(const Graph &graph) {
  return std::all_of(graph.float_nodes.begin(), graph.float_nodes.end(),
                     [](const FloatNode &node) { return CanEvaluate(node.domain, node.op_type); });
}

struct Operand {
  Value value;
  bool rounded = false;  // stored in half or bfloat16
};

// As the reader takes constants; float data is copied, since unlike a weight it may be NaN or infinite.
absl::StatusOr<Operand> OperandOf(const fs::path &path, const onnx::TensorProto &proto) {
  Operand operand;
  operand.rounded = proto.data_type() == onnx::TensorProto::FLOAT16 || proto.data_type() == onnx::TensorProto::BFLOAT16;
  if (proto.data_type() == onnx::TensorProto::FLOAT && proto.has_raw_data()) {
    operand.value.dims.assign(proto.dims().begin(), proto.dims().end());
    operand.value.f.resize(proto.raw_data().size() / sizeof(float));
    if (!operand.value.f.empty()) std::memcpy(operand.value.f.data(), proto.raw_data().data(), proto.raw_data().size());
    return operand;
  }
  O2M_ASSIGN_OR_RETURN(const Tensor tensor, ReadTensor({path, path.parent_path(), ""}, proto.name(), proto));
  operand.value = ValueOf(tensor);
  return operand;
}

// input_0.pb, input_1.pb, ... of a data set.
absl::StatusOr<std::vector<Operand>> ReadOperands(const fs::path &folder, const std::string &stem) {
  std::vector<Operand> operands;
  for (int n = 0;; n++) {
    const fs::path path = folder / (stem + "_" + std::to_string(n) + ".pb");
    if (!fs::exists(path)) return operands;
    std::ifstream in(path, std::ios::binary);
    onnx::TensorProto proto;
    if (!proto.ParseFromIstream(&in)) return absl::InvalidArgumentError(path.string() + " is no tensor");
    O2M_ASSIGN_OR_RETURN(Operand operand, OperandOf(path, proto));
    operands.push_back(std::move(operand));
  }
}

// ONNX's own tolerance is 1e-3 relative; results in half or bfloat16 are rounded, ours are not.
bool Near(float got, float want, bool rounded) {
  if (std::isnan(want)) return std::isnan(got);
  if (std::isinf(want)) return got == want;
  return std::fabs(got - want) <= 1e-6 + (rounded ? 1e-2 : 1e-3) * std::fabs(want);
}

absl::Status Compare(const Value &got, const Operand &stored) {
  const Value &want = stored.value;
  if (got.dims != want.dims) return absl::InternalError("wrong shape");
  if (got.dtype != want.dtype) {
    return absl::InternalError(std::string("wrong type ") + DTypeName(got.dtype) + ", not " + DTypeName(want.dtype));
  }
  for (size_t k = 0; k < want.f.size(); k++) {
    if (Near(got.f[k], want.f[k], stored.rounded)) continue;
    return absl::InternalError("element " + std::to_string(k) + " is " + std::to_string(got.f[k]) + ", not " +
                               std::to_string(want.f[k]));
  }
  for (size_t k = 0; k < want.i.size(); k++) {
    if (got.i[k] == want.i[k]) continue;
    return absl::InternalError("element " + std::to_string(k) + " is " + std::to_string(got.i[k]) + ", not " +
                               std::to_string(want.i[k]));
  }
  return absl::OkStatus();
}

absl::Status RunDataSet(const Graph &graph, const fs::path &folder) {
  O2M_ASSIGN_OR_RETURN(const std::vector<Operand> operands, ReadOperands(folder, "input"));
  O2M_ASSIGN_OR_RETURN(const std::vector<Operand> wanted, ReadOperands(folder, "output"));
  std::vector<Value> inputs;
  for (const Operand &operand : operands) inputs.push_back(operand.value);
  O2M_ASSIGN_OR_RETURN(const std::vector<Value> got, Evaluate(graph, inputs));
  if (got.size() != wanted.size()) return absl::InternalError("wrong number of outputs");
  for (size_t o = 0; o < got.size(); o++) O2M_RETURN_IF_ERROR(Compare(got[o], wanted[o]));
  return absl::OkStatus();
}

// What happened to the cases.
struct Tally {
  int passed = 0, unclaimed = 0, excluded = 0, refused = 0;
  std::set<std::string> passed_ops;
};

absl::Status RunDataSets(const Graph &graph, const fs::path &folder) {
  for (const auto &entry : fs::directory_iterator(folder)) {
    if (entry.is_directory()) O2M_RETURN_IF_ERROR(RunDataSet(graph, entry.path()));
  }
  return absl::OkStatus();
}

void RunCase(const fs::path &folder, Tally &tally) {
  const std::string name = folder.filename();
  const absl::StatusOr<Graph> graph = ReadOnnx(folder / "model.onnx");
  if (graph.ok() && !Claims(*graph)) {
    tally.unclaimed++;
    return;
  }
  const absl::Status status = graph.ok() ? RunDataSets(*graph, folder) : graph.status();
  if (status.ok()) {
    tally.passed++;
    for (const FloatNode &node : graph->float_nodes) tally.passed_ops.insert(QualifiedName(node));
  } else if (WhyExcluded(name) != nullptr) {
    tally.excluded++;
  } else if (MayBeRefused(status)) {
    tally.refused++;
  } else {
    ADD_FAILURE() << name << ": " << status.message();
  }
}

TEST(NodeTests, EveryClaimedOperator) {
  const char *folders = std::getenv("O2M_NODE_TESTS");
  if (folders == nullptr) GTEST_SKIP() << "O2M_NODE_TESTS is not set; tests/importer/node_tests.sh sets it";
  Tally tally;
  std::stringstream list(folders);
  for (std::string root; std::getline(list, root, ':');) {
    std::vector<fs::path> cases;
    for (const auto &entry : fs::directory_iterator(root)) {
      if (fs::exists(entry.path() / "model.onnx")) cases.push_back(entry.path());
    }
    std::sort(cases.begin(), cases.end());
    for (const fs::path &path : cases) RunCase(path, tally);
  }
  std::cout << tally.passed << " cases passed, " << tally.excluded << " excluded, " << tally.refused
            << " not readable, " << tally.unclaimed << " of operators that are not claimed\n";
  for (const std::string &op : EvaluableOps()) {  // the reader makes a constant of Constant
    EXPECT_TRUE(tally.passed_ops.count(op) > 0 || op == "Constant") << "no case of " << op << " passed";
  }
}

}  // namespace
}  // namespace onnx2mcu
