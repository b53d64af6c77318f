#include "nas/train/trainer.h"

#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/from_blob.h>
#include <ATen/ops/lerp.h>
#include <ATen/ops/softmax.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "nas/train/batches.h"
#include "nas/train/loop.h"
#include "nas/train/random.h"
#include "nas/train/supernet.h"

namespace onnx2mcu {
namespace {

constexpr int64_t kEvaluationBatch = 100;  // images whose activations stay in a core's cache

absl::Status CheckImages(const VitConfig &config, const ImageSet &set) {
  if (set.count < 1) return absl::InvalidArgumentError("no images to learn or to evaluate; give one at least");
  if (set.channels != config.channels)
    return absl::InvalidArgumentError(
        absl::StrCat("the images have ", set.channels, " channels, the network takes ", config.channels));
  const auto beyond = [&](int64_t label) { return label < 0 || label >= config.classes; };
  const auto label = std::find_if(set.labels.begin(), set.labels.end(), beyond);
  if (label != set.labels.end())
    return absl::InvalidArgumentError(
        absl::StrCat("a label is ", *label, ", but the network has ", config.classes, " classes, from 0"));
  return absl::OkStatus();
}

absl::StatusOr<Matrix> LogitsOf(const Net &net, const ImageSet &set) {
  O2M_RETURN_IF_ERROR(CheckImages(net.config, set));
  const at::NoGradGuard no_gradients;
  Matrix logits(set.count, net.config.classes);
  for (int64_t first = 0; first < set.count; first += kEvaluationBatch) {
    const int64_t n = std::min(kEvaluationBatch, set.count - first);
    std::vector<float> images = ImagesOf(set, first, n);
    const at::Tensor batch = at::from_blob(images.data(), {n, set.channels, set.side, set.side}, at::kFloat);
    const at::Tensor y = Forward(net, batch.to(net.patch.device())).to(at::kCPU).contiguous();
    logits.middleRows(first, n) = Eigen::Map<const Matrix>(y.const_data_ptr<float>(), n, net.config.classes);
  }
  return logits;
}

Net Moved(Net net, at::Device device) {
  ForEach(net, [&](at::Tensor &x, bool) { x = x.to(device); });
  return net;
}

Genes EndOf(const Space &space, bool largest) {
  Genes genes;
  for (const Gene &gene : space.genes) genes.push_back(largest ? static_cast<int32_t>(gene.values.size()) - 1 : 0);
  return genes;
}

// What pass `pass` of a step trains: with a sandwich, the largest and the smallest after the random one.
VitConfig ConfigAt(const Space &space, const TrainOptions &options, int64_t step, int pass) {
  if (pass > 0) return ConfigOf(space, EndOf(space, pass == 1));
  std::mt19937_64 random = RandomOf(options.seed, Purpose::kSubnet, step);
  return ConfigOf(space, RandomGenes(space, random));
}

// A space as text, for checkpoints.
std::string TextOf(const Space &space) {
  std::string text = space.name;
  for (const std::vector<Gene> *genes : {&space.genes, &space.constants})
    for (const Gene &gene : *genes) {
      absl::StrAppend(&text, " ", gene.name);
      for (const double value : gene.values) absl::StrAppend(&text, " ", value);
    }
  return text;
}

}  // namespace

struct Trainer::State {
  Space space;
  ImageSet images;
  TrainOptions options;
  SharedWeights supernet;
  Weights weights;
};

Trainer::Trainer(std::unique_ptr<State> state) : state_(std::move(state)) {}
Trainer::Trainer(Trainer &&) noexcept = default;
Trainer &Trainer::operator=(Trainer &&) noexcept = default;
Trainer::~Trainer() = default;

absl::StatusOr<Trainer> Trainer::Create(const Space &space, ImageSet train, const TrainOptions &options) {
  O2M_RETURN_IF_ERROR(CheckImages(space.base, train));
  if (train.labels.empty())
    return absl::InvalidArgumentError("a supernet learns from labels, and the images have none; give --labels");
  at::set_num_threads(options.threads);  // the first weights are of decompositions, whose bits depend on it
  auto state = std::make_unique<State>(State{space, std::move(train), options, MakeSupernet(space, options.seed), {}});
  state->weights = InitialWeights(state->supernet.net);
  return Trainer(std::move(state));
}

absl::Status Trainer::Train(const TrainingBudget &budget, const Checkpoint &checkpoint, const OnProgress &progress) {
  State &s = *state_;
  Task task;
  task.initial = s.supernet.net, task.classes = s.space.base.classes;
  task.passes = s.options.sandwich ? 3 : 1;
  task.identity = "supernet " + TextOf(s.space);
  task.part = [&](const Net &all, int64_t step, int pass) {
    const SharedWeights supernet{all, s.supernet.kernels, s.supernet.grids};
    return onnx2mcu::Subnet(supernet, ConfigAt(s.space, s.options, step, pass));
  };
  task.loss = [](const Net &part, const Shard &shard) {
    return CrossEntropy(Forward(part, shard.images), shard.targets);
  };
  return Descend(task, s.images, s.options, budget, checkpoint, progress, s.weights);
}

Vit Trainer::Subnet(const VitConfig &config) const {
  const at::NoGradGuard no_gradients;
  const SharedWeights average{Bind(state_->supernet.net, state_->weights.average), state_->supernet.kernels,
                              state_->supernet.grids};
  return VitOf(onnx2mcu::Subnet(average, config));
}

absl::StatusOr<double> Trainer::Accuracy(const VitConfig &config, const ImageSet &images) const {
  if (images.labels.empty()) return absl::InvalidArgumentError("the images to evaluate on have no labels");
  O2M_ASSIGN_OR_RETURN(const Matrix logits, Logits(Subnet(config), images, state_->options.threads));
  return Top1(logits, images.labels);
}

Vit RandomVit(const VitConfig &config, uint64_t seed) { return VitOf(RandomNet(config, seed)); }

TrainOptions TuningOptions(uint64_t seed) {
  TrainOptions options;
  options.seed = seed;
  options.learning_rate = 5e-4, options.ema = 0.99, options.shift = 0;
  return options;
}

absl::StatusOr<Vit> FineTune(const Vit &vit, const ImageSet &train, const Vit *parent, const TrainOptions &options,
                             const TrainingBudget &budget, const Checkpoint &checkpoint, const OnProgress &progress) {
  O2M_RETURN_IF_ERROR(CheckImages(vit.config, train));
  if (train.labels.empty() && !parent)
    return absl::InvalidArgumentError("fine-tuning needs labels or a parent to learn from; give --labels");
  if (parent && parent->config.classes != vit.config.classes)
    return absl::InvalidArgumentError(
        absl::StrCat("the parent has ", parent->config.classes, " classes, the network ", vit.config.classes));
  const Net teacher = parent ? Moved(NetOf(*parent), BestDevice()) : Net{};
  Task task;
  task.initial = NetOf(vit), task.classes = vit.config.classes;
  task.part = [](const Net &all, int64_t, int) { return all; };
  task.loss = [&](const Net &net, const Shard &shard) {
    at::Tensor targets = shard.targets;
    if (parent) {
      const at::NoGradGuard no_gradients;
      const at::Tensor said = at::softmax(Forward(teacher, shard.images).to(at::kFloat), -1);
      targets = targets.defined() ? at::lerp(targets, said, options.parent_share) : said;
    }
    return CrossEntropy(Forward(net, shard.images), targets);
  };
  Weights weights = InitialWeights(task.initial);
  task.identity = "network " + std::to_string(weights.values.sum().item<double>());
  O2M_RETURN_IF_ERROR(Descend(task, train, options, budget, checkpoint, progress, weights));
  return VitOf(Bind(task.initial, weights.average));
}

absl::StatusOr<Matrix> Logits(const Vit &vit, const ImageSet &images, int threads) {
  at::set_num_threads(threads);
  return LogitsOf(Moved(NetOf(vit), BestDevice()), images);
}

double Top1(const Matrix &logits, const std::vector<int64_t> &labels) {
  int64_t hits = 0;
  for (int64_t i = 0; i < logits.rows(); i++) {
    Eigen::Index most = 0;
    logits.row(i).maxCoeff(&most);
    hits += most == labels[i];
  }
  return static_cast<double>(hits) / static_cast<double>(logits.rows());
}

}  // namespace onnx2mcu
