// write_folder.cc - a generated folder is complete or absent, whatever happens meanwhile.
#include <sys/stat.h>

#include <filesystem>

#include "absl/strings/str_cat.h"
#include "codegen/compiler.h"
#include "codegen/process.h"
#include "importer/data/files.h"

namespace onnx2mcu {
namespace {

namespace fs = std::filesystem;

// A folder may be replaced if it is empty or holds a program of ours.
absl::Status CheckReplaceable(const fs::path &target) {
  std::error_code error;
  if (!fs::exists(fs::symlink_status(target, error))) return absl::OkStatus();
  const bool ours =
      fs::is_directory(target, error) && (fs::is_empty(target, error) || fs::exists(target / "report.json", error));
  if (ours) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(
      target.string(), ": exists and holds no generated program; give another folder with -o, or remove it"));
}

absl::Status CannotWrite(const fs::path &path, const std::string &why) {
  return absl::InvalidArgumentError(absl::StrCat(path.string(), ": cannot be written (", why,
                                                 "); free space on the disk or give a writable folder with -o"));
}

// Puts the finished folder in place; the one that was there goes only when the new one stands.
absl::Status Replace(const fs::path &finished, const fs::path &target) {
  std::error_code error;
  const fs::path old = finished.string() + ".old";
  const bool existed = fs::exists(target, error);
  if (existed) fs::rename(target, old, error);
  if (!error) fs::rename(finished, target, error);
  if (error && existed) {
    std::error_code ignored;
    fs::rename(old, target, ignored);
  }
  if (error) return CannotWrite(target, error.message());
  fs::remove_all(old, error);
  return absl::OkStatus();
}

}  // namespace

absl::Status WriteFolder(const std::string &folder, const std::vector<GeneratedFile> &files) {
  fs::path target = fs::path(folder).lexically_normal();
  if (target.filename().empty()) target = target.parent_path();  // "out/"
  O2M_RETURN_IF_ERROR(CheckReplaceable(target));
  const SignalGuard guard;  // outlives the folder: an interrupt leaves nothing behind
  const std::string prefix = (target.parent_path() / absl::StrCat(".", target.filename().string(), ".")).string();
  TempFolder temp(prefix);
  if (temp.path().empty()) return CannotWrite(target, std::error_code(errno, std::generic_category()).message());
  for (const GeneratedFile &file : files) {
    if (guard.interrupted()) return absl::CancelledError("interrupted");
    if (!WriteFileBytes(absl::StrCat(temp.path(), "/", file.name), file.text).ok())
      return CannotWrite(target, std::error_code(errno, std::generic_category()).message());
  }
  std::error_code error;
  const mode_t mask = umask(0);  // mkdtemp gave 0700 whatever the user's mask
  umask(mask);
  fs::permissions(temp.path(), static_cast<fs::perms>(0777 & ~mask), error);
  O2M_RETURN_IF_ERROR(Replace(temp.path(), target));
  temp.Release();
  return absl::OkStatus();
}

}  // namespace onnx2mcu
