#include "codegen/serial_link.h"

#include <fcntl.h>
#include <poll.h>
#include <termios.h>
#include <unistd.h>
#include <zlib.h>

#include <cerrno>
#include <chrono>
#include <cstring>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace onnx2mcu {
namespace {

constexpr char kEnd = '\xc0', kEscape = '\xdb', kEscapedEnd = '\xdc', kEscapedEscape = '\xdd';
constexpr size_t kHead = 2, kTail = 4;  // command and sequence; CRC-32
constexpr int kTries = 3;
constexpr double kBitsPerByte = 10;  // on the wire: start, eight, stop

struct Speed {
  int64_t baud;
  speed_t flag;
};
constexpr Speed kSpeeds[] = {{9600, B9600},       {19200, B19200},    {38400, B38400},     {57600, B57600},
                             {115200, B115200},   {230400, B230400},  {460800, B460800},   {500000, B500000},
                             {576000, B576000},   {921600, B921600},  {1000000, B1000000}, {1500000, B1500000},
                             {2000000, B2000000}, {3000000, B3000000}};

uint32_t CrcOf(const std::string &bytes) {
  return static_cast<uint32_t>(
      crc32(0, reinterpret_cast<const Bytef *>(bytes.data()), static_cast<uInt>(bytes.size())));
}

absl::StatusOr<speed_t> SpeedOf(int64_t baud) {
  std::string all;
  for (const Speed &speed : kSpeeds) {
    if (speed.baud == baud) return speed.flag;
    absl::StrAppend(&all, all.empty() ? "" : ", ", speed.baud);
  }
  return absl::InvalidArgumentError(absl::StrCat("--baud: ", baud, " is no speed of serial ports; there are ", all));
}

// True if the file is ready for `events`.
bool Ready(int file, int16_t events, double seconds) {
  pollfd one{file, events, 0};
  return poll(&one, 1, static_cast<int>(seconds * 1000)) > 0;
}

double Now() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

absl::Status Lost(const SerialPort &port) {
  return absl::InvalidArgumentError(
      absl::StrCat(port.path(), ": the connection was lost (", std::strerror(errno), "); plug it in and start again"));
}

// What the board says with 'e'.
absl::Status Refused(const SerialPort &port, const std::string &payload) {
  const int why = payload.empty() ? 0 : payload[0];
  if (why == 2)
    return absl::InvalidArgumentError(absl::StrCat(port.path(),
                                                   ": the weights are not at their address, by their CRC-32; ",
                                                   "write NAME_weights.bin of the same compilation there"));
  return absl::InvalidArgumentError(absl::StrCat(port.path(), ": the target refused the ",
                                                 why == 1 ? "length of the input" : "command",
                                                 "; flash what --example=serial of this version makes"));
}

}  // namespace

std::string Encoded(const Frame &frame) {
  std::string body = {frame.command, static_cast<char>(frame.sequence)};
  body += frame.payload;
  const uint32_t crc = CrcOf(body);
  for (int i = 0; i < 4; i++) body += static_cast<char>(crc >> (8 * i));
  std::string wire(1, kEnd);
  for (const char c : body) {
    if (c == kEnd || c == kEscape) wire += kEscape;
    wire += c == kEnd ? kEscapedEnd : c == kEscape ? kEscapedEscape : c;
  }
  return wire + kEnd;
}

std::vector<Frame> FrameReader::Take(const std::string &bytes) {
  std::vector<Frame> frames;
  for (const char c : bytes) {
    if (c == kEscape) {
      escaped_ = true;
    } else if (c != kEnd) {
      body_ += !escaped_ ? c : c == kEscapedEnd ? kEnd : kEscape;
      escaped_ = false;
    } else {
      const std::string body = std::exchange(body_, "");
      escaped_ = false;
      uint32_t crc = 0;
      if (body.size() >= kHead + kTail) memcpy(&crc, body.data() + body.size() - kTail, kTail);
      if (body.size() < kHead + kTail || crc != CrcOf(body.substr(0, body.size() - kTail)))
        dropped_ += static_cast<int64_t>(body.size());
      else
        frames.push_back({body[0], static_cast<uint8_t>(body[1]), body.substr(kHead, body.size() - kHead - kTail)});
    }
  }
  return frames;
}

absl::StatusOr<std::unique_ptr<SerialPort>> SerialPort::Open(const std::string &path, int64_t baud) {
  O2M_ASSIGN_OR_RETURN(const speed_t speed, SpeedOf(baud));
  const int file = open(path.c_str(), O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
  const auto cannot = [&path](const std::string &why) {
    return absl::InvalidArgumentError(
        absl::StrCat(path, ": cannot be used as a serial port (", why, "); a device such as /dev/ttyACM0 is needed"));
  };
  if (file < 0) return cannot(std::strerror(errno));
  std::unique_ptr<SerialPort> port(new SerialPort(path, baud, file));
  termios settings{};
  if (tcgetattr(file, &settings) != 0) return cannot(std::strerror(errno));
  cfmakeraw(&settings);
  settings.c_cflag |= CLOCAL | CREAD;
  settings.c_cflag &= ~static_cast<tcflag_t>(CSTOPB | PARENB | CRTSCTS);
  settings.c_cc[VMIN] = 0, settings.c_cc[VTIME] = 0;
  if (cfsetspeed(&settings, speed) != 0 || tcsetattr(file, TCSANOW, &settings) != 0)
    return cannot(std::strerror(errno));
  tcflush(file, TCIOFLUSH);
  return port;
}

SerialPort::~SerialPort() { close(file_); }

absl::Status SerialPort::Write(const std::string &bytes, double timeout_seconds) {
  for (size_t at = 0; at < bytes.size();) {
    if (!Ready(file_, POLLOUT, timeout_seconds))
      return absl::InvalidArgumentError(
          absl::StrCat(path_, ": takes no more bytes; is the target running, and is flow control off?"));
    const ssize_t count = write(file_, bytes.data() + at, bytes.size() - at);
    if (count < 0 && errno != EAGAIN && errno != EINTR) return Lost(*this);
    if (count > 0) at += static_cast<size_t>(count);
  }
  return absl::OkStatus();
}

absl::StatusOr<std::string> SerialPort::Read(double timeout_seconds) {
  if (!Ready(file_, POLLIN, timeout_seconds)) return std::string();
  char buffer[4096];
  const ssize_t count = read(file_, buffer, sizeof buffer);
  if (count < 0 && (errno == EAGAIN || errno == EINTR)) return std::string();
  if (count < 0) return Lost(*this);
  return std::string(buffer, static_cast<size_t>(count));
}

// False: the time is over.
absl::StatusOr<bool> SerialLink::Wait(Frame *answer, double seconds) {
  for (const double end = Now() + seconds; Now() < end;) {
    O2M_ASSIGN_OR_RETURN(const std::string bytes, port_->Read(end - Now()));
    received_ += static_cast<int64_t>(bytes.size());
    for (Frame &frame : reader_.Take(bytes)) {
      if (frame.sequence != sequence_) continue;  // too late, of an earlier try
      *answer = std::move(frame);
      return true;
    }
  }
  return false;
}

absl::StatusOr<std::string> SerialLink::Ask(char command, const std::string &payload, int64_t answer_bytes,
                                            double timeout_seconds) {
  const double wire = kBitsPerByte * 2 * static_cast<double>(static_cast<int64_t>(payload.size()) + answer_bytes) /
                      static_cast<double>(port_->baud());  // twice: every byte may have to be escaped
  received_ = 0;
  for (int i = 0; i < kTries; i++) {
    Frame answer;
    O2M_RETURN_IF_ERROR(port_->Write(Encoded({command, ++sequence_, payload}), timeout_seconds + wire));
    O2M_ASSIGN_OR_RETURN(const bool came, Wait(&answer, timeout_seconds + wire));
    if (came && answer.command == 'e') return Refused(*port_, answer.payload);
    if (came && answer.command == command) return answer.payload;
  }
  if (received_ == 0)
    return absl::InvalidArgumentError(absl::StrFormat(
        "%s: no answer, asked %d times with %.3g s each; flash what --example=serial makes and check the wiring, or "
        "give --timeout more",
        port_->path(), kTries, timeout_seconds));
  return absl::InvalidArgumentError(absl::StrCat(
      port_->path(), ": ", received_, " bytes came, but no answer with a right checksum; check --baud=", port_->baud(),
      " and what else writes to that port"));
}

}  // namespace onnx2mcu
