#include "planner/parse_bytes.h"

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace onnx2mcu {

absl::StatusOr<int64_t> ParseBytes(const std::string &text, const std::string &option) {
  double factor = 1;
  std::string digits = text;
  if (!text.empty() && std::string("kKmM").find(text.back()) != std::string::npos) {
    factor = text.back() == 'k' || text.back() == 'K' ? 1024 : 1024 * 1024;
    digits.pop_back();
  }
  double value = 0;
  if (!absl::SimpleAtod(digits, &value) || !(value > 0) || value * factor > 1e15)
    return absl::InvalidArgumentError(
        absl::StrCat(option, ": '", text, "' is not a size; write bytes, or K and M as in 320K"));
  return static_cast<int64_t>(value * factor);
}

}  // namespace onnx2mcu
