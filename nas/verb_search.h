// nas/verb_search.h - `onnx2mcu search`: a space of ViTs under limits, to ONNX files.
#pragma once
#include "nas/search/predictor.h"
#include "nas/verbs.h"

namespace onnx2mcu {

// Words after the verb. The supernet gives accuracies where the command line names no table of them.
absl::Status SearchVerb(const Words &words, const Supernet &supernet);

}  // namespace onnx2mcu
