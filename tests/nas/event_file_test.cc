#include "nas/event_file.h"

#include <gtest/gtest.h>

#include <filesystem>

namespace onnx2mcu {
namespace {

TEST(EventFileTest, HasTheChecksumOfItsStandard) {
  EXPECT_EQ(Crc32c("123456789"), 0xe3069283u);  // the check value of CRC-32C
  EXPECT_EQ(Crc32c(""), 0u);
  EXPECT_EQ(Crc32c(std::string(32, '\0')), 0x8a9136aau);  // RFC 3720, appendix B.4
}

TEST(EventFileTest, FramesAScalar) {
  const std::string record = ScalarEvent(1.5, 300, "loss", 0.25f);
  const std::string event = record.substr(12, record.size() - 16);
  EXPECT_EQ(static_cast<size_t>(record[0]), event.size());
  EXPECT_EQ(event, std::string("\x09\0\0\0\0\0\0\xf8\x3f", 9) + std::string("\x10\xac\x02", 3) +
                       "\x2a\x0d\x0a\x0b\x0a" + "\x04loss" + std::string("\x15\0\0\x80\x3e", 5));
}

TEST(EventFileTest, StartsAFileAsTensorFlowDoes) {
  const std::string start = EventFileStart(0);
  EXPECT_EQ(start.substr(0, 12), std::string("\x18\0\0\0\0\0\0\0\xa3\x7f\x4b\x22", 12));
  EXPECT_EQ(start.substr(21, 15),
            "\x1a\x0d"
            "brain.Event:2");
}

TEST(EventFileTest, GrowsByStep) {
  const std::string path = testing::TempDir() + "events.out.tfevents.test";
  std::filesystem::remove(path);
  const auto bytes = [&] { return std::filesystem::file_size(path); };
  ASSERT_TRUE(AppendScalars(path, 1, {{"a", 0.5}, {"b", 1}}).ok());
  const size_t scalars = ScalarEvent(0, 1, "a", 0.5f).size() + ScalarEvent(0, 1, "b", 1).size();
  EXPECT_EQ(bytes(), EventFileStart(0).size() + scalars);
  ASSERT_TRUE(AppendScalars(path, 2, {{"a", 0.5}, {"b", 1}}).ok());
  EXPECT_EQ(bytes(), EventFileStart(0).size() + 2 * scalars);
  EXPECT_EQ(AppendScalars("/nowhere/events", 1, {{"a", 1}}).code(), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace onnx2mcu
