// nas/train/loop.h - gradient descent on a set of tensors: AdamW, moving average, schedule, checkpoints. Private to
// nas/train.
#pragma once
#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <string>

#include "nas/train/net.h"
#include "nas/train/trainer.h"

namespace onnx2mcu {

// A part of a batch on the device of the weights. targets: [n, classes] probabilities; undefined without labels.
struct Shard {
  at::Tensor images, targets;
};

// What is trained, and how good it is.
struct Task {
  Net initial;
  int64_t classes = 0;
  int passes = 1;        // losses per step, summed
  std::string identity;  // what a checkpoint must agree with, beside the options
  // What a pass trains of all weights, differentiable.
  std::function<Net(const Net &all, int64_t step, int pass)> part;
  std::function<at::Tensor(const Net &part, const Shard &shard)> loss;
};

// All that a training has made so far; each [size] as Flatten() has it.
struct Weights {
  at::Tensor values, average, first_moment, second_moment;
  int64_t step = 0;
  double seconds = 0;
};
Weights InitialWeights(const Net &net);

// Goes on from `weights` until the budget is spent. InvalidArgument: the loss is not finite. Cancelled: `progress` said
// so.
absl::Status Descend(const Task &task, const ImageSet &set, const TrainOptions &options, const TrainingBudget &budget,
                     const Checkpoint &checkpoint, const OnProgress &progress, Weights &weights);

// Mean over the rows of the cross entropy of softmax(logits) to targets.
at::Tensor CrossEntropy(const at::Tensor &logits, const at::Tensor &targets);

// The GPU where there is one.
at::Device BestDevice();

}  // namespace onnx2mcu
