#include "plugins/check.h"

#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <functional>
#include <map>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "plugins/check_clauses.h"

namespace onnx2mcu {
namespace check {

// ---- from the child: one line per event, kind first

void Reporter::Write(char kind, const std::string &text) {
  std::string line = kind + text;
  std::replace(line.begin(), line.end(), '\n', ' ');
  line += '\n';
  for (size_t at = 0; at < line.size();) {
    const ssize_t n = write(fd_, line.data() + at, line.size() - at);
    if (n <= 0) return;
    at += static_cast<size_t>(n);
  }
}

void Reporter::Begin(const std::string &clause) { Write('@', clause); }
void Reporter::Fail(const std::string &clause, const std::string &seen) {
  failures_++;
  Write('!', clause + "\t" + seen);
}
void Reporter::Count(const std::string &clause) { Write('+', clause); }
void Reporter::Expect(const std::string &clause, const std::string &seen) {
  Count(clause);
  if (!seen.empty()) Fail(clause, seen);
}

}  // namespace check

namespace {
namespace fs = std::filesystem;
using check::Reporter;
using check::Subject;

constexpr o2m_target kHost = {sizeof(o2m_target), "host", 0, 0, 0};

// What a child said. Of each clause the first finding is kept, and how many more there were.
struct Heard {
  std::map<std::string, int64_t> checks;
  std::vector<check::Finding> findings;
  std::map<std::string, int> more;
  std::string last_clause;
};

void Hear(const std::string &line, Heard &heard) {
  const std::string text = line.substr(1);
  if (line[0] == '+') heard.checks[text]++;
  if (line[0] == '@') heard.last_clause = text;
  if (line[0] != '!') return;
  const size_t tab = text.find('\t');
  const std::string clause = text.substr(0, tab);
  const bool known = std::any_of(heard.findings.begin(), heard.findings.end(),
                                 [&](const check::Finding &finding) { return finding.clause == clause; });
  if (known)
    heard.more[clause]++;
  else
    heard.findings.push_back({clause, text.substr(tab + 1)});
}

void Listen(int fd, Heard &heard) {
  std::string pending;
  char buffer[4096];
  for (ssize_t n; (n = read(fd, buffer, sizeof buffer)) > 0;) {
    pending.append(buffer, static_cast<size_t>(n));
    for (size_t end; (end = pending.find('\n')) != std::string::npos; pending.erase(0, end + 1))
      Hear(pending.substr(0, end), heard);
  }
}

std::string Ending(int status, int timeout) {
  if (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM) return absl::StrCat("did not end within ", timeout, " s");
  if (WIFSIGNALED(status)) return absl::StrCat("died of signal ", WTERMSIG(status), ": ", strsignal(WTERMSIG(status)));
  return absl::StrCat("ended the process with exit code ", WEXITSTATUS(status));
}

// Runs `body` in a process of its own, with a fresh copy of the plugin's memory.
Heard RunInChild(int timeout, const std::function<void(Reporter &)> &body) {
  Heard heard;
  int ends[2];
  if (pipe(ends) != 0) {
    heard.findings.push_back({"check", "no pipe: too many open files"});
    return heard;
  }
  const pid_t pid = fork();
  if (pid == 0) {
    close(ends[0]);
    alarm(static_cast<unsigned>(timeout));
    Reporter report(ends[1]);
    body(report);
    _exit(0);
  }
  close(ends[1]);
  if (pid > 0) Listen(ends[0], heard);
  close(ends[0]);
  int status = 0;
  if (pid < 0 || waitpid(pid, &status, 0) != pid)
    heard.findings.push_back({"check", "no child process could be started"});
  else if (status != 0)
    heard.findings.push_back({heard.last_clause, Ending(status, timeout)});
  return heard;
}

std::string NameOf(const o2m_case *c, int32_t index) {
  return c && c->name && *c->name ? c->name : absl::StrCat("#", index);
}

absl::StatusOr<Subject> SubjectOf(const o2m_op *op, const o2m_case *c, uint64_t seed) {
  if (!c) return absl::InvalidArgumentError("o2m.cases/1 gives NULL for this index");
  Subject subject;
  const absl::StatusOr<check::NodeSpec> given = check::SpecOf(op, *c, seed);
  if (!given.ok()) return given.status();
  subject.given = *given;
  subject.case_strides = check::CaseStrides(*c);
  subject.target = kHost;
  subject.seed = seed;
  return subject;
}

// The node that steps in turns with `subject`: the next case that infer() accepts, or the same one.
check::NodeSpec NextOf(const o2m_op *op, const o2m_cases &cases, int32_t index, const Subject &subject) {
  const o2m_case *next = cases.get((index + 1) % cases.count);
  const absl::StatusOr<Subject> other = SubjectOf(op, next, subject.seed + 1);
  if (!other.ok()) return subject.inferred;
  const absl::StatusOr<check::NodeSpec> inferred = check::Infer(other->given, kHost);
  return inferred.ok() ? *inferred : subject.inferred;
}

void CheckCase(const o2m_op *op, const o2m_cases &cases, int32_t index, uint64_t seed, Reporter &report) {
  report.Begin("cases");
  absl::StatusOr<Subject> subject = SubjectOf(op, cases.get(index), seed);
  report.Expect("cases", subject.ok() ? "" : std::string(subject.status().message()));
  if (!subject.ok() || !check::CheckDeclarations(*subject, report) || !report.ok()) return;
  subject->next = NextOf(op, cases, index, *subject);
  if (check::CheckRuns(*subject, report)) check::CheckExtensions(*subject, report);
}

void CheckEmission(const o2m_op *op, const o2m_cases &cases, const std::vector<int32_t> &good, uint64_t seed,
                   const std::string &compiler, const std::string &folder, Reporter &report) {
  report.Begin("emit");
  std::vector<Subject> subjects;
  for (const int32_t index : good) {
    absl::StatusOr<Subject> subject = SubjectOf(op, cases.get(index), seed);
    const absl::StatusOr<check::NodeSpec> inferred = check::Infer(subject->given, kHost);
    if (!inferred.ok()) continue;
    subject->inferred = *inferred;
    subjects.push_back(*subject);
  }
  if (chdir(folder.c_str()) == 0) check::CheckEmitted(subjects, compiler, report);
}

// A folder of its own, gone with the object.
struct TempFolder {
  std::string path;
  TempFolder() {
    std::error_code error;
    std::string name = (fs::temp_directory_path(error) / "onnx2mcu-check-XXXXXX").string();
    if (mkdtemp(name.data())) path = name;
  }
  ~TempFolder() {
    std::error_code error;
    if (!path.empty()) fs::remove_all(path, error);
  }
  TempFolder(const TempFolder &) = delete;
  TempFolder &operator=(const TempFolder &) = delete;
};

void Take(const Heard &heard, const std::string &case_name, CheckedOp &checked, CheckReport &report) {
  for (const auto &[clause, count] : heard.checks) checked.checks[clause] += count;
  checked.violations += static_cast<int>(heard.findings.size());
  for (const check::Finding &finding : heard.findings) {
    const auto more = heard.more.find(finding.clause);
    const std::string tail = more == heard.more.end() ? "" : absl::StrCat("; and ", more->second, " more like it");
    report.violations.push_back({checked.id, case_name, finding.clause, finding.seen + tail});
  }
}

void CheckOp(const o2m_op *op, const CheckOptions &options, CheckReport &report) {
  CheckedOp checked{op->id, 0, {}, 0};
  const auto *cases = check::ExtensionOf<o2m_cases>(op, "o2m.cases/1");
  if (!cases || cases->count <= 0 || !cases->get) {
    Heard none;
    none.findings.push_back({"cases", "the op offers no o2m.cases/1, so that nothing of it can be checked"});
    Take(none, "", checked, report);
  }
  std::vector<int32_t> good;
  for (int32_t i = 0; cases && cases->get && i < cases->count; i++) {
    const Heard heard = RunInChild(options.timeout_seconds, [&](Reporter &child) {
      CheckCase(op, *cases, i, options.seed + static_cast<uint64_t>(i) * 1000, child);
    });
    checked.cases++;
    Take(heard, NameOf(cases->get(i), i), checked, report);
    if (heard.findings.empty()) good.push_back(i);
  }
  if (!good.empty()) {
    const TempFolder folder;
    const Heard heard = RunInChild(options.timeout_seconds, [&](Reporter &child) {
      CheckEmission(op, *cases, good, options.seed, options.compiler, folder.path, child);
    });
    Take(heard, "", checked, report);
  }
  report.ops.push_back(checked);
}

void CheckIds(const o2m_plugin &plugin, const CheckOptions &options, CheckReport &report) {
  for (int32_t i = 0; options.loaded && i < plugin.op_count; i++) {
    const o2m_op *taken = options.loaded->Find(plugin.ops[i]->id);
    std::error_code error;
    if (!taken || fs::equivalent(options.loaded->PathOf(taken), report.path, error)) continue;
    report.violations.push_back({plugin.ops[i]->id, "", "op id", "taken by " + options.loaded->PathOf(taken)});
  }
}

}  // namespace

absl::StatusOr<CheckReport> CheckPlugin(const std::string &path, const CheckOptions &options) {
  Registry registry;
  const absl::Status loaded = registry.Load(path);
  if (!loaded.ok()) return loaded;
  const o2m_plugin &plugin = *registry.plugins()[0].plugin;
  CheckReport report;
  report.path = path;
  report.name = plugin.name ? plugin.name : "";
  report.version = plugin.version ? plugin.version : "";
  const std::vector<std::string> foreign = check::ForeignExports(path);
  if (!foreign.empty())
    report.violations.push_back({"", "", "exports",
                                 absl::StrCat(foreign.size(), " symbols besides onnx2mcu_plugin, the first is ",
                                              foreign.front(), "; link with onnx2mcu_plugin.map")});
  CheckIds(plugin, options, report);
  for (const o2m_op *op : registry.ops()) CheckOp(op, options, report);
  return report;
}

int64_t TotalChecks(const CheckedOp &op) {
  int64_t total = 0;
  for (const auto &[clause, count] : op.checks) total += count;
  return total;
}

std::vector<std::string> NotExercised(const CheckedOp &op) {
  std::vector<std::string> clauses;
  for (const char *clause :
       {"rows == whole", "strided == dense", "transposed == dense", "overwritten == not overwritten", "epilogue",
        "unary table", "split", "variants", "emitted C == run"})
    if (op.checks.count(clause) == 0) clauses.push_back(clause);
  return clauses;
}

void PrintReport(const CheckReport &report, std::ostream &out) {
  out << absl::StrFormat("%s: plugin '%s' %s\n", report.path, report.name, report.version);
  out << absl::StrFormat("%-32s %6s %8s  %s\n", "op", "cases", "checks", "result");
  for (const CheckedOp &op : report.ops) {
    const std::vector<std::string> missing = NotExercised(op);
    out << absl::StrFormat("%-32s %6d %8d  %s%s\n", op.id, op.cases, TotalChecks(op),
                           op.violations == 0 ? "ok" : absl::StrCat(op.violations, " broken"),
                           missing.empty() ? "" : "; not exercised: " + absl::StrJoin(missing, ", "));
  }
  for (const Violation &violation : report.violations) {
    std::string where = violation.op.empty() ? report.path : violation.op;
    if (!violation.case_name.empty()) where += " case '" + violation.case_name + "'";
    out << absl::StrFormat("%s: %s: %s\n", where, violation.clause, violation.seen);
  }
}

}  // namespace onnx2mcu
