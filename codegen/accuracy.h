// codegen/accuracy.h - --accuracy-drop: tensors become s16, the most harmful for their size first, until the integers
// lose no more than asked for on inputs that the calibration has not seen.
#pragma once
#include "codegen/compiler.h"

namespace onnx2mcu {

// The options with `wide` filled; as they are where no drop is asked for. Every fourth calibration input is held out:
// what is lost is measured on those, in points, of top-1 where the inputs bring labels (a folder of classes), else as
// the share whose largest output is another than the float model's. ResourceExhausted where the budget of RAM or flash,
// or what ops take as s16, ends before the limit is met: the message names the best that was reached.
struct Raised {
  CompileOptions options;
  AccuracyReached reached;
};
absl::StatusOr<Raised> RaiseForAccuracy(const CompileOptions &options, const Registry &registry, Host &host);

}  // namespace onnx2mcu
