// Against sorting.
#include "op_test.hpp"

namespace o2m::testing {
namespace {

struct Params {
  int32_t axis, k, smallest, last, keepdims;
};

Values Naive(const Sample &s) {
  const o2m_tensor &x = s.node->input(0);
  const auto &p = *static_cast<const Params *>(s.node->get()->params);
  int64_t inner = 1;
  for (int32_t i = p.axis + 1; i < x.rank; ++i) inner *= x.dims[i];
  const int64_t n = x.dims[p.axis], lines = ElementCount(x) / n;
  Values places(lines * p.k);
  for (int64_t l = 0; l < lines; ++l) {
    std::vector<std::pair<double, int64_t>> all;
    for (int64_t i = 0; i < n; ++i) {
      const double v = s.Real(0, l / inner * n * inner + i * inner + l % inner);
      all.emplace_back(p.smallest ? v : -v, p.last ? -i : i);
    }
    std::sort(all.begin(), all.end());
    for (int32_t j = 0; j < p.k; ++j)
      places[l / inner * p.k * inner + j * inner + l % inner] = static_cast<int32_t>(std::abs(all[j].second));
  }
  return places;
}

void CheckPlaces(const o2m_case &c, uint32_t seed) {
  SCOPED_TRACE(c.name);
  TestNode node(FindOp("o2m.top_k"), c);
  ASSERT_TRUE(node.Prepare());
  const Sample sample = {&node, {RandomValues(node.input(0), seed)}};
  EXPECT_EQ(node.Run(sample.inputs), Naive(sample)) << "seed " << seed;
}

TEST(TopK, PlacesAreThoseOfSorting) {
  const auto *cases = static_cast<const o2m_cases *>(FindOp("o2m.top_k")->get_extension("o2m.cases/1"));
  for (int32_t i = 0; i < cases->count; ++i)
    for (uint32_t seed = 0; seed < 50; ++seed) CheckPlaces(*cases->get(i), seed);
}

TEST(TopK, PlacesOfRandomCases) {
  const auto *random = static_cast<const o2m_random_cases *>(FindOp("o2m.top_k")->get_extension("o2m.random_cases/1"));
  for (uint64_t seed = 0; seed < 500; ++seed)
    random->make(seed, &seed, [](void *s, const o2m_case *c) {
      CheckPlaces(*c, static_cast<uint32_t>(*static_cast<uint64_t *>(s)));
    });
}

TEST(TopK, RefusesMoreThanThereAre) {
  const auto *cases = static_cast<const o2m_cases *>(FindOp("o2m.top_k")->get_extension("o2m.cases/1"));
  TestNode node(FindOp("o2m.top_k"), *cases->get(3));
  static_cast<Params *>(node.get()->params)->k = 101;
  EXPECT_EQ(node.Infer(), O2M_INVALID_ARGUMENT);
  EXPECT_NE(node.host().message.find("1 to 100 would work"), std::string::npos);
}

}  // namespace
}  // namespace o2m::testing
