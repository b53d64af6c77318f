// nas/cost.h - what a network costs on a board, without training or compiling it: from the real planner.
//
// A Vit is a row of kinds of segments (planner/price.h). Which kinds a block comes to, in a network of these tokens and
// this dim, is learnt once from a network of two such blocks that is lowered; the price of any other network of known
// blocks is put together from them. Weights are random and dense: where a trained network has zeros, compilation may
// hold them in a smaller form, and where two arrays are equal (norms of a cut network have gain 1 and bias 0, first
// factors of low rank no bias) it holds them once, so the price is an upper bound. Nothing is calibrated: a tensor that
// compilation raises to s16 because its inputs differ is priced as s8.
#pragma once
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "importer/ir/status.h"
#include "nas/lowered_vit.h"
#include "nas/vit.h"
#include "planner/code_size.h"
#include "planner/price.h"
#include "planner/target.h"
#include "plugins/registry.h"

namespace onnx2mcu {

struct Cost {
  int64_t arena_bytes = 0, stack_bytes = 0;                      // RAM; the stack is what compilation keeps for it
  int64_t weight_bytes = 0, constant_bytes = 0, code_bytes = 0;  // flash
  int64_t instructions = 0;                                      // per inference, estimated
  int64_t ram_bytes() const { return arena_bytes + stack_bytes; }
  int64_t flash_bytes() const { return weight_bytes + constant_bytes + code_bytes; }
};

// 0: no limit.
struct Limits {
  int64_t ram_bytes = 0, flash_bytes = 0, instructions = 0;
};
inline bool Within(const Cost &cost, const Limits &limits) {
  const auto fits = [](int64_t value, int64_t limit) { return limit == 0 || value <= limit; };
  return fits(cost.ram_bytes(), limits.ram_bytes) && fits(cost.flash_bytes(), limits.flash_bytes) &&
         fits(cost.instructions, limits.instructions);
}

// What a network is made of, by its kinds. Those of a block differ between the last one and the others.
struct KindsOfBlock {
  std::vector<SegmentId> inner, last;  // last: with all that follows the blocks
};
struct KindsOfFrame {
  std::vector<SegmentId> embedding;
  std::map<BlockConfig, KindsOfBlock> blocks;
};

// What one option of a kind adds to a program's flash, kernels by number.
struct CodeOfOption {
  std::vector<int32_t> sources;
  std::vector<ConstantBlock> objects;
  int64_t text = 0;  // thousandths of a byte
  int64_t weight_bytes = 0;
};

// All that was learnt, for one price of reading flash (Target::flash_wait).
struct Learnt {
  Target target;
  const o2m_op *copy = nullptr;  // PlanOptions::copy
  PlanCache cache;
  std::map<VitConfig, KindsOfFrame> frames;                    // by config without blocks
  std::map<std::pair<SegmentId, int32_t>, CodeOfOption> code;  // by kind and position among its options
  std::map<std::string, int32_t> sources;                      // numbers of kernels' files
  std::map<std::vector<int32_t>, KernelSize> kernels;          // by sorted numbers of a program's kernels
};

struct Pricer {
  const Registry &registry;
  PriceOptions options;
  Target target;
  Board board;  // with the budgets that replace its figures
  Host host;
  std::map<int32_t, Learnt> learnt;  // by flash_wait
  int64_t blocks_learnt = 0;
  double learning_seconds = 0;  // processor time
};

// NotFound: no such board or target. InvalidArgument: a budget of RAM that the stack alone would take.
absl::StatusOr<std::unique_ptr<Pricer>> MakePricer(const Registry &registry, const PriceOptions &options);

// RAM and flash of the pricer's board, 0 where it has none.
Limits LimitsOf(const Pricer &pricer, int64_t instructions = 0);

// Precondition: at least one block. Errors of ops that refuse a shape.
absl::StatusOr<Cost> PriceVit(Pricer &pricer, const VitConfig &config);

// What its price of NAME.c is put together from, by StageCode::counts, with weights in the core's own flash: for
// bench_code, which fits what each of them takes.
absl::StatusOr<std::map<std::string, int64_t>> CodeCounts(Pricer &pricer, const VitConfig &config);

}  // namespace onnx2mcu
