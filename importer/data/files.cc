#include "importer/data/files.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>
#include <sstream>

#include "absl/strings/str_cat.h"

namespace onnx2mcu {

absl::StatusOr<std::string> ReadFileBytes(const std::string &path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream bytes;
  if (file) bytes << file.rdbuf();
  if (!file)
    return absl::NotFoundError(absl::StrCat(path, ": cannot be read (no such file, or not a file); check the path"));
  return bytes.str();
}

absl::Status WriteFileBytes(const std::string &path, const std::string &bytes) {
  const int file = open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  size_t done = 0;
  bool good = file >= 0;
  while (good && done < bytes.size()) {
    const ssize_t wrote = write(file, bytes.data() + done, bytes.size() - done);
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote < 0) good = false;
    if (wrote > 0) done += static_cast<size_t>(wrote);
  }
  int error = good ? 0 : errno;
  if (file >= 0 && close(file) != 0 && good) error = errno;
  if (error == 0) return absl::OkStatus();
  const absl::Status status = absl::InvalidArgumentError(absl::StrCat(
      path, ": cannot be written (", strerror(error), "); free space on the disk or write to another folder (-o)"));
  errno = error;  // for callers that name another path
  return status;
}

}  // namespace onnx2mcu
