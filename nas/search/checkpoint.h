// nas/search/checkpoint.h - a search on disk, as JSON: whole or absent, and enough to go on bit for bit.
//
// A strategy is a function of the history and random numbers are counted by generation, so the history is all there is.
#pragma once
#include <nlohmann/json.hpp>
#include <string>

#include "nas/search/objective.h"

namespace onnx2mcu {

nlohmann::ordered_json JsonOf(const Evaluation &evaluation);
nlohmann::ordered_json JsonOf(const Refusals &refusals);

// path "": nothing is written or read. identity: whatever tells searches apart (space, limits, strategy, seed ...).
absl::Status WriteCheckpoint(const std::string &path, const std::string &identity, const History &history);
// InvalidArgument: "FILE: ..." malformed or of another search. NotFound: no such file.
absl::StatusOr<History> ReadCheckpoint(const std::string &path, const std::string &identity);
// An empty history, or the checkpoint's to resume. InvalidArgument where a new search would overwrite a checkpoint.
absl::StatusOr<History> StartOrResume(const std::string &path, const std::string &identity, bool resume);

}  // namespace onnx2mcu
