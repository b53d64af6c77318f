#include "codegen/sizes.h"

#include <algorithm>
#include <filesystem>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "codegen/process.h"
#include "codegen/regions.h"
#include "codegen/runtime.h"
#include "importer/data/files.h"

namespace onnx2mcu {
namespace {

constexpr double kSizeTimeoutSeconds = 3600;

std::string Stem(const std::string &file) { return file.substr(0, file.size() - 2); }

// One call of the target's compiler, on `what`.
absl::Status RunCompiler(const Compilation &c, const std::string &folder, const std::string &what,
                         const std::vector<std::string> &arguments, const std::vector<std::string> &variables = {}) {
  Process process{{c.target.compiler}, folder, kSizeTimeoutSeconds, variables};
  process.arguments.insert(process.arguments.end(), c.target.flags.begin(), c.target.flags.end());
  process.arguments.insert(process.arguments.end(), arguments.begin(), arguments.end());
  O2M_ASSIGN_OR_RETURN(const ProcessResult result, RunProcess(process));
  if (result.exit_code == 0) return absl::OkStatus();
  if (result.timed_out)
    return absl::InternalError(
        absl::StrCat(what, ": ", c.target.compiler, " still runs after ", kSizeTimeoutSeconds, " s"));
  return absl::InternalError(
      absl::StrCat(what, ": the generated C does not compile for ", c.target.id, ": ", result.output.substr(0, 400)));
}

absl::StatusOr<std::string> ReadIn(const std::string &folder, const std::string &file) {
  return ReadFileBytes(absl::StrCat(folder, "/", file));
}

absl::Status CompileFile(const Compilation &c, const std::string &folder, const std::string &file, CallGraph &calls) {
  // a ccache that stands before the compiler brings back objects but no call graphs (4.7)
  O2M_RETURN_IF_ERROR(RunCompiler(c, folder, file,
                                  {"-std=c11", "-O2", "-ffunction-sections", "-fdata-sections", "-fcallgraph-info=su",
                                   "-pipe", "-isystem", "libc", "-c", file},
                                  {"CCACHE_DISABLE=1"}));
  O2M_ASSIGN_OR_RETURN(const std::string graph, ReadIn(folder, Stem(file) + ".ci"));
  AddCallGraph(calls, graph);
  return absl::OkStatus();
}

// Laid out as a linker would: the gaps between constants of several alignments count.
constexpr char kJoin[] =
    "SECTIONS {\n  .text : { *(.text .text.*) }\n  .rodata : { *(.rodata .rodata.* .srodata .srodata.*) }\n}\n";

// All objects in one, with what the compiler's own library adds.
absl::StatusOr<std::string> JoinObjects(const Compilation &c, const std::string &folder,
                                        const std::vector<std::string> &files) {
  O2M_RETURN_IF_ERROR(WriteFileBytes(folder + "/join.ld", kJoin));
  std::vector<std::string> arguments = {"-r", "-nostdlib", "-T", "join.ld", "-o", "all.o"};
  for (const std::string &file : files) arguments.push_back(Stem(file) + ".o");
  arguments.emplace_back("-lgcc");
  O2M_RETURN_IF_ERROR(RunCompiler(c, folder, "all.o", arguments));
  return ReadIn(folder, "all.o");
}

// Code of those functions of the C library that the objects call.
absl::StatusOr<int64_t> LibraryText(const Compilation &c, const std::string &folder, const std::string &objects) {
  O2M_RETURN_IF_ERROR(WriteFileBytes(folder + "/libc/libc.c", RuntimeFile("libc.c")));
  O2M_RETURN_IF_ERROR(RunCompiler(
      c, folder, "libc.c",
      {"-O2", "-ffunction-sections", "-fno-tree-loop-distribute-patterns", "-isystem", "libc", "-c", "libc/libc.c"}));
  O2M_ASSIGN_OR_RETURN(const std::string library, ReadIn(folder, "libc.o"));
  O2M_ASSIGN_OR_RETURN(const auto sections, ElfSections(library));
  int64_t bytes = 0;
  for (const std::string &name : ElfUndefined(objects))
    if (const auto code = sections.find(".text." + name); code != sections.end()) bytes += code->second;
  return bytes;
}

Sizes WithoutCompiler(const Compilation &c) {
  Sizes sizes;
  sizes.weights = ConstantBytes(c.graph);
  return sizes;
}

}  // namespace

absl::StatusOr<Objects> CompileObjects(const Compilation &c, const std::vector<GeneratedFile> &files,
                                       const std::string &folder) {
  Objects objects;
  std::error_code error;
  std::filesystem::create_directory(folder + "/libc", error);
  for (const char *name : {"stdint.h", "string.h"})
    O2M_RETURN_IF_ERROR(WriteFileBytes(absl::StrCat(folder, "/libc/", name), RuntimeFile(name)));
  for (const GeneratedFile &file : files)
    O2M_RETURN_IF_ERROR(WriteFileBytes(absl::StrCat(folder, "/", file.name), file.text));
  for (const GeneratedFile &file : files) {
    if (!absl::EndsWith(file.name, ".c") || file.example) continue;
    if (file.constant_bytes > 0) continue;  // a compiler would take minutes over the text of large ones to say the same
    O2M_RETURN_IF_ERROR(CompileFile(c, folder, file.name, objects.calls));
    objects.sources.push_back(file.name);
  }
  return objects;
}

absl::StatusOr<ElfBytes> JoinedBytes(const Compilation &c, const std::string &folder,
                                     const std::vector<std::string> &sources) {
  O2M_ASSIGN_OR_RETURN(const std::string objects, JoinObjects(c, folder, sources));
  O2M_ASSIGN_OR_RETURN(ElfBytes bytes, ElfBytesOf(objects));
  O2M_ASSIGN_OR_RETURN(const int64_t library, LibraryText(c, folder, objects));
  bytes.text += library;
  return bytes;
}

absl::StatusOr<Sizes> MeasureSizes(const Compilation &c, std::vector<GeneratedFile> &files) {
  if (c.target.emulator.program.empty()) return WithoutCompiler(c);  // the host: sizes of another machine say nothing
  const SignalGuard guard;
  const TempFolder folder(TempPrefix());
  if (folder.path().empty())
    return absl::InvalidArgumentError(absl::StrCat(
        TempPrefix(), ": a temporary folder cannot be made here; set TMPDIR to a folder that can be written"));
  const absl::StatusOr<Objects> objects = CompileObjects(c, files, folder.path());
  if (absl::IsNotFound(objects.status())) return WithoutCompiler(c);
  O2M_RETURN_IF_ERROR(objects.status());
  O2M_ASSIGN_OR_RETURN(const ElfBytes bytes, JoinedBytes(c, folder.path(), objects->sources));
  for (GeneratedFile &file : files) {
    if (std::count(objects->sources.begin(), objects->sources.end(), file.name) == 0) continue;
    O2M_ASSIGN_OR_RETURN(file.object, ReadIn(folder.path(), Stem(file.name) + ".o"));
  }
  Sizes sizes;
  for (const GeneratedFile &file : files) sizes.weights += file.constant_bytes;
  sizes.text = bytes.text, sizes.rodata = bytes.rodata, sizes.data = bytes.data, sizes.bss = bytes.bss;
  O2M_ASSIGN_OR_RETURN(sizes.stack, DeepestStack(objects->calls, absl::StrCat(c.graph.name, "_run")));
  sizes.measured = true;
  return sizes;
}

Budget BudgetOf(const Compilation &c, const CompileOptions &options) {
  Budget budget{options.ram, options.flash};
  budget.ram = 0;
  for (const Region &region : ArenaRegions(c)) budget.ram += region.bytes;
  if (budget.flash == 0) budget.flash = MainFlash(c.board).bytes;
  return budget;
}

namespace {

// What the network takes of a region; the first holds all that is no arena.
absl::Status CheckRegions(const Compilation &c, const Sizes &sizes, const std::string &where) {
  const std::vector<Region> regions = ArenaRegions(c);
  for (const Arena &arena : ArenasOf(c.plan)) {
    const Region region = RegionOf(c, arena);
    const int64_t other = arena.region == 0 ? sizes.data + sizes.bss + sizes.stack : 0;
    if (region.bytes == 0 || arena.bytes + other <= region.bytes) continue;
    const std::string of = regions.size() > 1 ? absl::StrCat(region.name, ", a region of ") : "";
    return absl::ResourceExhaustedError(absl::StrCat(c.graph.file, ": RAM ", arena.bytes + other, " B (arena ",
                                                     arena.bytes, ", stack ", arena.region == 0 ? sizes.stack : 0,
                                                     ") exceeds the ", region.bytes, " B of ", of, where,
                                                     "; try --optimize=ram or --residual=s8"));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status CheckBudget(const Compilation &c, const Sizes &sizes) {
  const std::string where = c.board.id.empty() ? "the budget" : c.board.id;
  const int64_t flash = sizes.text + sizes.rodata + sizes.weights + sizes.data;
  O2M_RETURN_IF_ERROR(CheckRegions(c, sizes, where));
  if (!FlashForWeights(c.board, sizes.weights, flash - sizes.weights))
    return absl::ResourceExhaustedError(absl::StrCat(
        c.graph.file, ": flash ", flash, " B (weights ", sizes.weights, ", code ", sizes.text, ") exceeds the ",
        FlashText(c.board), " of ", where, "; try ", c.coarse.nodes > 0 ? "" : "--weights=auto or ",
        "a smaller or low-rank model, or a board with more flash"));
  return absl::OkStatus();
}

}  // namespace onnx2mcu
