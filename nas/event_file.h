// nas/event_file.h - scalars over steps as TensorBoard reads them.
//
// A file of records (TFRecord): length, masked CRC-32C of it, an Event message, masked CRC-32C of that; all little
// endian. Only the few protobuf fields of a scalar are written: wall_time 1, step 2, file_version 3, summary 5 { value
// 1 { tag 1, simple_value 2 } } (tensorflow/core/util/event.proto, framework/summary.proto).
#pragma once
#include <cstdint>
#include <map>
#include <string>

#include "importer/ir/status.h"

namespace onnx2mcu {

// The record that a file starts with, and one of a scalar. seconds: since 1970.
std::string EventFileStart(double seconds);
std::string ScalarEvent(double seconds, int64_t step, const std::string &tag, float value);

// Appends scalars of one step, now, to the file; it is made where it is missing. InvalidArgument: it cannot be written.
absl::Status AppendScalars(const std::string &path, int64_t step, const std::map<std::string, double> &scalars);

// CRC-32C (Castagnoli) of the bytes.
uint32_t Crc32c(const std::string &bytes);

}  // namespace onnx2mcu
