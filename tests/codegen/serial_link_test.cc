#include "codegen/serial_link.h"

#include <gtest/gtest.h>

namespace onnx2mcu {
namespace {

std::string Every() {
  std::string bytes;
  for (int i = 0; i < 256; i++) bytes += static_cast<char>(i);
  return bytes;
}

TEST(SerialLink, AFrameComesBack) {
  FrameReader reader;
  const std::vector<Frame> frames = reader.Take(Encoded({'r', 0xc0, Every()}) + Encoded({'i', 0xdb, ""}));
  ASSERT_EQ(frames.size(), 2u);
  EXPECT_EQ(frames[0].command, 'r');
  EXPECT_EQ(frames[0].sequence, 0xc0);
  EXPECT_EQ(frames[0].payload, Every());
  EXPECT_EQ(frames[1].sequence, 0xdb);
  EXPECT_EQ(reader.dropped(), 0);
}

TEST(SerialLink, ByteByByte) {
  FrameReader reader;
  std::vector<Frame> frames;
  for (const char c : Encoded({'r', 1, Every()}))
    for (const Frame &frame : reader.Take(std::string(1, c))) frames.push_back(frame);
  ASSERT_EQ(frames.size(), 1u);
  EXPECT_EQ(frames[0].payload, Every());
}

TEST(SerialLink, AnyChangedByteCostsThatFrameAlone) {
  const std::string wire = Encoded({'r', 1, "abc\xc0\xdb"});
  for (size_t i = 0; i < wire.size(); i++) {
    FrameReader reader;
    std::string hit = wire;
    hit[i] = static_cast<char>(hit[i] ^ 8);
    for (const Frame &frame : reader.Take(hit)) EXPECT_EQ(frame.payload, "abc\xc0\xdb") << i;
    EXPECT_EQ(reader.Take(wire).size(), 1u) << i;
  }
}

TEST(SerialLink, NoiseIsDropped) {
  FrameReader reader;
  EXPECT_TRUE(reader.Take("noise\xdb\xdb\xc0\x01\x02\xc0\xc0").empty());
  EXPECT_EQ(reader.dropped(), 7);  // escapes are no bytes
  EXPECT_EQ(reader.Take(Encoded({'i', 2, ""})).size(), 1u);
}

TEST(SerialLink, WhatIsNoPortIsRefused) {
  EXPECT_FALSE(SerialPort::Open("/dev/null", 115200).ok());
  EXPECT_FALSE(SerialPort::Open("/dev/no_such_port", 115200).ok());
  EXPECT_FALSE(SerialPort::Open("/dev/null", 12345).ok());
}

}  // namespace
}  // namespace onnx2mcu
