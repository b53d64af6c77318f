#include "nas/event_file.h"

#include <bit>
#include <chrono>
#include <filesystem>
#include <fstream>

#include "absl/strings/str_cat.h"

namespace onnx2mcu {
namespace {

constexpr uint32_t kCastagnoli = 0x82f63b78;  // the polynomial, bits reversed
constexpr uint32_t kMask = 0xa282ead8;        // added to a rotated CRC, so that a CRC of CRCs stays one

// Wire types of protobuf.
enum WireType : uint64_t { kVarint = 0, kFixed64 = 1, kBytes = 2, kFixed32 = 5 };

void PutLittle(std::string &out, uint64_t value, int bytes) {
  for (int i = 0; i < bytes; i++) out.push_back(static_cast<char>(value >> 8 * i & 0xff));
}

void PutVarint(std::string &out, uint64_t value) {
  for (; value >= 0x80; value >>= 7) out.push_back(static_cast<char>(value | 0x80));
  out.push_back(static_cast<char>(value));
}

void PutKey(std::string &out, uint64_t field, WireType type) { PutVarint(out, field << 3 | type); }

void PutBytesField(std::string &out, uint64_t field, const std::string &bytes) {
  PutKey(out, field, kBytes);
  PutVarint(out, bytes.size());
  out += bytes;
}

void PutDouble(std::string &out, uint64_t field, double value) {
  PutKey(out, field, kFixed64);
  PutLittle(out, std::bit_cast<uint64_t>(value), 8);
}

void PutFloat(std::string &out, uint64_t field, float value) {
  PutKey(out, field, kFixed32);
  PutLittle(out, std::bit_cast<uint32_t>(value), 4);
}

uint32_t Masked(uint32_t crc) { return std::rotr(crc, 15) + kMask; }

std::string Record(const std::string &event) {
  std::string record;
  PutLittle(record, event.size(), 8);
  PutLittle(record, Masked(Crc32c(record)), 4);
  record += event;
  PutLittle(record, Masked(Crc32c(event)), 4);
  return record;
}

}  // namespace

uint32_t Crc32c(const std::string &bytes) {
  uint32_t crc = ~0u;
  for (const char byte : bytes) {
    crc ^= static_cast<uint8_t>(byte);
    for (int bit = 0; bit < 8; bit++) crc = crc >> 1 ^ (crc & 1 ? kCastagnoli : 0);
  }
  return ~crc;
}

std::string EventFileStart(double seconds) {
  std::string event;
  PutDouble(event, 1, seconds);
  PutBytesField(event, 3, "brain.Event:2");
  return Record(event);
}

std::string ScalarEvent(double seconds, int64_t step, const std::string &tag, float value) {
  std::string scalar, summary, event;
  PutBytesField(scalar, 1, tag);
  PutFloat(scalar, 2, value);
  PutBytesField(summary, 1, scalar);
  PutDouble(event, 1, seconds);
  PutKey(event, 2, kVarint);
  PutVarint(event, static_cast<uint64_t>(step));
  PutBytesField(event, 5, summary);
  return Record(event);
}

absl::Status AppendScalars(const std::string &path, int64_t step, const std::map<std::string, double> &scalars) {
  const auto since_1970 = std::chrono::system_clock::now().time_since_epoch();
  const double seconds = std::chrono::duration<double>(since_1970).count();
  std::string records = std::filesystem::exists(path) ? "" : EventFileStart(seconds);
  for (const auto &[tag, value] : scalars) records += ScalarEvent(seconds, step, tag, static_cast<float>(value));
  std::ofstream file(path, std::ios::binary | std::ios::app);
  file.write(records.data(), static_cast<std::streamsize>(records.size()));
  file.close();
  if (file.good()) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(path, ": cannot be written"));
}

}  // namespace onnx2mcu
