#include "nas/atomic_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>

#include "absl/strings/str_cat.h"
#include "importer/data/files.h"

namespace onnx2mcu {
namespace {

// A file or a folder; what a rename did is on the disk only after its folder is.
bool Sync(const std::string &path) {
  const int file = open(path.c_str(), O_RDONLY);
  if (file < 0) return false;
  const bool synced = fsync(file) == 0;
  return close(file) == 0 && synced;
}

absl::Status Failed(const std::string &path) {
  return absl::InvalidArgumentError(absl::StrCat(path, ": cannot be written (", std::strerror(errno),
                                                 "); free space on the disk or write to another folder"));
}

}  // namespace

absl::Status WriteFileAtomically(const std::string &path, const std::string &bytes) {
  const std::string temporary = path + ".tmp";
  const absl::Status status = WriteFileBytes(temporary, bytes);
  if (status.ok()) return PublishFile(temporary, path);
  std::remove(temporary.c_str());
  return status;
}

absl::Status PublishFile(const std::string &temporary, const std::string &path) {
  if (!Sync(temporary) || std::rename(temporary.c_str(), path.c_str()) != 0) return Failed(path);
  const std::filesystem::path folder = std::filesystem::path(path).parent_path();
  return Sync(folder.empty() ? "." : folder.string()) ? absl::OkStatus() : Failed(path);
}

}  // namespace onnx2mcu
