// importer/quant/integer_types.h - types of an integerised model's tensors: known from ranges, nothing is calibrated.
#pragma once
#include <vector>

#include "importer/dialect.h"
#include "importer/quant/quantize.h"

namespace onnx2mcu {

// By group of tensors that share memory: the smallest type that holds all of the group's values, kAny where no value of
// it is known. group_of and source by TensorId; source: the float tensor whose values it holds. Inputs span what they
// are declared as, else the smallest type that holds options.samples, else s16, with a warning.
absl::StatusOr<std::vector<DType>> IntegerTypes(Graph &graph, const QuantOptions &options,
                                                const std::vector<int32_t> &group_of,
                                                const std::vector<TensorId> &source);

}  // namespace onnx2mcu
