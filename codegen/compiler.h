// codegen/compiler.h - the pipeline, as a list of passes. Read compiler.cc to know the compiler.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "codegen/fidelity.h"
#include "codegen/sections.h"
#include "codegen/weights.h"
#include "importer/evaluate.h"
#include "importer/quant/quantize.h"
#include "planner/plan.h"
#include "planner/stream.h"
#include "planner/target.h"

namespace onnx2mcu {

struct CompileOptions {
  std::string model;
  std::string target = "cortex-m4", board;
  int64_t ram = 0, flash = 0;          // bytes; 0: the board's, or none
  std::vector<int64_t> more_ram;       // bytes of further regions of RAM, beside that of `ram`
  bool all_ram = false;                // all regions of the board
  int32_t call_price = 0;              // o2m_target.call_price
  std::vector<std::string> calibrate;  // FILE or NAME=FILE
  PixelOptions pixels;
  std::string optimize = "balanced", residual = "auto", gelu = "lut";
  std::string weights = "s8";     // bits of weights: s8; auto: fewer where flash asks for it; or that form everywhere
  std::vector<std::string> wide;  // tensors to hold as s16 where ops take that
  std::vector<std::string> wide_why;  // of each of them, for the report; may be shorter
  double accuracy_drop = -1;          // points that integers may be worse than float; below 0: whatever comes
  int32_t hold_out = 0;               // calibration leaves out every so many-th input; 0: none
  int32_t rows = 0;
  std::string stream = "auto";  // rows of the input: auto, where the arena stays as it is; on: also where it grows; off
  std::string layout = "chw";   // of the whole image in memory
  bool image_in_arena = false;
  bool recompute = false;  // Reassociate(): other rounding, less RAM, more instructions
  std::string dump;        // pass name or "all"; text goes to stderr
  std::string output;      // -o DIR
  std::string example;     // "plain": a program around the network; "serial": one that serves it over a serial port
  bool selftest = false;
  uint64_t weights_at = 0;   // address of the weights where they are a binary of their own; 0: they are linked
  bool stage_hook = false;   // NAME_on_stage(stage) before every stage
  Sections sections;         // of the target's memory
  int64_t prefetch = 0;      // bytes of weights for one stage that may lie in the arena; 0: all are read in place
  bool marks = false;        // O2M_MARK(node) before every call of a kernel: for a profile under emulation
  bool shapes_only = false;  // no calibration and no packing: for inspect and for pricing
};

// What --accuracy-drop came to (codegen/accuracy.h).
struct AccuracyReached {
  double drop = 0, drop_s8 = 0;  // points, with and without tensors raised for it
  int64_t held_out = 0, raised = 0, of = 0;
  bool top1 = false;  // of labels; else inputs whose answer is another than the float model's
};

// A model after the last pass: the chosen graph and plan, and what was priced.
struct Compilation {
  Graph graph;
  Plan plan;
  Stream stream;  // how the input may be pushed in rows, or why not
  Target target;
  Board board;                      // id empty: none given
  std::vector<Region> ram_regions;  // that arenas may lie in; ArenaRegions() of codegen/regions.h
  Sections sections;
  std::vector<Alternative> alternatives;  // the chosen one first, its graph moved to `graph`; others hold no data
  int64_t calibration_inputs = 0;
  std::optional<AccuracyReached> accuracy;
  std::vector<const o2m_op *> recognised;  // of every node before it was scheduled, which splits and repeats nodes
  bool numeric = false;  // computed in another order than the model says: other rounding than the exact schedules
  CoarseWeights coarse;  // weights that give other results than in full
  std::optional<RoundingChange> rounding;  // what that other rounding costs, where numeric schedules were looked at
};

absl::StatusOr<Graph> ImportFloat(const CompileOptions &options);  // read .. canonical
// read .. fuse: op nodes whose dtypes, scales and strides are final, ready to be scheduled. Sets target, board and
// calibration_inputs.
absl::StatusOr<Graph> LowerModel(const CompileOptions &options, const Registry &registry, Host &host,
                                 Compilation *compilation);
// `plans` saves time where a model is compiled again with a few tensors of another type; of one target and set of
// options, FailedPrecondition otherwise.
absl::StatusOr<Compilation> Compile(const CompileOptions &options, const Registry &registry, Host &host,
                                    PlanCache *plans = nullptr);
// One generated file.
struct GeneratedFile {
  std::string name, text;
  int64_t constant_bytes = 0;  // of a file that holds constants alone; 0: it is to be compiled to know its size
  bool example = false;        // no part of the network
  std::string object = {};     // what the target's compiler made of it, where that is known (MeasureSizes)
};
absl::StatusOr<std::vector<GeneratedFile>> EmitProgram(const Compilation &compilation, const CompileOptions &options,
                                                       Host &host);
// Writes all files into DIR: into a temporary folder beside it, then renamed. Complete or absent.
absl::Status WriteFolder(const std::string &folder, const std::vector<GeneratedFile> &files);

}  // namespace onnx2mcu
