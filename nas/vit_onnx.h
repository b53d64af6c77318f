// nas/vit_onnx.h - a Vit as an ONNX file, and a Vit read out of any file that is one.
#pragma once
#include <map>
#include <string>

#include "importer/ir/graph.h"
#include "importer/ir/status.h"
#include "nas/vit.h"

namespace onnx2mcu {

using Metadata = std::map<std::string, std::string>;

struct VitFile {
  Vit vit;
  Metadata metadata;   // of the file: "onnx2mcu.mean", "onnx2mcu.std" and what a search has left there
  std::string sha256;  // hex
};

// Opset 20, batch 1 (nas/vit_graph.h). The same Vit and metadata give the same bytes; an unwritten file is an error.
absl::Status WriteVit(const Vit &vit, const Metadata &metadata, const std::string &path);

// InvalidArgument: which node of the file is not what a pre-norm ViT has there, and what would fit.
absl::StatusOr<VitFile> ReadVit(const std::string &path);

// The same of a graph after Canonicalize(), of whatever exporter. Class token and positions that an exporter has added
// up already are one class token of zero position.
absl::StatusOr<Vit> VitOf(const Graph &graph);

}  // namespace onnx2mcu
