#include "importer/ir/text.h"

#include <algorithm>
#include <numeric>

#include "absl/strings/ascii.h"

namespace onnx2mcu {

size_t EditDistance(const std::string &a, const std::string &b) {
  std::vector<size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), 0);
  for (size_t i = 1; i <= a.size(); i++) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= b.size(); j++) {
      const size_t substituted = diagonal + (absl::ascii_tolower(static_cast<unsigned char>(a[i - 1])) !=
                                             absl::ascii_tolower(static_cast<unsigned char>(b[j - 1])));
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, substituted});
    }
  }
  return row[b.size()];
}

std::string Nearest(const std::string &word, const std::vector<std::string> &candidates) {
  const auto nearer = [&](const std::string &a, const std::string &b) {
    return EditDistance(word, a) < EditDistance(word, b);
  };
  const auto best = std::min_element(candidates.begin(), candidates.end(), nearer);
  return best == candidates.end() ? "" : *best;
}

std::string Grouped(int64_t value) {
  std::string digits = std::to_string(value);
  for (size_t i = digits.size(); i > (value < 0 ? 4u : 3u);) digits.insert(i -= 3, 1, ',');
  return digits;
}

}  // namespace onnx2mcu
