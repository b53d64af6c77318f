#include "nas/vit_onnx.h"

#include <utility>

#include "importer/data/files.h"
#include "importer/onnx_writer.h"
#include "importer/passes.h"
#include "nas/vit_graph.h"

namespace onnx2mcu {

absl::Status WriteVit(const Vit &vit, const Metadata &metadata, const std::string &path) {
  Graph graph = FloatGraphOf(vit);
  graph.metadata = metadata;
  O2M_ASSIGN_OR_RETURN(const std::string bytes, OnnxBytes(graph));
  return WriteFileBytes(path, bytes);
}

absl::StatusOr<VitFile> ReadVit(const std::string &path) {
  O2M_ASSIGN_OR_RETURN(Graph graph, ReadOnnx(path));
  O2M_RETURN_IF_ERROR(FoldConstants(graph));
  O2M_RETURN_IF_ERROR(Canonicalize(graph));
  O2M_ASSIGN_OR_RETURN(Vit vit, VitOf(graph));
  return VitFile{std::move(vit), std::move(graph.metadata), std::move(graph.sha256)};
}

}  // namespace onnx2mcu
