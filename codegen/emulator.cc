// emulator.cc - a folder with the generated C and the harness, one compiler call, one link, one run for all samples.
#include "codegen/emulator.h"

#include <algorithm>
#include <filesystem>
#include <sstream>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "codegen/elf.h"
#include "codegen/names.h"
#include "codegen/process.h"
#include "codegen/runtime.h"

namespace onnx2mcu {
namespace {

constexpr double kTimeoutSeconds = 3600;

struct Paths {
  std::string folder;  // generated C; boot/: the harness; libc/: string.h
  std::string elf = "program.elf", script = "board.ld", counts = "counts.txt";
};

std::string HexNumber(uint64_t value) { return absl::StrCat("0x", absl::Hex(value)); }

bool OnHost(const Compilation &compilation) { return compilation.target.emulator.program.empty(); }

// The board's region where the network lies, at the address that the machine has for it.
Region RamOf(const Compilation &compilation) {
  Region ram = compilation.target.emulator.ram;
  const Region board = MainRam(compilation.board);
  if (board.bytes > 0) ram.bytes = std::min(ram.bytes, board.bytes), ram.name = board.name;
  return ram;
}

Region FlashOf(const Compilation &compilation) {
  Region flash = compilation.target.emulator.flash;
  const Region board = MainFlash(compilation.board);
  if (board.bytes > 0) flash.bytes = std::min(flash.bytes, board.bytes);
  return flash;
}

std::string BoardName(const Compilation &compilation) {
  if (!compilation.board.id.empty()) return compilation.board.id;
  return absl::StrCat("the ", compilation.target.id, " board");
}

std::string LinkerScript(const Compilation &compilation) {
  const Emulator &machine = compilation.target.emulator;
  const Region ram = RamOf(compilation), flash = FlashOf(compilation);
  return absl::StrReplaceAll(RuntimeFile("board.ld.in"), {{"@BOOT_BASE@", HexNumber(machine.boot.base)},
                                                          {"@BOOT_BYTES@", absl::StrCat(machine.boot.bytes)},
                                                          {"@HARNESS_BASE@", HexNumber(machine.harness.base)},
                                                          {"@HARNESS_BYTES@", absl::StrCat(machine.harness.bytes)},
                                                          {"@FLASH_BASE@", HexNumber(flash.base)},
                                                          {"@FLASH_BYTES@", absl::StrCat(flash.bytes)},
                                                          {"@RAM_BASE@", HexNumber(ram.base)},
                                                          {"@RAM_BYTES@", absl::StrCat(ram.bytes)},
                                                          {"@STACK_BYTES@", absl::StrCat(kStackAllowance)}});
}

// One operand list of the harness: a block of memory per tensor, and the list that ends with zero bytes.
std::string OperandBlocks(const Graph &graph, const std::vector<TensorId> &tensors, const std::string &name) {
  std::string text, list;
  for (size_t i = 0; i < tensors.size(); i++) {
    const Tensor &tensor = graph.tensors[tensors[i]];
    const int64_t count = ElementCount(tensor.dims);
    absl::StrAppend(&text, "static ", CType(tensor.dtype), " ", name, i, "[", count, "] HARNESS_MEMORY;\n");
    absl::StrAppend(&list, "{", name, i, ", sizeof(", name, i, ")}, ");
  }
  absl::StrAppend(&text, "static const harness_block ", name, "s[] = {", list, "{0, 0}};\n");
  return text;
}

std::string HarnessModel(const Graph &graph, bool selftest) {
  const std::string arena = absl::StrCat(UpperCase(graph.name), "_ARENA_BYTES");
  std::string arguments = "arena";
  for (size_t i = 0; i < graph.inputs.size(); i++) absl::StrAppend(&arguments, ", input", i);
  for (size_t i = 0; i < graph.outputs.size(); i++) absl::StrAppend(&arguments, ", output", i);
  std::string text = absl::StrCat("#include \"", graph.name, ".h\"\n#include \"harness.h\"\n");
  absl::StrAppend(&text, "static uint8_t arena[", arena, " > 0 ? ", arena, " : 1] HARNESS_ARENA;\n");
  absl::StrAppend(&text, OperandBlocks(graph, graph.inputs, "input"), OperandBlocks(graph, graph.outputs, "output"));
  absl::StrAppend(&text, "static void run(void) {\n  HARNESS_BEGIN();\n  ", graph.name, "_run(", arguments,
                  ");\n  HARNESS_END();\n}\n");
  if (selftest) {
    absl::StrAppend(&text, "static int result;\nstatic void selftest(void) { result = ", graph.name,
                    "_selftest(arena); }\n");
  }
  absl::StrAppend(&text, "const harness_model harness_network = {arena, ", arena, ", inputs, outputs, run, ",
                  selftest ? "selftest, &result" : "0, 0", "};\n");
  return text;
}

absl::Status WriteSources(const Compilation &compilation, const std::vector<GeneratedFile> &files,
                          const std::vector<std::vector<uint8_t>> &samples, const std::string &folder) {
  std::error_code error;
  std::filesystem::create_directories(folder + "/boot", error);
  std::filesystem::create_directories(folder + "/libc", error);
  std::string selftest = absl::StrCat(compilation.graph.name, "_selftest("), in;
  bool has_selftest = false;
  for (const GeneratedFile &file : files) {
    O2M_RETURN_IF_ERROR(WriteFileBytes(absl::StrCat(folder, "/", file.name), file.text));
    if (file.name == compilation.graph.name + ".h") has_selftest = absl::StrContains(file.text, selftest);
  }
  for (const char *name :
       {"harness.h", "harness_main.c", "harness_host.c", "harness_start_arm.c", "harness_start_riscv.S"}) {
    O2M_RETURN_IF_ERROR(WriteFileBytes(absl::StrCat(folder, "/boot/", name), RuntimeFile(name)));
  }
  O2M_RETURN_IF_ERROR(WriteFileBytes(folder + "/boot/harness_model.c", HarnessModel(compilation.graph, has_selftest)));
  for (const char *name : {"stdint.h", "string.h", "libc.c"}) {
    O2M_RETURN_IF_ERROR(WriteFileBytes(absl::StrCat(folder, "/libc/", name), RuntimeFile(name)));
  }
  for (const auto &sample : samples) in.append(reinterpret_cast<const char *>(sample.data()), sample.size());
  return WriteFileBytes(folder + "/in.bin", in);
}

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

std::vector<std::string> SourcesIn(const std::vector<GeneratedFile> &files) {
  std::vector<std::string> sources;
  for (const GeneratedFile &file : files) {
    if (absl::EndsWith(file.name, ".c") && file.name != "main.c") sources.push_back(file.name);
  }
  return sources;
}

absl::Status CompileAll(const Compilation &compilation, const std::vector<GeneratedFile> &files,
                        const std::string &folder) {
  const bool riscv = (compilation.target.features & O2M_FEATURE_RV32) != 0;
  std::vector<std::string> network = {"-std=c11", "-O2", "-pipe", "-ffunction-sections", "-fdata-sections", "-c"};
  std::vector<std::string> harness = {"-O2", "-pipe", "-I..", "-c", "harness_model.c"};
  if (OnHost(compilation)) {
    harness.push_back("harness_host.c");
  } else {
    network.insert(network.begin(), {"-isystem", "libc"});
    harness.insert(harness.begin(), {"-isystem", "../libc"});
    harness.push_back("harness_main.c");
    harness.push_back(riscv ? "harness_start_riscv.S" : "harness_start_arm.c");
    // a loop that copies must not become a call of the function that holds it
    O2M_RETURN_IF_ERROR(RunCompiler(
        compilation, folder, {"-O2", "-fno-tree-loop-distribute-patterns", "-isystem", "libc", "-c", "libc/libc.c"}));
  }
  if (riscv) harness.insert(harness.begin(), {"-march=rv32imc_zicsr"});
  for (const std::string &source : SourcesIn(files)) network.push_back(source);
  O2M_RETURN_IF_ERROR(RunCompiler(compilation, folder, network));
  return RunCompiler(compilation, folder + "/boot", harness);
}

// "region `RAM' overflowed by 123 bytes" in the linker's words; ours in terms of the board.
absl::Status LinkStatus(const Compilation &compilation, const absl::Status &status) {
  if (status.ok() || absl::IsCancelled(status) || absl::IsNotFound(status)) return status;
  const std::string message(status.message());
  for (const char *region : {"RAM", "FLASH"}) {
    if (!absl::StrContains(message, absl::StrCat("region `", region, "' overflowed")) &&
        !(absl::StrContains(message, "for the stack") && absl::string_view(region) == "RAM")) {
      continue;
    }
    const int64_t bytes = absl::string_view(region) == "RAM" ? RamOf(compilation).bytes : FlashOf(compilation).bytes;
    return absl::ResourceExhaustedError(absl::StrCat(compilation.graph.file, ": does not fit the ", bytes, " B of ",
                                                     region, " of ", BoardName(compilation), " when linked (arena ",
                                                     compilation.plan.arena_bytes, " B, stack allowance ",
                                                     kStackAllowance, " B); try --optimize=ram or a larger board"));
  }
  return status;
}

absl::Status Link(const Compilation &compilation, const std::vector<GeneratedFile> &files, const Paths &paths) {
  std::vector<std::string> arguments = {"-o", paths.elf};
  for (const std::string &source : SourcesIn(files)) arguments.push_back(source.substr(0, source.size() - 2) + ".o");
  if (OnHost(compilation)) {
    arguments.insert(arguments.end(), {"boot/harness_model.o", "boot/harness_host.o"});
    return RunCompiler(compilation, paths.folder, arguments);
  }
  O2M_RETURN_IF_ERROR(WriteFileBytes(absl::StrCat(paths.folder, "/", paths.script), LinkerScript(compilation)));
  const bool riscv = (compilation.target.features & O2M_FEATURE_RV32) != 0;
  arguments.insert(
      arguments.end(),
      {"boot/harness_model.o", "boot/harness_main.o", riscv ? "boot/harness_start_riscv.o" : "boot/harness_start_arm.o",
       "libc.o", "-nostdlib", "-nostartfiles", "-Wl,--gc-sections", "-Wl,--no-warn-rwx-segments",
       "-Wl,-e," + std::string(riscv ? "_start" : "harness_reset"), "-T", paths.script, "-lgcc"});
  return LinkStatus(compilation, RunCompiler(compilation, paths.folder, arguments));
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

std::vector<std::string> EmulatorCommand(const Compilation &compilation, const Paths &paths) {
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
  if ((compilation.target.features & O2M_FEATURE_RV32) != 0) {
    command.insert(command.end(), {"-bios", "none", "-m", "256M"});
  }
  if (const std::string plugin = CountPlugin(); !plugin.empty()) {
    command.insert(command.end(), {"-plugin", absl::StrCat(plugin, ",out=", paths.counts)});
  }
  return command;
}

// What the harness printed: lines "@word number [number]".
struct Report {
  int64_t samples = -1, stack = 0, selftest = -1;
  std::string fault;
};

Report ParseReport(const std::string &output) {
  Report report;
  std::istringstream lines(output);
  std::string line;
  while (std::getline(lines, line)) {
    std::istringstream words(line);
    std::string word;
    uint32_t value = 0, pc = 0;
    words >> word >> value >> pc;
    if (word == "@done") report.samples = value;
    if (word == "@stack") report.stack = value;
    if (word == "@selftest") report.selftest = static_cast<int32_t>(value);
    if (word == "@fault") report.fault = absl::StrCat("fault ", value, " at ", HexNumber(pc));
    if (word == "@error" || absl::StartsWith(line, "qemu: fatal")) report.fault = line;
  }
  return report;
}

absl::Status CheckRun(const Compilation &compilation, const ProcessResult &result, const Report &report,
                      size_t samples) {
  const std::string where = absl::StrCat("generated C on ", compilation.target.id, ": ");
  if (result.timed_out) return absl::InternalError(absl::StrCat(where, "still running after ", kTimeoutSeconds, " s"));
  if (!report.fault.empty()) return absl::InternalError(where + report.fault);
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

absl::Status ReadSizes(const Paths &paths, EmulatorRun *run) {
  O2M_ASSIGN_OR_RETURN(const std::string elf, ReadFileBytes(absl::StrCat(paths.folder, "/", paths.elf)));
  O2M_ASSIGN_OR_RETURN(auto sections, ElfSections(elf));
  run->text = sections[".text"];
  run->rodata = sections[".rodata"];
  run->weights = sections[".weights"];
  run->data = sections[".data"];
  run->bss = sections[".bss"];
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<EmulatorRun> RunOnEmulator(const Compilation &compilation, const std::vector<GeneratedFile> &files,
                                          const std::vector<std::vector<uint8_t>> &samples) {
  const SignalGuard guard;  // outlives the folder: an interrupt leaves nothing behind
  const TempFolder temp(TempPrefix());
  if (temp.path().empty()) return absl::InvalidArgumentError(TempPrefix() + "*: cannot make a temporary folder");
  const Paths paths{temp.path()};
  O2M_RETURN_IF_ERROR(WriteSources(compilation, files, samples, paths.folder));
  O2M_RETURN_IF_ERROR(CompileAll(compilation, files, paths.folder));
  O2M_RETURN_IF_ERROR(Link(compilation, files, paths));
  const Process process{EmulatorCommand(compilation, paths), paths.folder, kTimeoutSeconds};
  O2M_ASSIGN_OR_RETURN(const ProcessResult result, RunProcess(process));
  const Report report = ParseReport(result.output);
  O2M_RETURN_IF_ERROR(CheckRun(compilation, result, report, samples.size()));

  EmulatorRun run;
  run.arena = compilation.plan.arena_bytes;
  run.selftest = static_cast<int>(report.selftest);
  O2M_RETURN_IF_ERROR(ReadOutputs(paths, compilation.graph, samples.size(), &run));
  if (OnHost(compilation)) return run;
  run.stack = report.stack;
  ReadCounts(paths, &run);
  O2M_RETURN_IF_ERROR(ReadSizes(paths, &run));
  return run;
}

}  // namespace onnx2mcu
