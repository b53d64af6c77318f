// nas/train/checkpoint.h - a training as a file, whole or absent. Private to nas/train.
//
// An .npz: `values`, `average`, `first_moment`, `second_moment` (float), `state` (step, microseconds and the identity's
// hash in parts of 16 bits). Equal trainings give equal bytes but for the time.
#pragma once
#include <string>

#include "importer/ir/status.h"
#include "nas/train/loop.h"

namespace onnx2mcu {

// identity: of the training; anything that changes its course.
absl::Status SaveCheckpoint(const std::string &path, const std::string &identity, const Weights &weights);
// NotFound: no such file. InvalidArgument: damaged. FailedPrecondition: of another training.
absl::Status LoadCheckpoint(const std::string &path, const std::string &identity, Weights &weights);

}  // namespace onnx2mcu
