// nas/search/table.h - figures of networks as CSV: a column per gene, by its name, then columns of numbers. What
// `onnx2mcu price --samples=all` prints is one; a column "accuracy" (0..1) makes it what a search can be run on, as
// NAS-Bench-201 is (Dong, Yang, ICLR 2020).
#pragma once
#include <map>
#include <string>
#include <vector>

#include "importer/ir/status.h"
#include "nas/space.h"

namespace onnx2mcu {

struct Table {
  std::vector<std::string> columns;           // without those of genes
  std::map<Genes, std::vector<double>> rows;  // by canonical genes, in the order of `columns`
};

// An empty field of a gene is one that changes nothing. InvalidArgument: "FILE:LINE: ..."; a gene without a column, a
// value that the gene does not take, a row of another length.
absl::StatusOr<Table> ReadTable(const std::string &path, const std::vector<Gene> &genes);

// InvalidArgument: no such column.
absl::StatusOr<size_t> ColumnOf(const Table &table, const std::string &name);

}  // namespace onnx2mcu
