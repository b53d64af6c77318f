// codegen/process.h - child programs (compilers, emulators) and temporary folders that leave nothing behind.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "importer/ir/status.h"

namespace onnx2mcu {

struct Process {
  std::vector<std::string> arguments;  // [0]: the program, searched in PATH; no shell is involved
  std::string folder;                  // working directory, and where it puts temporary files; empty: this process's
  double timeout_seconds = 0;          // 0: none
  std::vector<std::string> variables = {};  // "NAME=value", besides this process's environment
};
struct ProcessResult {
  int exit_code = 0;  // 128 + signal where one ended it
  bool timed_out = false;
  std::string output;  // stdout and stderr together
};
// NotFound where the program does not exist; Cancelled where this process was told to stop (SIGINT, SIGTERM) meanwhile:
// the child is ended and the signal stays pending no longer than until the call returns.
absl::StatusOr<ProcessResult> RunProcess(const Process &process);

// A folder of its own, removed with all it holds when this goes out of scope unless Release() was called.
class TempFolder {
 public:
  explicit TempFolder(const std::string &prefix);  // "/tmp/onnx2mcu-": six letters are appended
  ~TempFolder();
  TempFolder(const TempFolder &) = delete;
  TempFolder &operator=(const TempFolder &) = delete;
  const std::string &path() const { return path_; }  // empty where it could not be made; errno says why
  void Release() { path_.clear(); }

 private:
  std::string path_;
};
std::string TempPrefix();  // "$TMPDIR/onnx2mcu-" or "/tmp/onnx2mcu-"

// Holds SIGINT and SIGTERM back while alive, so that clean-up code runs before they end the process.
class SignalGuard {
 public:
  SignalGuard();
  ~SignalGuard();
  SignalGuard(const SignalGuard &) = delete;
  SignalGuard &operator=(const SignalGuard &) = delete;
  bool interrupted() const;  // one of them is pending

 private:
  struct Mask;
  Mask *mask_;
};

}  // namespace onnx2mcu
