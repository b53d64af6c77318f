// nas/verb_search_outer.h - `onnx2mcu search --outer=...`: the space is chosen before it is searched.
#pragma once
#include "nas/search/record.h"
#include "nas/search_command.h"

namespace onnx2mcu {

// All of `space` where --outer is not given. record: of the search so far. problem: of the whole space; the folder is
// there.
absl::StatusOr<SpaceChoice> ChooseSpace(const SearchCommand &command, const Space &space, const SearchRecord &record,
                                        const SearchProblem &problem, const Supernet &supernet, Prices *prices);

// InvalidArgument: --outer or what it needs is wrong.
absl::Status CheckOuter(const SearchCommand &command, const Space &space);

}  // namespace onnx2mcu
