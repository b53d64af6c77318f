#include "codegen/process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace onnx2mcu {
namespace {

using Clock = std::chrono::steady_clock;

sigset_t StopSignals() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGINT);
  sigaddset(&set, SIGTERM);
  return set;
}

// TMPDIR: a compiler that is ended in the middle leaves its temporary files, which then go with the folder it worked
// in.
std::vector<std::string> Environment(const Process &process) {
  std::vector<std::string> all = process.variables;
  if (!process.folder.empty()) all.emplace_back("TMPDIR=.");
  const size_t own = all.size();
  for (char **v = environ; *v != nullptr; v++) {
    const absl::string_view variable(*v), name = variable.substr(0, variable.find('=') + 1);
    const auto is_named = [&name](const std::string &one) { return absl::StartsWith(one, name); };
    if (std::none_of(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(own), is_named)) all.emplace_back(*v);
  }
  return all;
}

// As exec takes them: valid as long as `texts` is.
std::vector<char *> Pointers(const std::vector<std::string> &texts) {
  std::vector<char *> pointers;
  for (const std::string &text : texts) pointers.push_back(const_cast<char *>(text.c_str()));
  pointers.push_back(nullptr);
  return pointers;
}

// In the child, between fork and exec: only async-signal-safe calls.
[[noreturn]] void Exec(const std::vector<char *> &argv, const std::vector<char *> &variables, const char *folder,
                       int output, int failure, const sigset_t &mask) {
  setpgid(0, 0);
  sigprocmask(SIG_SETMASK, &mask, nullptr);
  const int nothing = open("/dev/null", O_RDONLY);
  dup2(nothing, 0);
  dup2(output, 1);
  dup2(output, 2);
  if (*folder == 0 || chdir(folder) == 0) execvpe(argv[0], argv.data(), variables.data());
  const int error = errno;
  if (write(failure, &error, sizeof(error)) < 0) _exit(126);
  _exit(127);
}

// Ends the child and all it started (a compiler driver runs others), and gives them the moment they need to be gone:
// whoever removes their folder next must not race with a last write. Zombies that nobody reaps are not waited for.
void EndGroup(pid_t child, int *status) {
  kill(-child, SIGKILL);
  waitpid(child, status, 0);
  for (int i = 0; i < 100 && kill(-child, 0) == 0; i++) usleep(1000);
}

// Polls rather than waits for SIGCHLD: a signal mask of its own would not hold in a program with more threads. The
// child's end wakes it at once; where the kernel offers no such descriptor, poll() only sleeps.
int Wait(pid_t child, const Process &process, const SignalGuard &guard, bool *timed_out, bool *stopped) {
  const auto start = Clock::now();
  pollfd ended = {static_cast<int>(syscall(SYS_pidfd_open, child, 0)), POLLIN, 0};
  int status = 0;
  for (int pause_ms = 1; waitpid(child, &status, WNOHANG) == 0; pause_ms = std::min(2 * pause_ms, 20)) {
    const double seconds = std::chrono::duration<double>(Clock::now() - start).count();
    *timed_out = process.timeout_seconds > 0 && seconds > process.timeout_seconds;
    *stopped = guard.interrupted();
    if (*timed_out || *stopped) {
      EndGroup(child, &status);
      break;
    }
    poll(&ended, ended.fd >= 0 ? 1 : 0, pause_ms);
  }
  if (ended.fd >= 0) close(ended.fd);
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

}  // namespace

struct SignalGuard::Mask {
  sigset_t before;
};

SignalGuard::SignalGuard() : mask_(new Mask) {
  const sigset_t stop = StopSignals();
  pthread_sigmask(SIG_BLOCK, &stop, &mask_->before);
}

SignalGuard::~SignalGuard() {
  pthread_sigmask(SIG_SETMASK, &mask_->before, nullptr);
  delete mask_;
}

bool SignalGuard::interrupted() const {
  sigset_t pending;
  sigpending(&pending);
  return sigismember(&pending, SIGINT) == 1 || sigismember(&pending, SIGTERM) == 1;
}

absl::StatusOr<ProcessResult> RunProcess(const Process &process) {
  const std::vector<std::string> environment = Environment(process);
  const std::vector<char *> argv = Pointers(process.arguments), variables = Pointers(environment);
  // Output goes through a file without a name: no pipe to drain, no thread.
  char output_name[] = "/tmp/onnx2mcu-out-XXXXXX";
  const int output = mkostemp(output_name, O_CLOEXEC);
  if (output < 0) return absl::InvalidArgumentError(absl::StrCat("/tmp: cannot write (", strerror(errno), ")"));
  unlink(output_name);
  int failure[2];
  if (pipe2(failure, O_CLOEXEC) != 0) return close(output), absl::InternalError("no more pipes");

  SignalGuard guard;
  sigset_t child_mask;
  sigemptyset(&child_mask);
  const pid_t child = fork();
  if (child == 0) Exec(argv, variables, process.folder.c_str(), output, failure[1], child_mask);
  if (child > 0) setpgid(child, child);  // as the child does itself: whoever comes first
  close(failure[1]);
  ProcessResult result;
  bool stopped = false;
  int exec_error = 0;
  if (child > 0) {
    const ssize_t got = read(failure[0], &exec_error, sizeof(exec_error));
    if (got <= 0) exec_error = 0;
    result.exit_code = Wait(child, process, guard, &result.timed_out, &stopped);
  }
  close(failure[0]);
  char buffer[4096];
  ssize_t got;
  lseek(output, 0, SEEK_SET);
  while ((got = read(output, buffer, sizeof(buffer))) > 0) result.output.append(buffer, static_cast<size_t>(got));
  close(output);

  if (child < 0) return absl::InternalError("no more processes");
  if (stopped) return absl::CancelledError("interrupted");
  if (exec_error != 0) {
    return absl::NotFoundError(absl::StrCat(process.arguments[0], ": cannot start (", strerror(exec_error),
                                            "); scripts/setup installs the compilers and emulators"));
  }
  return result;
}

std::string TempPrefix() {
  const char *folder = getenv("TMPDIR");
  return absl::StrCat(folder != nullptr && *folder != 0 ? folder : "/tmp", "/onnx2mcu-");
}

TempFolder::TempFolder(const std::string &prefix) : path_(prefix + "XXXXXX") {
  if (mkdtemp(path_.data()) == nullptr) path_.clear();
}

TempFolder::~TempFolder() {
  std::error_code ignored;
  if (!path_.empty()) std::filesystem::remove_all(path_, ignored);
}

}  // namespace onnx2mcu
