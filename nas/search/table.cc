#include "nas/search/table.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "importer/data/files.h"

namespace onnx2mcu {
namespace {

using Fields = std::vector<std::string>;

// Index of the value, -1 where the gene does not take it.
int32_t IndexOf(const Gene &gene, double value) {
  for (size_t i = 0; i < gene.values.size(); i++)
    if (std::abs(gene.values[i] - value) < 1e-9) return static_cast<int32_t>(i);
  return -1;
}

// Which column each gene is in.
absl::StatusOr<std::vector<size_t>> ColumnsOfGenes(const std::string &path, const Fields &header,
                                                   const std::vector<Gene> &genes) {
  std::vector<size_t> columns;
  for (const Gene &gene : genes) {
    const auto found = std::find(header.begin(), header.end(), gene.name);
    if (found == header.end())
      return absl::InvalidArgumentError(absl::StrCat(path, ":1: no column '", gene.name, "', a gene of the space"));
    columns.push_back(static_cast<size_t>(found - header.begin()));
  }
  return columns;
}

absl::Status ReadRow(const Fields &fields, const std::vector<size_t> &columns, const std::vector<Gene> &genes,
                     Table *table) {
  Genes row(genes.size(), 0);
  std::vector<double> values;
  for (size_t i = 0; i < fields.size(); i++) {
    const auto gene = static_cast<size_t>(std::find(columns.begin(), columns.end(), i) - columns.begin());
    if (gene < genes.size() && fields[i].empty()) continue;
    double value = 0;
    if (!absl::SimpleAtod(fields[i], &value))
      return absl::InvalidArgumentError(absl::StrCat("'", fields[i], "' is no number"));
    if (gene == genes.size()) values.push_back(value);
    if (gene < genes.size()) row[gene] = IndexOf(genes[gene], value);
    if (gene < genes.size() && row[gene] < 0)
      return absl::InvalidArgumentError(absl::StrCat(genes[gene].name, " ", fields[i], " is not in the space"));
  }
  table->rows[row] = std::move(values);
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Table> ReadTable(const std::string &path, const std::vector<Gene> &genes) {
  O2M_ASSIGN_OR_RETURN(const std::string text, ReadFileBytes(path));
  const std::vector<std::string> lines = absl::StrSplit(text, '\n');
  const Fields header = absl::StrSplit(lines[0], ',');
  O2M_ASSIGN_OR_RETURN(const std::vector<size_t> columns, ColumnsOfGenes(path, header, genes));
  Table table;
  for (size_t i = 0; i < header.size(); i++)
    if (std::find(columns.begin(), columns.end(), i) == columns.end()) table.columns.push_back(header[i]);
  for (size_t i = 1; i < lines.size(); i++) {
    if (lines[i].empty()) continue;
    const Fields fields = absl::StrSplit(lines[i], ',');
    absl::Status status =
        absl::InvalidArgumentError(absl::StrCat(fields.size(), " fields where the header has ", header.size()));
    if (fields.size() == header.size()) status = ReadRow(fields, columns, genes, &table);
    if (!status.ok())
      return absl::InvalidArgumentError(absl::StrCat(path, ":", i + 1, ": ", std::string(status.message())));
  }
  return table;
}

absl::StatusOr<size_t> ColumnOf(const Table &table, const std::string &name) {
  const auto found = std::find(table.columns.begin(), table.columns.end(), name);
  if (found != table.columns.end()) return static_cast<size_t>(found - table.columns.begin());
  return absl::InvalidArgumentError(
      absl::StrCat("the table has no column '", name, "'; it has ", absl::StrJoin(table.columns, ", ")));
}

}  // namespace onnx2mcu
