#include "importer/data/files.h"

#include <gtest/gtest.h>
#include <zlib.h>

#include <algorithm>
#include <cmath>

#include "codegen/call_graph.h"
#include "codegen/metrics.h"
#include "codegen/process.h"
#include "importer/data/arrays.h"
#include "importer/data/inputs.h"

namespace onnx2mcu {
namespace {

class Files : public ::testing::Test {
 protected:
  std::string Path(const std::string &name) const { return folder_.path() + "/" + name; }
  TempFolder folder_{TempPrefix()};
};

TEST_F(Files, NpzComesBackAsItWasWritten) {
  ASSERT_TRUE(WriteNpz(Path("a.npz"),
                       {{"output", {2, 2}, {1.5f, -2.0f, 0.0f, 4.0f}, {}}, {"output_q", {3}, {}, {-128, 7, 127}}})
                  .ok());
  const auto arrays = ReadArrays(Path("a.npz"));
  ASSERT_TRUE(arrays.ok()) << arrays.status();
  ASSERT_EQ(arrays->size(), 2u);
  EXPECT_EQ((*arrays)[0].name, "output");
  EXPECT_EQ((*arrays)[0].dims, (std::vector<int64_t>{2, 2}));
  EXPECT_EQ((*arrays)[0].f32, (std::vector<float>{1.5f, -2.0f, 0.0f, 4.0f}));
  EXPECT_EQ((*arrays)[1].f32, (std::vector<float>{-128.0f, 7.0f, 127.0f}));
}

TEST_F(Files, NpzIsTheSameEveryTime) {
  const std::vector<NamedArray> arrays = {{"x", {1}, {3.0f}, {}}};
  ASSERT_TRUE(WriteNpz(Path("a.npz"), arrays).ok());
  ASSERT_TRUE(WriteNpz(Path("b.npz"), arrays).ok());
  EXPECT_EQ(*ReadFileBytes(Path("a.npz")), *ReadFileBytes(Path("b.npz")));
}

std::string Idx() { return std::string("\0\0\x08\x02\0\0\0\x02\0\0\0\x03", 12) + "abcdef"; }

TEST_F(Files, IdxPlainAndPacked) {
  ASSERT_TRUE(WriteFileBytes(Path("a.idx"), Idx()).ok());
  const gzFile packed = gzopen(Path("a.gz").c_str(), "wb");
  ASSERT_EQ(gzwrite(packed, Idx().data(), static_cast<unsigned>(Idx().size())), static_cast<int>(Idx().size()));
  gzclose(packed);
  for (const char *name : {"a.idx", "a.gz"}) {
    const auto arrays = ReadArrays(Path(name));
    ASSERT_TRUE(arrays.ok()) << arrays.status();
    EXPECT_EQ((*arrays)[0].dims, (std::vector<int64_t>{2, 3}));
    EXPECT_EQ((*arrays)[0].u8[5], 'f');
  }
}

// Of many rows the first alone are unpacked; a file that is cut off is refused all the same.
TEST_F(Files, FirstRowsOfIdx) {
  std::string whole("\0\0\x08\x02\0\0\x10\0\0\0\0\x03", 12);
  for (int i = 0; i < 3 * 4096; i++) whole.push_back(static_cast<char>(i * 7 % 251));
  ASSERT_TRUE(WriteFileBytes(Path("a.idx"), whole).ok());
  const gzFile file = gzopen(Path("a.gz").c_str(), "wb");
  ASSERT_EQ(gzwrite(file, whole.data(), static_cast<unsigned>(whole.size())), static_cast<int>(whole.size()));
  gzclose(file);
  for (const char *name : {"a.idx", "a.gz"}) {
    for (const int64_t rows : {0, 1, 1000, 4096, 5000}) {
      const auto arrays = ReadArrays(Path(name), rows);
      ASSERT_TRUE(arrays.ok()) << arrays.status();
      const int64_t held = rows == 0 ? 4096 : std::min<int64_t>(rows, 4096);
      EXPECT_EQ((*arrays)[0].total, 4096);
      EXPECT_EQ((*arrays)[0].dims, (std::vector<int64_t>{held, 3}));
      const std::string expected = whole.substr(12, static_cast<size_t>(3 * held));
      EXPECT_EQ((*arrays)[0].u8, (std::vector<uint8_t>(expected.begin(), expected.end())));
    }
  }
  const std::string packed = *ReadFileBytes(Path("a.gz"));
  for (size_t size = 0; size < packed.size(); size++) {
    ASSERT_TRUE(WriteFileBytes(Path("cut.gz"), packed.substr(0, size)).ok());
    EXPECT_FALSE(ReadArrays(Path("cut.gz"), 10).ok()) << size;
  }
}

TEST_F(Files, EveryTruncationIsRefused) {
  ASSERT_TRUE(WriteNpz(Path("a.npz"), {{"x", {4}, {1, 2, 3, 4}, {}}}).ok());
  const std::string whole = *ReadFileBytes(Path("a.npz"));
  const size_t body = whole.find("PK\x01\x02");
  for (size_t size = 0; size < body; size++) {
    ASSERT_TRUE(WriteFileBytes(Path("cut"), whole.substr(0, size)).ok());
    EXPECT_FALSE(ReadArrays(Path("cut")).ok()) << size;
  }
  for (size_t size = 0; size < Idx().size(); size++) {
    ASSERT_TRUE(WriteFileBytes(Path("cut"), Idx().substr(0, size)).ok());
    EXPECT_FALSE(ReadArrays(Path("cut")).ok()) << size;
  }
}

TEST(QuantizedSample, RoundsAndSaturates) {
  Tensor input;
  input.dtype = DType::kS8, input.dims = {4}, input.quant = {{0.5f}, {10}, kNone};
  InputSet set;
  set.count = 1, set.dims = {4}, set.f32 = {0.0f, 1.26f, 1000.0f, -1000.0f};
  EXPECT_EQ(QuantizedSample(set, 0, input), (std::vector<uint8_t>{10, 13, 127, 128}));
}

TEST(CallGraph, TakesTheDeepestChain) {
  CallGraph graph;
  AddCallGraph(graph,
               "node: { title: \"run\" label: \"run\\na.c:1:1\\n16 bytes (static)\" }\n"
               "node: { title: \"a.c:deep\" label: \"deep\\na.c:2:1\\n100 bytes (static)\" }\n"
               "node: { title: \"flat\" label: \"flat\\na.c:3:1\\n40 bytes (static)\" }\n"
               "edge: { sourcename: \"run\" targetname: \"a.c:deep\" label: \"a.c:9:1\" }\n"
               "edge: { sourcename: \"run\" targetname: \"flat\" }\n"
               "edge: { sourcename: \"a.c:deep\" targetname: \"memset\" }\n");
  EXPECT_EQ(*DeepestStack(graph, "run"), 116);
  AddCallGraph(graph, "edge: { sourcename: \"flat\" targetname: \"run\" }\n");
  EXPECT_FALSE(DeepestStack(graph, "run").ok());
}

TEST(Metrics, OfKnownVectors) {
  Accuracy a;
  Accumulate(a, {3.0f, 4.0f}, {3.0f, 3.0f});
  EXPECT_NEAR(Cosine(a), 21 / (5 * std::sqrt(18.0)), 1e-9);
  EXPECT_NEAR(Rmse(a), std::sqrt(0.5), 1e-9);
  EXPECT_NEAR(Mae(a), 0.5, 1e-9);
  EXPECT_NEAR(L2r(a), 0.2, 1e-9);
  EXPECT_NEAR(Nse(a), -1.0, 1e-9);
  EXPECT_NEAR(SqnrDb(a), 10 * std::log10(25.0), 1e-9);
}

}  // namespace
}  // namespace onnx2mcu
