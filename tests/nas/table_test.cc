#include "nas/search/table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "importer/data/files.h"

namespace onnx2mcu {
namespace {

using ::testing::HasSubstr;

absl::StatusOr<Table> Read(const std::string &text) {
  const std::string path = "/tmp/o2m_table_" + std::to_string(getpid()) + ".csv";
  EXPECT_TRUE(WriteFileBytes(path, text).ok());
  const auto table = ReadTable(path, {{"dim", {32, 64}}, {"rank_ratio", {0.5, 1}}});
  unlink(path.c_str());
  return table;
}

TEST(Table, ReadsColumnsInAnyOrder) {
  const auto table = Read("rank_ratio,accuracy,dim,ram_bytes\n1,0.8,64,100\n,0.7,32,50\n");
  ASSERT_TRUE(table.ok()) << table.status();
  EXPECT_EQ(table->columns, (std::vector<std::string>{"accuracy", "ram_bytes"}));
  EXPECT_EQ(table->rows.at({1, 1}), (std::vector<double>{0.8, 100}));
  EXPECT_EQ(table->rows.at({0, 0}), (std::vector<double>{0.7, 50}));  // a dead gene
  EXPECT_EQ(*ColumnOf(*table, "ram_bytes"), 1u);
  EXPECT_THAT(std::string(ColumnOf(*table, "flash").status().message()), HasSubstr("accuracy, ram_bytes"));
}

TEST(Table, NamesTheLineThatIsWrong) {
  const auto message = [](const std::string &text) { return std::string(Read(text).status().message()); };
  EXPECT_THAT(message("dim,accuracy\n32,0.5\n"), HasSubstr(":1: no column 'rank_ratio'"));
  EXPECT_THAT(message("dim,rank_ratio,a\n32,1,0.5\n48,1,0.5\n"), HasSubstr(":3: dim 48 is not in the space"));
  EXPECT_THAT(message("dim,rank_ratio,a\n32,1\n"), HasSubstr(":2: 2 fields where the header has 3"));
  EXPECT_THAT(message("dim,rank_ratio,a\n32,1,high\n"), HasSubstr(":2: 'high' is no number"));
}

}  // namespace
}  // namespace onnx2mcu
