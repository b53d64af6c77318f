// The search of --accuracy-drop on tables of what each count of raised tensors gives.
#include "codegen/raise_search.h"

#include <gtest/gtest.h>

#include <vector>

namespace onnx2mcu {
namespace {

struct Table {
  std::vector<double> drops;  // by count
  int64_t budget;             // the most tensors it admits
  std::vector<int64_t> asked = {};

  absl::StatusOr<RaiseChoice> Search(double limit) {
    return SearchRaise(static_cast<int64_t>(drops.size()) - 1, limit, [this](int64_t count) -> absl::StatusOr<double> {
      asked.push_back(count);
      if (count > budget) return absl::ResourceExhaustedError("no room");
      return drops[count];
    });
  }
};

Table Falling(int64_t size, int64_t budget) {
  Table table{{}, budget};
  for (int64_t i = 0; i <= size; i++) table.drops.push_back(static_cast<double>(size - i));
  return table;
}

TEST(SearchRaise, RaisesNothingThatIsNotNeeded) {
  Table table = Falling(10, 10);
  const auto choice = table.Search(10);
  EXPECT_TRUE(choice->met);
  EXPECT_EQ(choice->count, 0);
  EXPECT_EQ(table.asked, std::vector<int64_t>{0});
}

TEST(SearchRaise, FindsTheLeastCountOfEverySize) {
  for (int64_t size : {1, 2, 3, 7, 8, 9, 40})
    for (int64_t wanted = 0; wanted <= size; wanted++) {
      Table table = Falling(size, size);
      const auto choice = table.Search(static_cast<double>(size - wanted));
      EXPECT_TRUE(choice->met);
      EXPECT_EQ(choice->count, wanted);
      EXPECT_EQ(choice->drop, static_cast<double>(size - wanted));
      EXPECT_EQ(choice->drop_s8, static_cast<double>(size));
      EXPECT_LE(table.asked.size(), 15u);
    }
}

TEST(SearchRaise, NamesTheBestThatTheBudgetAdmits) {
  for (int64_t budget = 0; budget < 20; budget++) {
    Table table = Falling(20, budget);
    const auto choice = table.Search(0);
    EXPECT_FALSE(choice->met);
    EXPECT_EQ(choice->count, budget);
    EXPECT_EQ(choice->drop, static_cast<double>(20 - budget));
    EXPECT_TRUE(absl::IsResourceExhausted(choice->refused));
  }
}

TEST(SearchRaise, KeepsTheBestOfWhatDoesNotFall) {
  Table table{{3, 2, 4, 4, 4}, 4};
  const auto choice = table.Search(1);
  EXPECT_FALSE(choice->met);
  EXPECT_EQ(choice->count, 1);
  EXPECT_EQ(choice->drop, 2);
  EXPECT_TRUE(choice->refused.ok());
}

TEST(SearchRaise, EndsWithNoTensors) {
  Table table{{5}, 0};
  const auto choice = table.Search(1);
  EXPECT_FALSE(choice->met);
  EXPECT_EQ(choice->count, 0);
}

TEST(SearchRaise, PassesErrorsOn) {
  EXPECT_EQ(SearchRaise(4, 1, [](int64_t) -> absl::StatusOr<double> { return absl::InternalError("bad"); }).status(),
            absl::InternalError("bad"));
  EXPECT_TRUE(absl::IsResourceExhausted(SearchRaise(4, 1, [](int64_t) -> absl::StatusOr<double> {
                                          return absl::ResourceExhaustedError("no");
                                        }).status()));
}

}  // namespace
}  // namespace onnx2mcu
