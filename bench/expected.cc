#include "bench/expected.h"

#include <fnmatch.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <iterator>
#include <set>
#include <sstream>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "codegen/process.h"
#include "importer/data/files.h"
#include "importer/ir/text.h"

namespace onnx2mcu {
namespace {

constexpr char kTableHead[] = "row,instructions,cycles,ram,flash";

struct Figure {
  const char *name, *unit;
  int64_t Row::*value;
};
constexpr Figure kFigures[] = {{"instructions", "instructions", &Row::instructions},
                               {"cycles", "cycles (estimate)", &Row::cycles},
                               {"ram", "bytes of RAM", &Row::ram},
                               {"flash", "bytes of flash", &Row::flash}};

std::string CaseOf(const std::string &row) { return row.substr(0, row.find(':')); }
bool IsOfAnOp(const std::string &row) { return row.find('/') != std::string::npos; }

std::set<std::string> CasesOf(const std::vector<Row> &measured) {
  std::set<std::string> cases;
  for (const Row &row : measured) cases.insert(CaseOf(row.name));
  return cases;
}

absl::StatusOr<std::vector<std::vector<std::string>>> ReadTable(const std::string &path) {
  std::vector<std::vector<std::string>> lines;
  if (!std::filesystem::exists(path)) return lines;
  O2M_ASSIGN_OR_RETURN(const std::string text, ReadFileBytes(path));
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(absl::StrSplit(line, ','));
  return lines;
}

absl::Status Malformed(const std::string &path, size_t line) {
  return absl::InvalidArgumentError(absl::StrCat(path, ":", line + 1, ": not a line of such a table"));
}

bool Matches(const std::vector<std::string> &patterns, const std::string &name) {
  for (const std::string &pattern : patterns)
    if (fnmatch(pattern.c_str(), name.c_str(), 0) == 0) return true;
  return false;
}

struct Total {
  int64_t sum = 0;
  bool any = false;       // of the patterns matches a row
  std::string unmatched;  // the last pattern that matches none
};

void AddMatches(const std::vector<std::string> &patterns, const std::vector<Row> &rows, int64_t Row::*of, int64_t sign,
                Total *total) {
  for (const std::string &pattern : patterns) {
    bool found = false;
    for (const Row &row : rows) {
      if (!Matches({pattern}, row.name)) continue;
      total->sum += sign * row.*of;
      found = total->any = true;
    }
    if (!found) total->unmatched = pattern;
  }
}

absl::StatusOr<Limit> LimitOf(const std::vector<std::string> &words, const std::vector<std::string> &head) {
  Limit limit;
  const auto bad = absl::InvalidArgumentError("");
  if (words.size() != head.size() || words.size() < 4 || !absl::SimpleAtod(words[3], &limit.count)) return bad;
  const auto figure =
      std::find_if(std::begin(kFigures), std::end(kFigures), [&words](const Figure &f) { return f.name == words[2]; });
  if (figure == std::end(kFigures)) return bad;
  limit.of = figure->value;
  limit.figure = words[0];
  const std::vector<std::string> patterns = absl::StrSplit(words[1], ' ', absl::SkipEmpty());
  for (const std::string &pattern : patterns) {
    const bool minus = pattern[0] == '-';
    (minus ? limit.subtract : limit.add).push_back(pattern.substr(minus ? 1 : 0));
  }
  for (size_t i = 4; i < words.size(); i++) {
    double most = 0;
    if (words[i].empty()) continue;
    if (!absl::SimpleAtod(words[i], &most)) return bad;
    limit.most[head[i]] = most;
  }
  return limit;
}

}  // namespace

absl::StatusOr<Counts> ReadCounts(const std::string &path) {
  O2M_ASSIGN_OR_RETURN(const auto lines, ReadTable(path));
  Counts counts;
  for (size_t i = 1; i < lines.size(); i++) {
    const std::vector<std::string> &words = lines[i];
    Row row;
    if (words.size() != 1 + std::size(kFigures)) return Malformed(path, i);
    row.name = words[0];
    for (size_t f = 0; f < std::size(kFigures); f++)
      if (!absl::SimpleAtoi(words[f + 1], &(row.*kFigures[f].value))) return Malformed(path, i);
    counts[row.name] = row;
  }
  return counts;
}

absl::Status WriteCounts(const std::string &path, const Counts &counts) {
  std::string text = absl::StrCat(kTableHead, "\n");
  for (const auto &[name, row] : counts) {
    text += name;
    for (const Figure &figure : kFigures) absl::StrAppend(&text, ",", row.*figure.value);
    text += "\n";
  }
  return WriteFileBytes(path, text);
}

std::vector<std::string> Changes(const Counts &expected, const std::vector<Row> &measured, bool all_cases) {
  std::vector<std::string> lines;
  std::set<std::string> names;
  for (const Row &row : measured) {
    names.insert(row.name);
    const auto known = expected.find(row.name);
    if (known == expected.end()) {
      lines.push_back(absl::StrCat(row.name, ": new, ", Grouped(row.instructions), " instructions"));
      continue;
    }
    for (const Figure &figure : kFigures) {
      const int64_t old = known->second.*figure.value, now = row.*figure.value;
      if (old == now) continue;
      lines.push_back(absl::StrFormat("%s: %s -> %s %s (%.3f)", row.name, Grouped(old), Grouped(now), figure.unit,
                                      old == 0 ? INFINITY : static_cast<double>(now) / static_cast<double>(old)));
    }
  }
  const std::set<std::string> cases = CasesOf(measured);
  for (const auto &[name, row] : expected) {
    const bool measured_case = cases.count(CaseOf(name)) > 0 || (all_cases && IsOfAnOp(name));
    if (measured_case && names.count(name) == 0)
      lines.push_back(absl::StrCat(name, ": gone, ", Grouped(row.instructions), " instructions"));
  }
  return lines;
}

Counts Updated(const Counts &expected, const std::vector<Row> &measured, bool all_cases) {
  const std::set<std::string> cases = CasesOf(measured);
  Counts counts;
  for (const auto &[name, row] : expected)
    if (cases.count(CaseOf(name)) == 0 && !(all_cases && IsOfAnOp(name))) counts[name] = row;
  for (const Row &row : measured) counts[row.name] = row;
  return counts;
}

absl::StatusOr<std::vector<Limit>> ReadLimits(const std::string &path) {
  O2M_ASSIGN_OR_RETURN(const auto lines, ReadTable(path));
  std::vector<Limit> limits;
  for (size_t i = 1; i < lines.size(); i++) {
    const absl::StatusOr<Limit> limit = LimitOf(lines[i], lines[0]);
    if (!limit.ok()) return Malformed(path, i);
    limits.push_back(*limit);
  }
  return limits;
}

std::vector<std::string> AgainstLimits(const std::vector<Limit> &limits, const std::string &target,
                                       const std::vector<Row> &measured) {
  std::vector<std::string> lines;
  for (const Limit &limit : limits) {
    const auto most = limit.most.find(target);
    Total total;
    AddMatches(limit.add, measured, limit.of, 1, &total);
    AddMatches(limit.subtract, measured, limit.of, -1, &total);
    if (most == limit.most.end() || !total.any) continue;
    if (!total.unmatched.empty()) {
      lines.push_back(absl::StrFormat("  %-62s      missing   no row '%s'", limit.figure, total.unmatched));
      continue;
    }
    const double value = static_cast<double>(total.sum) / limit.count;
    lines.push_back(absl::StrFormat("  %-62s %12.3f   at most %-10g %s", limit.figure, value, most->second,
                                    value <= most->second ? "reached" : "OVER"));
  }
  return lines;
}

}  // namespace onnx2mcu
