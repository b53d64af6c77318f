// The options of every verb, and what a wrong one is answered.
#include <CLI/CLI.hpp>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "codegen/board_run.h"
#include "codegen/cli.h"
#include "codegen/regions.h"
#include "o2m_version.h"

namespace onnx2mcu {
namespace {

struct Verb {
  const char *name, *text, *example;
};
constexpr Verb kVerbs[] = {
    {"compile", "turns a model into C (also: onnx2mcu MODEL.onnx)",
     "onnx2mcu vit.onnx --board=stm32f746 --calibrate=images.npz"},
    {"inspect", "what was recognised, the RAM floor, the boards it fits", "onnx2mcu inspect vit.onnx"},
    {"run", "runs a model and prints the top 5 per input", "onnx2mcu run vit.onnx --inputs=images.npz --engine=int8"},
    {"validate", "float against host integer against emulated target",
     "onnx2mcu validate vit.onnx --inputs=x.npz --labels=y.npy"},
    {"ops", "every op of every loaded plugin", "onnx2mcu ops --onnx"},
    {"check", "runs the plugin contract against a plugin", "onnx2mcu check my_op.so"},
    {"targets", "cores and boards", "onnx2mcu targets"},
    {"search", "searches networks that fit (see onnx2mcu search --help)",
     "onnx2mcu search --space=space.yaml --ram=8K"},
    {"price", "prices networks of a search space (see onnx2mcu price --help)",
     "onnx2mcu price --space=space.yaml --board=stm32f427"},
};

std::vector<std::string> VerbNames() {
  std::vector<std::string> names;
  for (const Verb &verb : kVerbs) names.emplace_back(verb.name);
  return names;
}

void AddCommon(CLI::App &app, CommandLine &c) {
  app.add_flag("--json", c.json, "print JSON");
  app.add_flag("-q,--quiet", c.quiet, "print no warnings and no progress");
  app.add_flag("-v,--verbose", c.verbose, "print what is done");
  app.add_option("--plugin", c.plugins, "load an operator plugin (repeatable)")
      ->type_name("FILE.so")
      ->expected(-1)
      ->allow_extra_args(false);
}

void AddModel(CLI::App &app, CommandLine &c) {
  CompileOptions &o = c.compile;
  app.add_option("MODEL", o.model, "the ONNX file")->required();
  app.add_option("--target", o.target, "core; see `onnx2mcu targets`")->capture_default_str();
  app.add_option("--board", o.board, "board: sets target, RAM, flash and clock");
  app.add_option(
      "--ram", c.ram,
      "budget of arena + .data + .bss + stack, such as 320K; several regions: 192K+64K, or all of the board's: all");
  app.add_option("--flash", c.flash, "budget of weights + constants + code, such as 1M");
  app.add_option("--calibrate", o.calibrate, "inputs for the quantiser: npy, npz, idx, folder of images; [NAME=]FILE")
      ->expected(-1)
      ->allow_extra_args(false);
  app.add_option("--mean", o.pixels.mean, "pixel mean in units of pixel/255, one or one per channel");
  app.add_option("--std", o.pixels.std, "pixel standard deviation, likewise");
  app.add_option("--channels", o.pixels.channels, "order of the model's colours: rgb, bgr (default: rgb)");
  app.add_option(
         "--input-format", o.pixels.input_format,
         "pixels as the caller has them: gray, rgb, bgr, rgb565, rgb565be (default: planes, as the model has them)")
      ->type_name("FORMAT");
  app.add_option("--input-size", o.pixels.input_size, "the caller's image, with --input-format (default: the model's)")
      ->type_name("WxH");
  app.add_option("--crop", o.pixels.crop, "what is taken of it: the middle, or from a place (default: all)")
      ->type_name("WxH[+X+Y]");
  app.add_option("--resize", o.pixels.resize,
                 "what that is scaled to, or its shorter side, before the middle of the model's size is taken "
                 "(default: the model's size)")
      ->type_name("WxH|N");
  app.add_option("--optimize", o.optimize, "what to favour")
      ->check(CLI::IsMember({"balanced", "speed", "ram", "flash"}))
      ->capture_default_str();
  app.add_option("--rows", o.rows, "tokens per tile (default: the planner chooses)")->check(CLI::Range(1, 1000000000));
  app.add_option("--residual", o.residual, "width of the residual stream")
      ->check(CLI::IsMember({"auto", "s8", "s16"}))
      ->capture_default_str();
  app.add_option(
         "--accuracy-drop", o.accuracy_drop,
         "points that integers may be worse than float on held-out calibration inputs: tensors become s16 until "
         "they are not")
      ->check(CLI::Range(0.0, 100.0))
      ->type_name("POINTS");
  app.add_option("--s16", o.wide,
                 "hold this tensor as s16, where ops take that (repeatable; `validate` names the worst)")
      ->type_name("TENSOR")
      ->expected(1)
      ->take_all();
  app.add_option("--weights", o.weights,
                 "bits of weights: 8; 4 (other results); 4 where flash asks for it, least harm first")
      ->check(CLI::IsMember({"s8", "s4", "auto"}))
      ->capture_default_str();
  app.add_option("--gelu", o.gelu, "GELU exact by table, or x*sigmoid(1.702x)")
      ->check(CLI::IsMember({"lut", "sigmoid"}))
      ->capture_default_str();
  app.add_option("--stream", o.stream, "functions that take the input in rows: where they cost no RAM, always, never")
      ->check(CLI::IsMember({"auto", "on", "off"}))
      ->capture_default_str();
  app.add_flag("--recompute", o.recompute,
               "hold no projections that can be taken out of a product: less RAM, more work, other rounding");
  app.add_option("--layout", o.layout, "order of the whole image in memory: planes of channels, or pixels")
      ->check(CLI::IsMember({"chw", "hwc"}))
      ->capture_default_str();
  app.add_flag("--image-in-arena", o.image_in_arena, "the caller writes the input into the arena, to be overwritten");
  app.add_option("--dump", o.dump, "print the graph after this pass (or all) to stderr")->type_name("PASS");
}

void AddInputs(CLI::App &app, CommandLine &c) {
  app.add_option("--inputs", c.inputs, "inputs to run: npy, npz, idx, folder of images; [NAME=]FILE")
      ->required()
      ->expected(-1)
      ->allow_extra_args(false);
  app.add_option("--limit", c.limit, "use the first N inputs")->check(CLI::Range(1, 1000000000));
}

// What follows the option's value in the message where it is no address for weights.
std::string Aligned(const std::string &text) {
  uint64_t address = 0;
  const bool good = CLI::detail::lexical_cast(text, address) && address > 0 && address % 16 == 0;
  return good ? "" : absl::StrCat("'", text, "' is no address: a multiple of 16 such as 0x90000000 is needed");
}

// What says where code, weights and arena lie on the target.
void AddPlacement(CLI::App &app, CommandLine &c) {
  CompileOptions &o = c.compile;
  app.add_option("--section-weights", o.sections.weights, "section attribute of the weights")->type_name("NAME");
  app.add_option("--section-code", o.sections.code, "section attribute of all that NAME_run calls, such as .itcm")
      ->type_name("NAME");
  app.add_option("--section-arena", o.sections.arena, "defines NAME_ARENA_SECTION for the arena, such as .dtcm")
      ->type_name("NAME");
  app.add_option("--prefetch", c.prefetch,
                 "bring weights into the arena a stage ahead, at most so many bytes for one stage, such as 16K");
  app.add_option("--weights-at", o.weights_at, "write the weights as a binary for this address")
      ->check(CLI::Validator(Aligned, "ADDRESS"));
}

// An engine by name, or the serial port of a board.
void AddEngine(CLI::App &app, CommandLine &c, const std::vector<std::string> &names) {
  const auto check = [names](const std::string &text) -> std::string {
    if (IsPort(text) || std::find(names.begin(), names.end(), text) != names.end()) return "";
    return absl::StrCat("'", text, "' is no engine; ", absl::StrJoin(names, ", "),
                        " work, or a serial port such as /dev/ttyACM0");
  };
  app.add_option("--engine", c.engine, absl::StrCat("who computes: ", absl::StrJoin(names, ", "), ", or a serial port"))
      ->type_name("NAME|PORT")
      ->check(CLI::Validator(check, "ENGINE"));
  app.add_option("--baud", c.baud, "speed of that port")->check(CLI::Range(1, 1000000000))->capture_default_str();
  app.add_option("--timeout", c.timeout, "seconds that a board may take for one inference")
      ->check(CLI::Range(0.001, 1e6))
      ->capture_default_str();
}

void AddVerb(CLI::App &app, CommandLine &c, const Verb &verb) {
  const std::string name = verb.name;
  CLI::App &sub = *app.add_subcommand(name, verb.text);
  sub.footer(absl::StrCat("example: ", verb.example));
  sub.allow_extras();
  sub.callback([&c, name] { c.verb = name; });
  AddCommon(sub, c);
  if (name == "compile" || name == "inspect" || name == "run" || name == "validate") AddModel(sub, c);
  if (name == "run" || name == "validate") AddInputs(sub, c);
  if (name == "compile" || name == "run" || name == "validate") AddPlacement(sub, c);
  if (name == "compile" || name == "inspect")
    sub.add_flag("--pareto", c.pareto, "print every schedule that no other one beats");
  if (name == "compile") {
    sub.add_option("-o,--output", c.compile.output, "folder to write (default ./NAME_TARGET)")->type_name("DIR");
    sub.add_flag("--example{plain}", c.compile.example,
                 "add main.c and a CMakeLists.txt that builds; =serial: one that validate --engine=PORT talks to");
    sub.add_flag("--stage-hook", c.compile.stage_hook, "call NAME_on_stage(stage) before every stage");
    sub.add_flag("--selftest", c.compile.selftest, "add golden inputs and NAME_selftest()");
  }
  if (name == "run") {
    sub.add_option("-o,--output", c.compile.output, "save outputs")->type_name("OUT.npz");
    AddEngine(sub, c, {"float", "int8", "emulator"});
  }
  if (name == "validate") {
    AddEngine(sub, c, {"emulator"});
    sub.add_option("--labels", c.labels, "true classes: npy, npz, idx, or one per line in a .txt");
    sub.add_flag("--profile", c.profile, "instructions per layer on the emulated target");
  }
  if (name == "ops") sub.add_flag("--onnx", c.onnx_coverage, "coverage of ONNX op types");
  if (name == "check") sub.add_option("PLUGIN", c.plugin_to_check, "the .so to check")->required();
}

std::vector<std::string> OptionNames(const CLI::App &app) {
  std::vector<std::string> names;
  for (const CLI::Option *option : app.get_options())
    for (const std::string &name : option->get_lnames()) names.push_back("--" + name);
  return names;
}

absl::Status UnknownOption(const CLI::App &verb, const std::string &text) {
  const std::string word = text.substr(0, text.find('='));
  if (!absl::StartsWith(word, "-"))
    return absl::InvalidArgumentError(absl::StrCat(
        verb.get_name(), ": '", word, "' is one argument too many; see onnx2mcu ", verb.get_name(), " --help"));
  return absl::InvalidArgumentError(absl::StrCat(verb.get_name(), ": unknown option '", word, "'; the nearest is ",
                                                 Nearest(word, OptionNames(verb))));
}

// The first word is a verb, a model (then the verb is compile), or a mistyped verb.
absl::StatusOr<std::vector<std::string>> WithVerb(int argc, const char *const *argv) {
  std::vector<std::string> words(argv + 1, argv + argc);
  size_t first = 0;
  while (first < words.size() && absl::StartsWith(words[first], "-") && words[first] != "-o") first++;
  const std::vector<std::string> verbs = VerbNames();
  if (first == words.size() || std::find(verbs.begin(), verbs.end(), words[first]) != verbs.end()) return words;
  const bool file_like = words[first].find_first_of("./") != std::string::npos || words[first] == "-o";
  if (!file_like)
    return absl::InvalidArgumentError(absl::StrCat("'", words[first],
                                                   "' is neither a verb nor an .onnx file; the nearest verb is '",
                                                   Nearest(words[first], verbs), "'"));
  words.insert(words.begin(), "compile");
  return words;
}

std::string VersionText() {
  return absl::StrCat("onnx2mcu ", O2M_VERSION, ", plugin ABI ", O2M_ABI_MAJOR, ".", O2M_ABI_MINOR, ", onnx ",
                      O2M_ONNX_VERSION, ", revision ", O2M_GIT_REVISION, "\n");
}

absl::Status Finish(CommandLine &c) {
  if (!c.ram.empty()) {
    O2M_RETURN_IF_ERROR(ParseRam(c.ram, &c.compile));
  }
  if (!c.flash.empty()) {
    O2M_ASSIGN_OR_RETURN(c.compile.flash, ParseBytes(c.flash, "--flash"));
  }
  if (c.engine.empty()) c.engine = c.verb == "validate" ? "emulator" : "int8";
  if (!c.prefetch.empty()) {
    O2M_ASSIGN_OR_RETURN(c.compile.prefetch, ParseBytes(c.prefetch, "--prefetch"));
  }
  std::string &example = c.compile.example;
  if (!example.empty() && example != "plain" && example != "serial")
    return absl::InvalidArgumentError(
        absl::StrCat(c.verb, ": --example: '", example, "' is no kind of example; plain and serial work"));
  if (example == "serial") c.compile.stage_hook = true;  // its checksums
  return absl::OkStatus();
}

}  // namespace

absl::Status ParseRam(const std::string &text, CompileOptions *options) {
  options->all_ram = text == "all";
  if (options->all_ram) return absl::OkStatus();
  const std::vector<std::string> sizes = absl::StrSplit(text, '+');
  if (sizes.size() > kMostRegions)
    return absl::InvalidArgumentError(
        absl::StrCat("--ram: '", text, "' has ", sizes.size(), " regions; at most ", kMostRegions, " work"));
  for (size_t i = 0; i < sizes.size(); i++) {
    const auto bytes = ParseBytes(sizes[i], "--ram");
    if (!bytes.ok() && sizes.size() == 1) return bytes.status();
    if (!bytes.ok())
      return absl::InvalidArgumentError(absl::StrCat(
          "--ram: '", text, "': '", sizes[i], "' is not the size of a region; write all of them as in 192K+64K"));
    i == 0 ? void(options->ram = *bytes) : options->more_ram.push_back(*bytes);
  }
  return absl::OkStatus();
}

absl::StatusOr<ParsedCommandLine> ParseCommandLine(int argc, const char *const *argv) {
  ParsedCommandLine parsed;
  CLI::App app("Turns an exported vision transformer into integer-only C for a microcontroller.", "onnx2mcu");
  app.require_subcommand(1);
  bool version = false;
  app.add_flag("--version", version, "version, plugin ABI, onnx version, git revision");
  for (const Verb &verb : kVerbs) AddVerb(app, parsed.command, verb);
  O2M_ASSIGN_OR_RETURN(std::vector<std::string> words, WithVerb(argc, argv));
  if (std::find(words.begin(), words.end(), "--version") != words.end())
    return parsed.early_text = VersionText(), parsed;
  if (words.empty()) return parsed.early_text = app.help(), parsed;
  std::reverse(words.begin(), words.end());
  try {
    app.parse(words);
  } catch (const CLI::CallForHelp &) {
    const auto chosen = app.get_subcommands();
    parsed.early_text = chosen.empty() ? app.help() : chosen[0]->help();
    return parsed;
  } catch (const CLI::ParseError &error) {
    const auto chosen = app.get_subcommands();
    const std::string verb = chosen.empty() ? "" : chosen[0]->get_name();
    return absl::InvalidArgumentError(absl::StrCat(verb, verb.empty() ? "" : ": ", error.what(), "; see onnx2mcu ",
                                                   verb, verb.empty() ? "" : " ", "--help"));
  }
  const CLI::App &verb = *app.get_subcommands()[0];
  if (!verb.remaining().empty()) return UnknownOption(verb, verb.remaining()[0]);
  O2M_RETURN_IF_ERROR(Finish(parsed.command));
  return parsed;
}

}  // namespace onnx2mcu
