// nas/train/trainer.h - training and evaluating vision transformers; libtorch stays behind this header.
//
// A supernet holds the weights of every network of a space: a subnet is a slice of each (AutoFormer, section 3.2,
// "weight entanglement"). All randomness is a function of (seed, step), so equal seeds and equal steps give equal bits
// on one type of machine. A budget in seconds ends at another step each time; one in steps is reproducible.
#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "importer/ir/status.h"
#include "nas/peers.h"
#include "nas/space.h"
#include "nas/train/image_set.h"
#include "nas/vit.h"

namespace onnx2mcu {

struct TrainOptions {
  uint64_t seed = 1;
  int64_t batch = 128;  // images per step, of all shards together
  // Gradients are computed on so many nearly equal parts of a batch and summed in their order, so any number of ranks
  // comes to the same bits; more ranks than shards do not help. 0: 4; with a GPU 1, whose steps are bound by launches.
  int64_t shards = 0;
  double learning_rate = 2e-3;  // the highest: linear warm-up, then a cosine to 0 (SGDR, eq. 5, one period)
  double warmup = 0.05;         // share of the budget
  double weight_decay = 0.05;   // AdamW; of matrices, not of biases, norms, positions
  double gradient_norm = 1;     // longer gradients are scaled down to it
  double label_smoothing = 0.1;
  double parent_share = 0.5;  // of a parent's answers in the targets, where there are labels too
  double ema = 0.998;         // decay of the moving average that is evaluated and exported
  int64_t shift = 2;          // pixels, of the random shift
  bool flip = true;           // left to right
  double mixing = 0;          // share of the steps that blend pairs of images (mixup, alpha = 1)
  bool sandwich = false;      // a supernet's step trains largest, smallest and random instead of random alone
  int threads = 1;            // of libtorch
  bool half = true;           // bfloat16 products where there is a GPU
  Peers peers;                // that share the steps: all of them train the same, and only the first writes checkpoints
};

// What ends a training: the first reached of those that are not 0.
struct TrainingBudget {
  double seconds = 0;
  int64_t steps = 0;
  // So many budgets, in each of which the learning rate goes its way again (SGDR's warm restarts). A checkpoint of
  // fewer rounds may be gone on from.
  int64_t rounds = 1;
};

struct TrainingProgress {
  int64_t step = 0;
  double seconds = 0;  // of training, those before a resumption included
  double share = 0;    // of the budget, 0..1
  double loss = 0;     // mean of the last steps
};
// Called every second or so, and at the end; false stops the training with Cancelled, checkpoint written.
using OnProgress = std::function<bool(const TrainingProgress &)>;

// Where a training saves all it needs to go on (weights, moving average, moments, step): an .npz, written atomically,
// every minute and at the end. `resume`: go on from it where it exists; FailedPrecondition where it is another run's.
struct Checkpoint {
  std::string path;  // empty: none
  bool resume = false;
  int64_t pause = 0;  // the step to stop before, Cancelled, as if interrupted there; 0: none
};

// The weights of all networks of a space.
class Trainer {
 public:
  // InvalidArgument: images of another size than the space's, no labels, labels beyond its classes.
  static absl::StatusOr<Trainer> Create(const Space &space, ImageSet train, const TrainOptions &options);
  Trainer(Trainer &&) noexcept;
  Trainer &operator=(Trainer &&) noexcept;
  ~Trainer();

  absl::Status Train(const TrainingBudget &budget, const Checkpoint &checkpoint = {}, const OnProgress &progress = {});
  // Of the moving average. Precondition: a config of the space, as ConfigOf() gives them.
  Vit Subnet(const VitConfig &config) const;
  // Top-1 of the subnet on labelled images, 0..1.
  absl::StatusOr<double> Accuracy(const VitConfig &config, const ImageSet &images) const;

 private:
  struct State;
  explicit Trainer(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

// A network of random weights, a function of the seed: where training from scratch begins.
Vit RandomVit(const VitConfig &config, uint64_t seed);

// For a network that does nearly what its parent does: short steps, soon averaged, on images as they are. With the
// defaults above, which are for random weights, such a network is worse after minutes than before (docs/nas.md).
TrainOptions TuningOptions(uint64_t seed);

// Trains all weights of one network, its low-rank factors included. The targets are the labels or the softmax of
// `parent` (may be null; Hinton et al., "Distilling the knowledge", temperature 1); where there are both, a mean of
// them. InvalidArgument: neither labels nor a parent, or images or classes that do not fit.
absl::StatusOr<Vit> FineTune(const Vit &vit, const ImageSet &train, const Vit *parent, const TrainOptions &options,
                             const TrainingBudget &budget, const Checkpoint &checkpoint = {},
                             const OnProgress &progress = {});

// What the network computes of each image, [count, classes].
absl::StatusOr<Matrix> Logits(const Vit &vit, const ImageSet &images, int threads = 1);
// Share of rows whose greatest element is at labels[row].
double Top1(const Matrix &logits, const std::vector<int64_t> &labels);

}  // namespace onnx2mcu
