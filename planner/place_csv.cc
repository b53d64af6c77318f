#include <algorithm>
#include <array>
#include <map>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "planner/place.h"

namespace onnx2mcu {
namespace {

absl::Status BadLine(size_t line, const std::string &what) {
  return absl::InvalidArgumentError(absl::StrCat(
      "csv line ", line, ": ", what,
      "; the first line names the columns: id, lower, upper, size, and alignment, over, fixed, offset, region or "
      "none of them"));
}

// Which optional columns a problem needs.
struct CsvColumns {
  bool alignment = false, over = false, fixed = false, offset = false, region = false;
};

CsvColumns CsvColumnsOf(const Problem &problem, const Solution *solution) {
  CsvColumns columns{.over = !problem.distances.empty(), .offset = solution != nullptr};
  columns.region = columns.offset && !problem.boundaries.empty();
  for (const Block &block : problem.blocks) {
    columns.alignment |= block.align != 1;
    columns.fixed |= block.fixed >= 0;
  }
  return columns;
}

std::string IdOf(const Problem &problem, int32_t block) {
  const std::string &id = problem.blocks[block].id;
  return id.empty() ? absl::StrCat(block) : id;
}

int64_t RegionAt(const Problem &problem, int64_t offset) {
  return std::count_if(problem.boundaries.begin(), problem.boundaries.end(), [&](int64_t at) { return at <= offset; });
}

}  // namespace

std::string WriteCsv(const Problem &problem, const Solution *solution) {
  const CsvColumns columns = CsvColumnsOf(problem, solution);
  std::vector<std::string> over(problem.blocks.size());
  for (const Distance &d : problem.distances)
    absl::StrAppend(&over[d.y], over[d.y].empty() ? "" : " ", IdOf(problem, d.x), "@", d.distance);
  std::string csv = "id,lower,upper,size";
  absl::StrAppend(&csv, columns.alignment ? ",alignment" : "", columns.over ? ",over" : "",
                  columns.fixed ? ",fixed" : "", columns.offset ? ",offset" : "", columns.region ? ",region\n" : "\n");
  for (size_t i = 0; i < problem.blocks.size(); i++) {
    const Block &b = problem.blocks[i];
    absl::StrAppend(&csv, IdOf(problem, static_cast<int32_t>(i)), ",", b.first, ",", b.last + 1, ",", b.bytes);
    if (columns.alignment) absl::StrAppend(&csv, ",", b.align);
    if (columns.over) absl::StrAppend(&csv, ",", over[i]);
    if (columns.fixed) absl::StrAppend(&csv, ",", b.fixed >= 0 ? absl::StrCat(b.fixed) : "");
    if (columns.offset) absl::StrAppend(&csv, ",", solution->offsets[i]);
    if (columns.region) absl::StrAppend(&csv, ",", RegionAt(problem, solution->offsets[i]));
    csv += "\n";
  }
  return csv;
}

namespace {

enum Column { kId, kLower, kUpper, kSize, kAlignment, kOver, kFixed, kOffset, kGaps, kRegion, kColumns };
constexpr const char *kNames[kColumns] = {"id",   "lower", "upper",  "size", "alignment",
                                          "over", "fixed", "offset", "gaps", "region"};

struct Reader {
  std::array<int, kColumns> place;  // in a line; -1: no such column
  size_t fields = 0, line = 0;
  std::vector<std::string> over;  // by block
  std::vector<size_t> lines;      // by block
  CsvProblem csv;
};

absl::Status ReadHeader(Reader &r, const std::vector<std::string> &names) {
  r.place.fill(-1);
  r.fields = names.size();
  for (size_t i = 0; i < names.size(); i++) {
    const auto *name = std::find(std::begin(kNames), std::end(kNames), names[i]);
    if (name == std::end(kNames)) return BadLine(r.line, absl::StrCat("no column is called '", names[i], "'"));
    int &place = r.place[name - kNames];
    if (place >= 0) return BadLine(r.line, absl::StrCat("two columns are called '", names[i], "'"));
    place = static_cast<int>(i);
  }
  for (Column required : {kId, kLower, kUpper, kSize})
    if (r.place[required] < 0) return BadLine(r.line, absl::StrCat("no column '", kNames[required], "'"));
  return absl::OkStatus();
}

absl::Status ReadNumber(const Reader &r, const std::vector<std::string> &fields, Column column, int64_t least,
                        int64_t &value) {
  constexpr int64_t kMost = int64_t{1} << 48;
  if (r.place[column] < 0) return absl::OkStatus();
  const std::string &text = fields[r.place[column]];
  if (column == kFixed && text.empty()) return absl::OkStatus();
  if (!absl::SimpleAtoi(text, &value) || value < least || value > kMost)
    return BadLine(r.line, absl::StrCat(kNames[column], " '", text, "' is no number >= ", least));
  return absl::OkStatus();
}

absl::Status ReadBlock(Reader &r, const std::vector<std::string> &fields) {
  constexpr int64_t kMostTime = int64_t{1} << 30;
  if (fields.size() != r.fields)
    return BadLine(r.line, absl::StrCat(fields.size(), " fields where the first line has ", r.fields));
  int64_t lower = 0, upper = 0, offset = 0;
  Block block;
  block.id = fields[r.place[kId]];
  O2M_RETURN_IF_ERROR(ReadNumber(r, fields, kLower, -kMostTime, lower));
  O2M_RETURN_IF_ERROR(ReadNumber(r, fields, kUpper, lower + 1, upper));
  O2M_RETURN_IF_ERROR(ReadNumber(r, fields, kSize, 0, block.bytes));
  O2M_RETURN_IF_ERROR(ReadNumber(r, fields, kAlignment, 1, block.align));
  O2M_RETURN_IF_ERROR(ReadNumber(r, fields, kFixed, 0, block.fixed));
  O2M_RETURN_IF_ERROR(ReadNumber(r, fields, kOffset, 0, offset));
  if (upper > kMostTime) return BadLine(r.line, absl::StrCat("upper ", upper, " is past ", kMostTime));
  if (r.place[kGaps] >= 0 && !fields[r.place[kGaps]].empty()) return BadLine(r.line, "gaps are not supported");
  block.first = static_cast<int32_t>(lower), block.last = static_cast<int32_t>(upper - 1);
  r.over.push_back(r.place[kOver] >= 0 ? fields[r.place[kOver]] : "");
  if (r.place[kOffset] >= 0) {
    r.csv.solution.offsets.push_back(offset);
    r.csv.solution.bytes = std::max(r.csv.solution.bytes, offset + block.bytes);
  }
  r.lines.push_back(r.line);
  r.csv.problem.blocks.push_back(std::move(block));
  return absl::OkStatus();
}

absl::Status ReadDistances(Reader &r) {
  std::map<std::string, int32_t> index;
  for (size_t i = 0; i < r.over.size(); i++) index.emplace(r.csv.problem.blocks[i].id, static_cast<int32_t>(i));
  for (size_t y = 0; y < r.over.size(); y++) {
    const std::vector<std::string> entries = absl::StrSplit(r.over[y], ' ', absl::SkipEmpty());
    for (const std::string &entry : entries) {
      const size_t at = std::min(entry.rfind('@'), entry.size());
      const auto x = index.find(entry.substr(0, at));
      int64_t distance = 0;
      const bool number = at < entry.size() && absl::SimpleAtoi(entry.substr(at + 1), &distance);
      if (!number || x == index.end() || distance < 0)
        return BadLine(r.lines[y], absl::StrCat("over '", entry, "' is not id@distance of a block"));
      r.csv.problem.distances.push_back({x->second, static_cast<int32_t>(y), distance});
    }
  }
  if (!r.csv.problem.distances.empty() && index.size() != r.csv.problem.blocks.size())
    return BadLine(1, "two blocks have the same id, and distances name blocks by it");
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<CsvProblem> ReadCsv(const std::string &text) {
  Reader r;
  for (absl::string_view row : absl::StrSplit(text, '\n')) {
    r.line++;
    if (!row.empty() && row.back() == '\r') row.remove_suffix(1);
    if (r.line == 1) {
      O2M_RETURN_IF_ERROR(ReadHeader(r, absl::StrSplit(row, ',')));
    } else if (!row.empty()) {
      O2M_RETURN_IF_ERROR(ReadBlock(r, absl::StrSplit(row, ',')));
    }
  }
  O2M_RETURN_IF_ERROR(ReadDistances(r));
  return std::move(r.csv);
}

}  // namespace onnx2mcu
