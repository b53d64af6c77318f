// Emitted C == run(): every case's code in one program, compiled by the host's compiler and run on the same bytes.
#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <map>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "plugins/check_clauses.h"
#include "plugins/check_program.h"

extern char **environ;

namespace onnx2mcu::check {
namespace {

constexpr char kPrefix[] = "check_";
constexpr char kWarnings[] = "-Wall -Wextra -Wconversion -Wshadow -Werror";

// One call site and the runs it must reproduce.
struct Emission {
  std::string case_name, what;
  NodeSpec packed;
  int32_t rows = 1;
  std::vector<std::vector<Bytes>> inputs;  // per run
};

// ---- which call sites

void Add(const Subject &subject, const std::string &what, const NodeSpec &spec, int32_t rows,
         const std::vector<Fill> &fills, std::vector<Emission> &all) {
  const absl::StatusOr<NodeSpec> packed = Pack(spec, subject.target, 0);
  if (!packed.ok()) return;  // reported with the case
  Emission emission{subject.given.name, what, *packed, rows, {}};
  for (const Fill fill : fills) emission.inputs.push_back(MakeInputs(spec, fill, subject.seed));
  all.push_back(std::move(emission));
}

void AddEmissions(const Subject &subject, std::vector<Emission> &all) {
  const NodeSpec &base = subject.inferred;
  const int32_t steps = std::max(MemoryOf(base, subject.target, 1).steps, 1);
  const int32_t tile = ShortTile(steps);
  Add(subject, "whole", base, steps, {std::begin(kFills), std::end(kFills)}, all);
  if (steps > 1) Add(subject, absl::StrCat("rows=", tile), base, tile, {Fill::kRandom, Fill::kEdges}, all);
  for (const Strided &strided : StridedSpecs(subject))
    if (strided.widest)
      Add(subject, absl::StrCat(strided.name, ", rows=", tile), strided.spec, tile, {Fill::kRandom}, all);
  const NodeSpec epilogue = WithEpilogue(subject);
  if (!epilogue.op) return;
  const absl::StatusOr<NodeSpec> inferred = Infer(epilogue, subject.target);
  if (inferred.ok()) Add(subject, "with an epilogue", *inferred, tile, {Fill::kRandom}, all);
}

// ---- the program

std::string Sizes(const std::vector<CheckBlock> &blocks, int64_t CheckBlock::*field) {
  const auto text = [field](std::string *out, const CheckBlock &block) { absl::StrAppend(out, block.*field); };
  return absl::StrCat("(const size_t[]){", absl::StrJoin(blocks, ", ", text), "}");
}

// A pass of the program: what its memory holds before and must hold after.
struct Pass {
  size_t emission = 0;
  std::vector<CheckBlock> before, after;
};

std::vector<Pass> RunAll(const std::vector<Emission> &emissions, const o2m_target &target) {
  std::vector<Pass> passes;
  for (size_t e = 0; e < emissions.size(); e++) {
    const o2m_memory memory = MemoryOf(emissions[e].packed, target, emissions[e].rows);
    for (const std::vector<Bytes> &inputs : emissions[e].inputs) {
      RunOptions options;
      options.rows = emissions[e].rows;
      options.hide_rows = false;
      Session session(emissions[e].packed, memory, inputs, options);
      Pass pass{e, session.blocks(), {}};
      session.Run();
      pass.after = session.blocks();
      passes.push_back(std::move(pass));
    }
  }
  return passes;
}

constexpr char kMain[] = R"(
static void pass(void (*run)(uint8_t *const *), int count, const size_t *size, const size_t *begin, FILE *in,
                 FILE *out) {
  uint8_t *image[64] = {0}, *at[64] = {0};
  for (int i = 0; i < count; i++) {
    image[i] = malloc(size[i]);
    if (!image[i] || fread(image[i], 1, size[i], in) != size[i]) exit(3);
    at[i] = image[i] + begin[i];
  }
  run(at);
  for (int i = 0; i < count; i++) {
    if (fwrite(image[i], 1, size[i], out) != size[i]) exit(3);
    free(image[i]);
  }
}

int main(void) {
  FILE *const in = fopen("in.bin", "rb"), *const out = fopen("out.bin", "wb");
  if (!in || !out) return 3;
)";

std::string MainText(const CheckProgram &program, const std::vector<Pass> &passes) {
  std::string text = "#include <stdint.h>\n#include <stdio.h>\n#include <stdlib.h>\n#include <string.h>\n\n";
  for (const auto &[name, source] : program.sources)
    if (name.size() > 2 && name.substr(name.size() - 2) == ".h") absl::StrAppend(&text, "#include \"", name, "\"\n");
  absl::StrAppend(&text, "\n", program.definitions, "\n", program.functions, kMain);
  for (const Pass &pass : passes)
    absl::StrAppend(&text, "  pass(run_", pass.emission, ", ", pass.before.size(), ", ",
                    Sizes(pass.before, &CheckBlock::image_size), ", ", Sizes(pass.before, &CheckBlock::begin),
                    ", in, out);\n");
  return text + "  return fclose(out);\n}\n";
}

void WriteText(const std::string &name, const std::string &text) {
  std::ofstream(name, std::ios::binary).write(text.data(), static_cast<std::streamsize>(text.size()));
}

void WriteProgram(const CheckProgram &program, const std::vector<Pass> &passes) {
  for (const auto &[name, text] : program.sources) WriteText(name, text);
  WriteText("o2m_sym.h", absl::StrCat("#ifndef O2M_SYM_H_\n#define O2M_SYM_H_\n#define O2M_SYM(name) ", kPrefix,
                                      "##name\n#endif\n"));
  WriteText("check_main.c", MainText(program, passes));
  std::string data;
  for (const Pass &pass : passes)
    for (const CheckBlock &block : pass.before) data.append(block.image(), block.image() + block.image_size);
  WriteText("in.bin", data);
}

// ---- compiling and running

// Runs a command in this folder, its output in "log.txt". -1: it could not be started.
int Run(const std::string &command) {
  std::vector<std::string> words;
  for (size_t at = 0; at < command.size();) {
    const size_t end = std::min(command.find(' ', at), command.size());
    if (end > at) words.push_back(command.substr(at, end - at));
    at = end + 1;
  }
  std::vector<char *> argv;
  for (std::string &word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 1, "log.txt", O_WRONLY | O_CREAT | O_TRUNC, 0644);
  posix_spawn_file_actions_adddup2(&actions, 1, 2);
  pid_t pid = 0;
  const int error = posix_spawnp(&pid, argv[0], &actions, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  int status = 0;
  if (error != 0 || waitpid(pid, &status, 0) != pid) return -1;
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

// The line of the log that says what is wrong.
std::string LogLine() {
  std::ifstream log("log.txt");
  std::string line, first;
  while (std::getline(log, line)) {
    if (line.find("error:") != std::string::npos) return line;
    if (first.empty()) first = line;
  }
  return first;
}

std::string BlockName(const NodeSpec &node, size_t block) {
  const size_t inputs = node.inputs.size(), operands = inputs + node.outputs.size();
  if (block < inputs) return absl::StrCat("input ", block);
  if (block < operands) return absl::StrCat("output ", block - inputs);
  return block == operands ? "scratch" : "state";
}

// What differs in the memory of a pass, empty if nothing. Scratch is undefined after a call.
std::string DifferentMemory(const NodeSpec &node, const Pass &pass, const uint8_t *got) {
  for (size_t b = 0; b < pass.after.size(); b++) {
    const CheckBlock &expected = pass.after[b];
    const bool scratch = b + 2 == pass.after.size();
    for (int64_t i = 0; i < expected.image_size; i++) {
      if (scratch && i == expected.begin) i += expected.size;
      if (got[i] == expected.image()[i]) continue;
      return absl::StrCat(BlockName(node, b), ", byte ", i - expected.begin, " of ", expected.size, ": run() gives ",
                          expected.image()[i], ", the emitted C ", got[i]);
    }
    got += expected.image_size;
  }
  return "";
}

int64_t SizeOf(const Pass &pass) {
  int64_t size = 0;
  for (const CheckBlock &block : pass.after) size += block.image_size;
  return size;
}

void CompareOutput(const std::vector<Emission> &emissions, const std::vector<Pass> &passes, const std::string &how,
                   Reporter &report) {
  std::ifstream file("out.bin", std::ios::binary);
  const Bytes got(std::istreambuf_iterator<char>(file), {});
  int64_t at = 0;
  for (const Pass &pass : passes) {
    const int64_t size = SizeOf(pass);
    if (at + size > static_cast<int64_t>(got.size())) return report.Fail("emitted C == run", how + "stopped early");
    const Emission &emission = emissions[pass.emission];
    const std::string difference = DifferentMemory(emission.packed, pass, &got[at]);
    const std::string where = absl::StrCat(how, "case ", emission.case_name, ", ", emission.what, ": ");
    report.Expect("emitted C == run", difference.empty() ? "" : where + difference);
    at += size;
  }
}

std::vector<std::string> KernelFiles(const CheckProgram &program) {
  std::vector<std::string> names;
  for (const auto &[name, text] : program.sources)
    if (name.size() > 2 && name.substr(name.size() - 2) == ".c") names.push_back(name);
  return names;
}

// Compiles with all warnings, file by file, so that kernels' symbols can be looked at.
bool Compile(const CheckProgram &program, const std::string &compiler, Reporter &report) {
  std::string objects;
  std::vector<std::string> files = KernelFiles(program);
  files.push_back("check_main.c");
  for (const std::string &file : files) {
    const std::string object = file + ".o";
    const int rc = Run(absl::StrCat(compiler, " -std=c11 -O1 ", kWarnings, " -I. -c ", file, " -o ", object));
    const std::string seen = rc == -1 ? absl::StrCat("cannot run the compiler '", compiler, "'; install one")
                                      : absl::StrCat(file, ": ", LogLine());
    report.Expect("emitted C compiles", rc == 0 ? "" : seen);
    if (rc != 0) return false;
    absl::StrAppend(&objects, " ", object);
    if (file == files.back()) continue;
    const std::vector<std::string> wrong = ForeignSymbols(object, kPrefix);
    report.Expect("kernel symbols", wrong.empty() ? "" : absl::StrCat(file, ": ", wrong.front()));
  }
  const int rc = Run(absl::StrCat(compiler, " -o check_main", objects));
  report.Expect("emitted C compiles", rc == 0 ? "" : "does not link: " + LogLine());
  return rc == 0;
}

void RunProgram(const std::string &program, const std::string &how, const std::vector<Emission> &emissions,
                const std::vector<Pass> &passes, Reporter &report) {
  std::remove("out.bin");
  const int rc = Run(program);
  report.Expect("emitted C == run", rc == 0 ? "" : absl::StrCat(how, "ended with ", rc, ": ", LogLine()));
  if (rc == 0) CompareOutput(emissions, passes, how, report);
}

}  // namespace

void CheckEmitted(const std::vector<Subject> &subjects, const std::string &compiler, Reporter &report) {
  report.Begin("emit");
  std::vector<Emission> emissions;
  for (const Subject &subject : subjects) AddEmissions(subject, emissions);
  if (emissions.empty()) return;
  CheckProgram program;
  const o2m_target target = subjects[0].target;
  for (size_t e = 0; e < emissions.size(); e++) {
    const std::string error = EmitCall(emissions[e].packed, target, emissions[e].rows, e, program);
    const std::string where = absl::StrCat("case ", emissions[e].case_name, ", ", emissions[e].what, ": ");
    report.Expect("emit", error.empty() ? "" : where + error);
    if (!error.empty()) return;
  }
  for (const std::string &error : SourceErrors(program)) report.Fail("kernel sources", error);
  const std::vector<Pass> passes = RunAll(emissions, target);
  WriteProgram(program, passes);
  report.Begin("emitted C compiles");
  if (!Compile(program, compiler, report)) return;
  report.Begin("emitted C == run");
  RunProgram("./check_main", "", emissions, passes, report);
  // The same program again with traps on undefined behaviour, where the compiler has its run-time library.
  const std::string files = absl::StrCat(absl::StrJoin(KernelFiles(program), " "), " check_main.c");
  const std::string flags = " -std=c11 -O1 -g1 -fsanitize=undefined -fno-sanitize-recover=undefined -I. ";
  if (Run(absl::StrCat(compiler, flags, files, " -o check_undefined")) == 0)
    RunProgram("./check_undefined", "undefined behaviour: ", emissions, passes, report);
}

}  // namespace onnx2mcu::check
