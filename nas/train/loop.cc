#include "nas/train/loop.h"

#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>
#include <ATen/autocast_mode.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/from_blob.h>
#include <ATen/ops/log_softmax.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>

#include <chrono>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "nas/train/batches.h"
#include "nas/train/checkpoint.h"

namespace onnx2mcu {
namespace {

constexpr double kBeta1 = 0.9, kBeta2 = 0.999, kEpsilon = 1e-8;  // AdamW's, as its authors have them
constexpr double kSecondsBetweenCheckpoints = 60, kSecondsBetweenReports = 1;
constexpr int64_t kShards = 4;  // costs one process little, and is as many ranks as share a step

using Clock = std::chrono::steady_clock;
double SecondsSince(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

// bfloat16 products on a GPU, for as long as it lives. No casts are kept: weights change in place, and leaves are new
// in every step.
class HalfPrecision {
 public:
  explicit HalfPrecision(bool wanted)
      : before_(at::autocast::is_autocast_enabled(at::kCUDA)), kept_(at::autocast::is_autocast_cache_enabled()) {
    at::autocast::set_autocast_enabled(at::kCUDA, wanted);
    at::autocast::set_autocast_cache_enabled(false);
    if (wanted) at::autocast::set_autocast_dtype(at::kCUDA, at::kBFloat16);
  }
  ~HalfPrecision() {
    at::autocast::set_autocast_cache_enabled(kept_);
    at::autocast::set_autocast_enabled(at::kCUDA, before_);
  }
  HalfPrecision(const HalfPrecision &) = delete;
  HalfPrecision &operator=(const HalfPrecision &) = delete;

 private:
  const bool before_, kept_;
};

double LearningRate(const TrainOptions &options, double share) {
  if (share < options.warmup) return options.learning_rate * share / options.warmup;
  return options.learning_rate * 0.5 * (1 + std::cos(M_PI * (share - options.warmup) / (1 - options.warmup)));
}

// Of all rounds.
double ShareOf(const TrainingBudget &budget, const Weights &weights) {
  double rounds = 0;
  if (budget.steps > 0) rounds = static_cast<double>(weights.step) / static_cast<double>(budget.steps);
  if (budget.seconds > 0) rounds = std::max(rounds, weights.seconds / budget.seconds);
  return std::min(rounds / static_cast<double>(budget.rounds), 1.0);
}

// Of the round that weights are in; 1 at its end.
double ShareOfRound(const TrainingBudget &budget, const Weights &weights) {
  TrainingBudget one = budget;
  one.rounds = 1;
  Weights within;
  const auto whole = [](double rounds) { return std::max(std::ceil(rounds) - 1, 0.0); };
  if (budget.steps > 0) {
    const double before = whole(static_cast<double>(weights.step) / static_cast<double>(budget.steps));
    within.step = weights.step - static_cast<int64_t>(before) * budget.steps;
  }
  if (budget.seconds > 0) within.seconds = weights.seconds - whole(weights.seconds / budget.seconds) * budget.seconds;
  return ShareOf(one, within);
}

// Tensors that share the memory of `values`, whose gradients are added to `gradients`.
Net LeavesOf(const Net &shapes, const at::Tensor &values, const at::Tensor &gradients) {
  std::vector<at::Tensor> into;
  Net net = Bind(shapes, gradients);
  ForEach(net, [&](at::Tensor &x, bool) { into.push_back(x); });
  net = Bind(shapes, values);
  size_t i = 0;
  ForEach(net, [&](at::Tensor &x, bool) {
    x = x.detach().requires_grad_(true);
    x.mutable_grad() = into[i++];
  });
  return net;
}

at::Tensor RowsOf(std::vector<float> &all, int64_t count, int64_t first, int64_t rows, std::vector<int64_t> dims) {
  if (all.empty()) return {};
  const int64_t width = static_cast<int64_t>(all.size()) / count;
  dims.insert(dims.begin(), rows);
  return at::from_blob(all.data() + first * width, dims, at::kFloat).to(BestDevice());
}

// The s-th of `shards` nearly equal parts of a batch.
Shard ShardOf(Batch &batch, const ImageSet &set, int64_t classes, int64_t s, int64_t shards) {
  const int64_t first = batch.count * s / shards, rows = batch.count * (s + 1) / shards - first;
  return {RowsOf(batch.images, batch.count, first, rows, {set.channels, set.side, set.side}),
          RowsOf(batch.targets, batch.count, first, rows, {classes})};
}

struct Descent {
  const Task &task;
  const ImageSet &set;
  const TrainOptions &options;
  Weights &weights;
  at::Tensor gradient;  // of a step, of all weights
  Net leaves;
  Batches batches;
};

// A row from its owner, whose values it has there, to all peers.
void Share(const Peers &peers, int owner, at::Tensor &row) {
  if (peers.ranks == 1) return;
  at::Tensor here = row.to(at::kCPU);
  peers.broadcast(owner, here.mutable_data_ptr<float>(), static_cast<size_t>(here.numel()) * sizeof(float));
  row.copy_(here);
}

// The gradient of a shard's loss on the `values` of a part, and the loss as the last element.
at::Tensor RowOf(const Task &task, const Net &part, const at::Tensor &values, const Shard &shard, double share) {
  const int64_t size = values.numel();
  at::Tensor row = at::zeros({size + 1}, values.options());
  const at::Tensor loss = task.loss(LeavesOf(part, values, row.narrow(0, 0, size)), shard) * share;
  loss.backward();
  row.narrow(0, size, 1).copy_(loss.detach());
  return row;
}

// Adds the gradient of a pass to that of the step and returns its loss, the mean over shards. What a pass trains is cut
// out once, and what all shards say of it, whichever rank says it, goes back to the weights at once.
double DifferentiatePass(Descent &d, Batch &batch, int pass) {
  const Net part = d.task.part(d.leaves, d.weights.step, pass);
  const at::Tensor flat = Flatten(part), values = flat.detach();
  const int64_t shards = d.options.shards;
  std::vector<at::Tensor> rows(shards);
  for (int64_t s = 0; s < shards; s++) {
    if (!d.options.peers.Owns(s)) continue;
    const Shard shard = ShardOf(batch, d.set, d.task.classes, s, shards);
    const double share = static_cast<double>(shard.images.size(0)) / static_cast<double>(batch.count);
    rows[s] = RowOf(d.task, part, values, shard, share);
  }
  at::Tensor sum = at::zeros({values.numel() + 1}, values.options());
  for (int64_t s = 0; s < shards; s++) {
    if (!rows[s].defined()) rows[s] = at::empty_like(sum);
    Share(d.options.peers, d.options.peers.OwnerOf(s), rows[s]);
    sum.add_(rows[s]);
  }
  flat.backward(sum.narrow(0, 0, values.numel()));
  return sum[values.numel()].item<double>();
}

// Fills descent.gradient and returns the loss, the sum over passes.
double Differentiate(Descent &d) {
  Batch batch = d.batches.At(d.weights.step);
  double loss = 0;
  d.gradient.zero_();
  for (int pass = 0; pass < d.task.passes; pass++) loss += DifferentiatePass(d, batch, pass);
  return loss;
}

// AdamW (Loshchilov and Hutter, algorithm 2) and the moving average.
void Update(Descent &d, double rate) {
  const at::NoGradGuard no_gradients;
  Weights &w = d.weights;
  const double norm = d.gradient.norm().item<double>();
  if (norm > d.options.gradient_norm) d.gradient.mul_(d.options.gradient_norm / norm);
  const auto step = static_cast<double>(w.step + 1);
  const double correction1 = 1 - std::pow(kBeta1, step), correction2 = 1 - std::pow(kBeta2, step);
  w.first_moment.lerp_(d.gradient, 1 - kBeta1);
  w.second_moment.mul_(kBeta2).addcmul_(d.gradient, d.gradient, 1 - kBeta2);
  w.values.narrow(0, 0, MatrixElements(d.task.initial)).mul_(1 - rate * d.options.weight_decay);
  w.values.addcdiv_(w.first_moment, (w.second_moment / correction2).sqrt_().add_(kEpsilon), -rate / correction1);
  w.average.lerp_(w.values, 1 - std::min(d.options.ema, step / (step + 9)));
}

absl::Status Step(Descent &d, const TrainingBudget &budget, double &loss) {
  loss = Differentiate(d);
  if (!std::isfinite(loss))
    return absl::InvalidArgumentError(absl::StrCat("the training diverged at step ", d.weights.step,
                                                   " (its loss is no number); take a lower learning rate than ",
                                                   d.options.learning_rate));
  Weights next = d.weights;  // the share at the step's end, so that the first one moves
  next.step++;
  Update(d, LearningRate(d.options, ShareOfRound(budget, next)));
  d.weights.step++;
  return absl::OkStatus();
}

// What the first says of the time and of going on, as every peer's.
absl::Status Agree(const Peers &peers, Weights &weights, bool &wanted) {
  if (peers.ranks == 1) return absl::OkStatus();
  double first[3] = {static_cast<double>(weights.step), weights.seconds, wanted ? 1.0 : 0.0};
  peers.broadcast(0, first, sizeof first);
  weights.seconds = first[1], wanted = first[2] != 0;
  if (first[0] == static_cast<double>(weights.step)) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat("rank ", peers.rank, " is at step ", weights.step,
                                                    " of the training, the first at ", first[0],
                                                    "; all must see the same folder of results"));
}

absl::Status CheckOptions(const TrainOptions &options, const TrainingBudget &budget) {
  if (options.batch < 1 || options.shards < 1 || options.shards > options.batch)
    return absl::InvalidArgumentError("a batch needs an image at least for each of its shards");
  if ((budget.seconds <= 0 && budget.steps <= 0) || budget.rounds < 1)
    return absl::InvalidArgumentError("a training needs a budget: seconds or steps above 0");
  return absl::OkStatus();
}

// Whatever changes the course of a training. Not its threads or device: they change the last bits only.
std::string IdentityOf(const Task &task, const ImageSet &set, const TrainOptions &o, const TrainingBudget &budget) {
  return absl::StrCat(task.identity, " images ", set.count, " seed ", o.seed, " batch ", o.batch, " shards ", o.shards,
                      " rate ", o.learning_rate, " warmup ", o.warmup, " decay ", o.weight_decay, " norm ",
                      o.gradient_norm, " smoothing ", o.label_smoothing, " parent ", o.parent_share, " ema ", o.ema,
                      " shift ", o.shift, " flip ", o.flip, " mixing ", o.mixing, " passes ", task.passes, " budget ",
                      budget.seconds, " s ", budget.steps, " steps");
}

}  // namespace

at::Device BestDevice() { return at::hasCUDA() ? at::kCUDA : at::kCPU; }

at::Tensor CrossEntropy(const at::Tensor &logits, const at::Tensor &targets) {
  return -(at::log_softmax(logits.to(at::kFloat), -1) * targets).sum(-1).mean();
}

Weights InitialWeights(const Net &net) {
  const at::Tensor values = Flatten(net).detach().to(BestDevice(), at::kFloat);
  return {values, values.clone(), at::zeros_like(values), at::zeros_like(values)};
}

absl::Status Descend(const Task &task, const ImageSet &set, const TrainOptions &asked, const TrainingBudget &budget,
                     const Checkpoint &checkpoint, const OnProgress &progress, Weights &weights) {
  TrainOptions options = asked;
  if (options.shards == 0) options.shards = BestDevice().is_cuda() ? 1 : std::min(kShards, options.batch);
  O2M_RETURN_IF_ERROR(CheckOptions(options, budget));
  const std::string identity = IdentityOf(task, set, options, budget);
  if (checkpoint.resume && !checkpoint.path.empty()) {
    const absl::Status loaded = LoadCheckpoint(checkpoint.path, identity, weights);
    if (!loaded.ok() && !absl::IsNotFound(loaded)) return loaded;
  }
  at::set_num_threads(options.threads);
  const HalfPrecision half(options.half && BestDevice().is_cuda());
  Descent d{task, set, options, weights, at::zeros_like(weights.values), {}, Batches(set, task.classes, options)};
  d.leaves = LeavesOf(task.initial, weights.values, d.gradient);
  const auto save = [&] {
    const bool writes = !checkpoint.path.empty() && options.peers.rank == 0;
    return writes ? SaveCheckpoint(checkpoint.path, identity, weights) : absl::OkStatus();
  };
  const Clock::time_point start = Clock::now();
  const double before = weights.seconds;
  double saved = 0, reported = 0, mean_loss = 0;
  bool wanted = true;
  O2M_RETURN_IF_ERROR(Agree(options.peers, weights, wanted));
  while (wanted && ShareOf(budget, weights) < 1) {
    double loss = 0;
    O2M_RETURN_IF_ERROR(Step(d, budget, loss));
    mean_loss = mean_loss == 0 ? loss : 0.98 * mean_loss + 0.02 * loss;
    const double now = SecondsSince(start);
    if (budget.seconds > 0) weights.seconds = before + now;  // else a checkpoint need not depend on the time
    const double share = ShareOf(budget, weights);
    if (progress && (now - reported >= kSecondsBetweenReports || share >= 1))
      wanted = progress({weights.step, before + now, share, mean_loss}), reported = now;
    if (checkpoint.pause > 0 && weights.step >= checkpoint.pause && share < 1) wanted = false;
    O2M_RETURN_IF_ERROR(Agree(options.peers, weights, wanted));
    if (now - saved >= kSecondsBetweenCheckpoints && share < 1) {
      O2M_RETURN_IF_ERROR(save());
      saved = now;
    }
  }
  O2M_RETURN_IF_ERROR(save());
  return wanted ? absl::OkStatus() : absl::CancelledError("the training was interrupted");
}

}  // namespace onnx2mcu
