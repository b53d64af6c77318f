// nas/train/predictor.h - accuracies for a search: of a supernet's subnets, with the weights they inherit.
#pragma once
#include "nas/search/predictor.h"

namespace onnx2mcu {

// Trains the space's supernet on the images but those held out; the accuracies are of these.
Supernet TrainedSupernet();

}  // namespace onnx2mcu
