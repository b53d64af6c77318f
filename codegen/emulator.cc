// emulator.cc - a folder with the generated C and the harness, a compiler call for each file, one link, one run for all
// samples.
#include "codegen/emulator.h"

#include <algorithm>
#include <filesystem>
#include <sstream>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "codegen/elf.h"
#include "codegen/emulator_layout.h"
#include "codegen/emulator_sources.h"
#include "codegen/process.h"
#include "importer/data/files.h"

namespace onnx2mcu {
namespace {

// By the machine: a plugin may be shown fewer features than it has.
bool IsRiscv(const Target &target) { return target.emulator.protection == Protection::kPmp; }

constexpr double kTimeoutSeconds = 3600;

struct Paths {
  std::string folder;  // generated C; boot/: the harness; libc/: string.h
  std::string elf = "program.elf", script = "board.ld";
  std::string counts = "counts.txt", marks = "marks.txt", profile = "profile.txt";  // of the counting plugin
};

bool OnHost(const Compilation &compilation) { return compilation.target.emulator.program.empty(); }

// The line of a compiler's or linker's output that says what is wrong.
std::string FirstError(const std::string &output) {
  std::istringstream lines(output);
  std::string line, first;
  while (std::getline(lines, line)) {
    if (first.empty()) first = line;
    if (absl::StrContains(line, "overflowed by") || absl::StrContains(line, "for the stack") ||
        absl::StrContains(line, "error:") || absl::StrContains(line, "undefined reference"))
      return line;
  }
  return first;
}

absl::Status RunCompiler(const Compilation &compilation, const std::string &folder,
                         std::vector<std::string> arguments) {
  std::vector<std::string> command = {compilation.target.compiler};
  command.insert(command.end(), compilation.target.flags.begin(), compilation.target.flags.end());
  command.insert(command.end(), arguments.begin(), arguments.end());
  O2M_ASSIGN_OR_RETURN(const ProcessResult result, RunProcess({command, folder, kTimeoutSeconds}));
  if (result.exit_code == 0) return absl::OkStatus();
  return absl::InternalError(
      absl::StrCat("the generated C does not build for ", compilation.target.id, ": ", FirstError(result.output)));
}

bool IsSource(const GeneratedFile &file) { return absl::EndsWith(file.name, ".c") && !file.example; }
std::string ObjectOf(const GeneratedFile &source) { return source.name.substr(0, source.name.size() - 2) + ".o"; }

// A file of harness or libc, by itself: the same for all networks, which a compiler cache makes use of.
absl::Status CompileRuntime(const Compilation &compilation, const std::string &folder, const std::string &file,
                            const std::vector<std::string> &flags) {
  std::vector<std::string> arguments = {"-O2", "-c", file};
  arguments.insert(arguments.end(), flags.begin(), flags.end());
  return RunCompiler(compilation, folder, arguments);
}

absl::Status CompileHarness(const Compilation &compilation, const EmulatorOptions &options, const std::string &folder) {
  std::vector<std::string> flags = {"-pipe"};
  if (options.page_guards) flags.emplace_back("-DHARNESS_EXACT_SAMPLES=0");
  if (OnHost(compilation)) {
    O2M_RETURN_IF_ERROR(CompileRuntime(compilation, folder, "harness_host.c", flags));
  } else {
    const bool riscv = IsRiscv(compilation.target);
    flags.insert(flags.end(), {"-isystem", "../libc"});
    if (riscv) flags.emplace_back("-march=rv32imc_zicsr");
    O2M_RETURN_IF_ERROR(CompileRuntime(compilation, folder, "harness_main.c", flags));
    O2M_RETURN_IF_ERROR(
        CompileRuntime(compilation, folder, riscv ? "harness_start_riscv.S" : "harness_start_arm.c", flags));
  }
  flags.insert(flags.end(), {options.quick_build ? "-O0" : "-O2", "-I.."});
  return CompileRuntime(compilation, folder, "harness_model.c", flags);
}

// A call of the compiler for each: what a compiler cache takes.
absl::Status CompileAll(const Compilation &compilation, const std::vector<GeneratedFile> &files,
                        const EmulatorOptions &options, const std::string &folder) {
  const std::string quick = options.quick_build ? "-O0" : "-O2",
                    network_file = absl::StrCat(compilation.graph.name, ".c");
  std::vector<std::string> network = {
      "-std=c11", "-pipe", "-ffunction-sections", "-fdata-sections", "-include", "boot/harness_mark.h", "-c"};
  if (!OnHost(compilation)) {
    network.insert(network.begin(), {"-isystem", "libc"});
    // a loop that copies must not become a call of the function that holds it
    O2M_RETURN_IF_ERROR(
        CompileRuntime(compilation, folder, "libc/libc.c",
                       {"-ffunction-sections", "-fno-tree-loop-distribute-patterns", "-isystem", "libc"}));
  }
  for (const GeneratedFile &file : files) {
    if (!IsSource(file)) continue;
    if (!file.object.empty()) {
      O2M_RETURN_IF_ERROR(WriteFileBytes(absl::StrCat(folder, "/", ObjectOf(file)), file.object));
      continue;
    }
    std::vector<std::string> one = network;
    one.insert(one.end(), {file.name == network_file ? quick : "-O2", file.name});
    O2M_RETURN_IF_ERROR(RunCompiler(compilation, folder, one));
  }
  return CompileHarness(compilation, options, folder + "/boot");
}

bool Overflows(const absl::Status &status, const std::string &region) {
  return absl::StrContains(status.message(), absl::StrCat("region `", region, "' overflowed"));
}

// "region `FLASH' overflowed by 123 bytes" in the linker's words; ours in terms of the board.
absl::Status LinkStatus(const Compilation &compilation, const EmulatorLayout &layout, const absl::Status &status) {
  if (status.ok() || absl::IsCancelled(status) || absl::IsNotFound(status)) return status;
  const std::string where = absl::StrCat(compilation.graph.file, ": does not fit the ");
  if (Overflows(status, "FLASH") || Overflows(status, "EXTERNAL")) {
    const bool external = Overflows(status, "EXTERNAL");
    return absl::ResourceExhaustedError(
        absl::StrCat(where, external ? layout.external.bytes : layout.flash.bytes, " B of ",
                     external ? "external flash" : "FLASH", " of ", BoardName(compilation),
                     " when linked; a smaller or low-rank model is needed, or a board with more flash"));
  }
  if (Overflows(status, "CALL"))
    return absl::ResourceExhaustedError(
        absl::StrCat(where, layout.call.bytes, " B of emulated memory for the code that passes inputs and outputs"));
  if (Overflows(status, "RAM") || Overflows(status, "RAM1") || Overflows(status, "RAM2") ||
      Overflows(status, "STACK") || absl::StrContains(status.message(), "for the stack")) {
    return absl::ResourceExhaustedError(absl::StrCat(
        where, layout.ram.bytes, " B of RAM of ", BoardName(compilation), " when linked (arena ", layout.beside_stack,
        " B, stack allowance ", kStackAllowance, " B); try --optimize=ram or a larger board"));
  }
  return status;
}

absl::Status LinkWith(const Compilation &compilation, const EmulatorLayout &layout, std::vector<std::string> arguments,
                      const std::string &weights_region, const Paths &paths) {
  const bool riscv = IsRiscv(compilation.target);
  O2M_RETURN_IF_ERROR(
      WriteFileBytes(absl::StrCat(paths.folder, "/", paths.script), LinkerScript(compilation, layout, weights_region)));
  arguments.insert(
      arguments.end(),
      {"boot/harness_model.o", "boot/harness_main.o", riscv ? "boot/harness_start_riscv.o" : "boot/harness_start_arm.o",
       "libc.o", "-nostdlib", "-nostartfiles", "-Wl,--gc-sections", "-Wl,--no-warn-rwx-segments",
       "-Wl,-e," + std::string(riscv ? "_start" : "harness_reset"), "-T", paths.script, "-lgcc"});
  return RunCompiler(compilation, paths.folder, arguments);
}

// Weights lie beside the code, or in external flash where the board has some and they do not fit.
absl::Status Link(const Compilation &compilation, const EmulatorLayout &layout, const std::vector<GeneratedFile> &files,
                  const Paths &paths) {
  std::vector<std::string> arguments = {"-o", paths.elf};
  for (const GeneratedFile &file : files)
    if (IsSource(file)) arguments.push_back(ObjectOf(file));
  if (OnHost(compilation)) {
    arguments.insert(arguments.end(), {"boot/harness_model.o", "boot/harness_host.o"});
    return RunCompiler(compilation, paths.folder, arguments);
  }
  absl::Status status = LinkWith(compilation, layout, arguments, "FLASH", paths);
  if (Overflows(status, "FLASH") && layout.external.bytes > 0)
    status = LinkWith(compilation, layout, arguments, "EXTERNAL", paths);
  return LinkStatus(compilation, layout, status);
}

// The counting plugin lies beside the tool, or where it is installed; empty: none, nothing is counted.
std::string CountPlugin() {
  std::error_code error;
  const std::filesystem::path self = std::filesystem::read_symlink("/proc/self/exe", error).parent_path();
  for (const char *place : {"qemu_count.so", "../bin/qemu_count.so", "../lib/onnx2mcu/qemu_count.so"}) {
    const std::filesystem::path path = self / place;
    if (!error && std::filesystem::exists(path, error)) return std::filesystem::canonical(path, error).string();
  }
  return "";
}

std::vector<std::string> EmulatorCommand(const Compilation &compilation, const EmulatorOptions &options,
                                         const Paths &paths) {
  if (OnHost(compilation)) return {"./" + paths.elf};
  const Emulator &machine = compilation.target.emulator;
  std::vector<std::string> command = {machine.program,
                                      "-M",
                                      machine.machine,
                                      "-display",
                                      "none",
                                      "-monitor",
                                      "none",
                                      "-serial",
                                      "none",
                                      "-semihosting-config",
                                      "enable=on,target=native",
                                      "-kernel",
                                      paths.elf};
  if (IsRiscv(compilation.target)) {
    command.insert(command.end(), {"-bios", "none", "-m", "256M"});
  }
  if (const std::string plugin = options.count ? CountPlugin() : ""; !plugin.empty()) {
    command.insert(command.end(), {"-plugin", absl::StrCat(plugin, ",out=", paths.counts, ",marks=", paths.marks,
                                                           ",profile=", paths.profile)});
  }
  return command;
}

// What the harness printed: lines "@word number [number ...]".
struct Report {
  int64_t samples = -1, stack = 0, selftest = -1;
  bool fault = false, stray = false;
  uint32_t cause = 0, pc = 0, address = 0;  // of a fault; address of a stray write
  std::vector<uint64_t> arenas;             // where they lay then
  std::string error;
};

Report ParseReport(const std::string &output) {
  Report report;
  std::istringstream lines(output);
  std::string line;
  while (std::getline(lines, line)) {
    std::istringstream words(line);
    std::string word;
    uint32_t value[3] = {};
    words >> word;
    const int values = word == "@fault" ? 3 : 1;
    for (int i = 0; i < values; i++) words >> value[i];
    if (word == "@done") report.samples = value[0];
    if (word == "@stack") report.stack = value[0];
    if (word == "@selftest") report.selftest = static_cast<int32_t>(value[0]);
    if (word == "@fault") report.fault = true, report.cause = value[0], report.pc = value[1], report.address = value[2];
    if (word == "@stray") report.stray = true, report.address = value[0];
    if (word == "@fault" || word == "@stray")
      for (uint64_t arena; words >> arena;) report.arenas.push_back(arena);
    if (word == "@error" || absl::StartsWith(line, "qemu: fatal")) report.error = line;
  }
  return report;
}

// Arm: the bits of CFSR; RISC-V: mcause.
std::string DescribeFault(const Compilation &compilation, const EmulatorLayout &layout, const Paths &paths,
                          const Report &report) {
  const auto elf = ReadFileBytes(absl::StrCat(paths.folder, "/", paths.elf));
  const std::string function = elf.ok() ? ElfFunctionAt(*elf, report.pc) : "";
  const std::string at = absl::StrCat(" (pc 0x", absl::Hex(report.pc), ", cause 0x", absl::Hex(report.cause), ")");
  const bool riscv = IsRiscv(compilation.target);
  const bool fetch = riscv ? report.cause == 1 : (report.cause & 1) != 0;
  const bool data = riscv ? report.cause == 5 || report.cause == 7 : (report.cause & 0x8082) != 0;
  const std::string who = function.empty() ? "code" : function;
  if (fetch) return absl::StrCat("memory fault: what is not code of the network was to be run", at);
  if (!data) return absl::StrCat("fault in ", who, at);
  return absl::StrCat("memory fault: ", who, " touched ", DescribeAddress(layout, report.arenas, report.address), at);
}

absl::Status CheckRun(const Compilation &compilation, const EmulatorLayout &layout, const Paths &paths,
                      const ProcessResult &result, const Report &report, size_t samples) {
  const std::string where = absl::StrCat("generated C on ", compilation.target.id, ": ");
  if (result.timed_out) return absl::InternalError(absl::StrCat(where, "still running after ", kTimeoutSeconds, " s"));
  if (report.fault) return absl::InternalError(where + DescribeFault(compilation, layout, paths, report));
  if (report.stray)
    return absl::InternalError(absl::StrCat(where, "memory fault: the network wrote ",
                                            DescribeAddress(layout, report.arenas, report.address)));
  if (!report.error.empty()) return absl::InternalError(where + report.error);
  if (result.exit_code != 0 || report.samples < 0) {
    return absl::InternalError(
        absl::StrCat(where, "ended with status ", result.exit_code, " ", FirstError(result.output)));
  }
  if (report.samples != static_cast<int64_t>(samples)) {
    return absl::InternalError(absl::StrCat(where, report.samples, " of ", samples, " samples processed"));
  }
  return absl::OkStatus();
}

absl::Status ReadOutputs(const Paths &paths, const Graph &graph, size_t samples, EmulatorRun *run) {
  size_t bytes = 0;
  for (const TensorId id : graph.outputs) bytes += static_cast<size_t>(BytesOf(graph.tensors[id]));
  O2M_ASSIGN_OR_RETURN(const std::string out, ReadFileBytes(paths.folder + "/out.bin"));
  if (out.size() != samples * bytes) return absl::InternalError("the harness wrote outputs of another size");
  for (size_t i = 0; i < samples; i++)
    run->outputs.emplace_back(out.begin() + i * bytes, out.begin() + (i + 1) * bytes);
  return absl::OkStatus();
}

void ReadCounts(const Paths &paths, EmulatorRun *run) {
  const auto text = ReadFileBytes(absl::StrCat(paths.folder, "/", paths.counts));
  if (!text.ok()) return;
  std::istringstream lines(*text);
  std::vector<int64_t> counts;
  for (int64_t count; lines >> count;) counts.push_back(count);
  std::sort(counts.begin(), counts.end());
  if (!counts.empty()) run->instructions = counts[counts.size() / 2];
}

// What the counting plugin is told before the run and tells after it.
absl::Status WriteMarks(const Paths &paths, const std::string &elf) {
  return WriteFileBytes(absl::StrCat(paths.folder, "/", paths.marks), MarksFor(ReadElf(elf)));
}

void ReadProfile(const Paths &paths, const Target &target, const std::string &elf, EmulatorRun *run) {
  const auto text = ReadFileBytes(absl::StrCat(paths.folder, "/", paths.profile));
  if (text.ok()) run->profile = ReadProfile(*text, ReadElf(elf), CycleTableOf(target.features));
}

absl::Status ReadSizes(const std::string &elf, EmulatorRun *run) {
  O2M_ASSIGN_OR_RETURN(auto sections, ElfSections(elf));
  run->text = sections[".text"];
  run->rodata = sections[".rodata"];
  run->weights = sections[".weights"];
  run->arena = run->arena > 0 ? sections[".arena"] + sections[".arena1"] + sections[".arena2"]
                              : 0;  // of a network without one it is 1, for C's sake
  run->data = sections[".data"];
  run->bss = sections[".bss"];
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<EmulatorRun> RunOnEmulator(const Compilation &compilation, const std::vector<GeneratedFile> &files,
                                          const std::vector<std::vector<uint8_t>> &samples,
                                          const EmulatorOptions &options) {
  const SignalGuard guard;  // outlives the folder: an interrupt leaves nothing behind
  const TempFolder temp(TempPrefix());
  if (temp.path().empty()) return absl::InvalidArgumentError(TempPrefix() + "*: cannot make a temporary folder");
  const Paths paths{temp.path()};
  O2M_ASSIGN_OR_RETURN(const EmulatorLayout layout, LayoutOf(compilation));
  O2M_RETURN_IF_ERROR(WriteEmulatorSources(compilation, layout, files, samples, paths.folder));
  O2M_RETURN_IF_ERROR(CompileAll(compilation, files, options, paths.folder));
  O2M_RETURN_IF_ERROR(Link(compilation, layout, files, paths));
  O2M_ASSIGN_OR_RETURN(const std::string elf, ReadFileBytes(absl::StrCat(paths.folder, "/", paths.elf)));
  if (!OnHost(compilation) && options.count) O2M_RETURN_IF_ERROR(WriteMarks(paths, elf));
  const Process process{EmulatorCommand(compilation, options, paths), paths.folder, kTimeoutSeconds};
  O2M_ASSIGN_OR_RETURN(const ProcessResult result, RunProcess(process));
  const Report report = ParseReport(result.output);
  O2M_RETURN_IF_ERROR(CheckRun(compilation, layout, paths, result, report, samples.size()));

  EmulatorRun run;
  run.arena = ArenaRam(compilation.plan);
  run.selftest = static_cast<int>(report.selftest);
  O2M_RETURN_IF_ERROR(ReadOutputs(paths, compilation.graph, samples.size(), &run));
  if (OnHost(compilation)) return run;
  run.stack = report.stack;
  run.guards = static_cast<int>(layout.guards.size());
  if (options.count) ReadCounts(paths, &run), ReadProfile(paths, compilation.target, elf, &run);
  O2M_RETURN_IF_ERROR(ReadSizes(elf, &run));
  return run;
}

}  // namespace onnx2mcu
