// nas/verb_search_model.h - `onnx2mcu search MODEL.onnx`: an exported ViT under limits, to ONNX files.
#pragma once
#include "nas/search_command.h"
#include "plugins/registry.h"

namespace onnx2mcu {

// Reads command.model, writes best.onnx, frontier/NNN.onnx and search.json into command.folder, prints the winner.
// InvalidArgument: no ViT, no images, limits that do not bind. ResourceExhausted: no cut keeps within them.
absl::Status SearchModel(const SearchCommand &command, const Registry &registry, const Supernet &supernet);

}  // namespace onnx2mcu
