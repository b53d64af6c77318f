// nas/search/record.h - what a search leaves behind: search.json, and report.html that shows it.
#pragma once
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "nas/search/finalists.h"
#include "nas/search/reach.h"
#include "nas/search/space_choice.h"
#include "nas/vit.h"

namespace onnx2mcu {

struct SearchRecord {
  std::string space, space_sha256;  // name, hash of the file
  std::string board, target;        // either may be empty
  std::string strategy, source;     // of accuracies
  SpaceChoice outer;
  uint64_t seed = 0;
  Limits limits;
  Refusals sampled;  // of uniform draws, before the search: the share of the space that is legal
  History history;
  std::vector<size_t> frontier;  // indices of evaluations, most accurate first
  size_t best = 0;
  std::vector<Finalist> finalists;  // the best was chosen among them; empty: nothing was trained by itself
  VitConfig winner;
  Binding binding;  // of the winner
};

nlohmann::ordered_json JsonOf(const Limits &limits);

// schema_version 1. Keys: nothing is renamed, others may join.
nlohmann::ordered_json JsonOf(const SearchRecord &record, const Objective &objective);

// What a page says that is not in a record: where the networks come from, and what their accuracies are.
struct Heading {
  std::string title, subtitle;
  std::string inherited = "accuracy", tuned = "accuracy after training";  // of an evaluation, of a finalist
  std::string frontier = "No network evaluated is better in accuracy, RAM, flash or instructions and worse in none.";
  std::vector<std::pair<std::string, std::string>> figures;  // name, value; after those of the winner
};

// One self-contained page: winner, finalists, frontier, generations, blocks, memory, spaces, refusals; what a record
// does not have is left out. No date, no script, no link.
std::string HtmlOf(const SearchRecord &record, const Objective &objective, const Heading &heading);
std::string HtmlOf(const SearchRecord &record, const Objective &objective);  // of a search in a space

}  // namespace onnx2mcu
