// codegen/serial_link.h - the host's end of what codegen/runtime/serial_main.c.in serves: frames over a serial port.
#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "importer/ir/status.h"

namespace onnx2mcu {

inline constexpr int kSerialProtocol = 1;
constexpr int64_t AlignedTo16(int64_t bytes) { return (bytes + 15) / 16 * 16; }  // of each input in a frame

struct Frame {
  char command = 0;
  uint8_t sequence = 0;
  std::string payload;
};

// As it goes over the wire, delimiters included.
std::string Encoded(const Frame &frame);

// Takes bytes as they come; what is no frame with a right CRC is dropped.
class FrameReader {
 public:
  // The frames that these bytes complete.
  std::vector<Frame> Take(const std::string &bytes);
  int64_t dropped() const { return dropped_; }  // bytes that were noise

 private:
  std::string body_;  // of the frame that is coming, as decoded
  bool escaped_ = false;
  int64_t dropped_ = 0;
};

// An open serial device: raw bytes, 8N1.
class SerialPort {
 public:
  // InvalidArgument: no such speed, no such device, no serial one, no permission; says which would work.
  static absl::StatusOr<std::unique_ptr<SerialPort>> Open(const std::string &path, int64_t baud);
  ~SerialPort();
  SerialPort(const SerialPort &) = delete;
  SerialPort &operator=(const SerialPort &) = delete;
  absl::Status Write(const std::string &bytes, double timeout_seconds);
  // What has come; waits for the first byte. Empty: nothing within that time.
  absl::StatusOr<std::string> Read(double timeout_seconds);
  const std::string &path() const { return path_; }
  int64_t baud() const { return baud_; }

 private:
  SerialPort(std::string path, int64_t baud, int file) : path_(std::move(path)), baud_(baud), file_(file) {}
  std::string path_;
  int64_t baud_ = 0;
  int file_ = -1;
};

// One command and its answer; sent again, three times at most, where none comes within `timeout_seconds` beyond the
// time that the bytes take. InvalidArgument: nothing came, noise alone came, or the board refused.
class SerialLink {
 public:
  explicit SerialLink(std::unique_ptr<SerialPort> port) : port_(std::move(port)) {}
  absl::StatusOr<std::string> Ask(char command, const std::string &payload, int64_t answer_bytes,
                                  double timeout_seconds);
  const SerialPort &port() const { return *port_; }

 private:
  absl::StatusOr<bool> Wait(Frame *answer, double seconds);
  std::unique_ptr<SerialPort> port_;
  FrameReader reader_;
  uint8_t sequence_ = 0;
  int64_t received_ = 0;  // bytes, noise included
};

}  // namespace onnx2mcu
