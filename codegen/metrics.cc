#include "codegen/metrics.h"

#include <algorithm>
#include <cmath>

namespace onnx2mcu {

void Accumulate(Accuracy &a, const std::vector<float> &reference, const std::vector<float> &value) {
  for (size_t i = 0; i < reference.size() && i < value.size(); i++) {
    const double r = double{reference[i]}, v = double{value[i]};
    a.rr += r * r, a.vv += v * v, a.rv += r * v, a.dd += (r - v) * (r - v), a.abs += std::fabs(r - v), a.sum += r;
    a.count++;
  }
}

double Cosine(const Accuracy &a) {
  if (a.rr == 0 && a.vv == 0) return 1;
  return a.rr == 0 || a.vv == 0 ? 0 : a.rv / std::sqrt(a.rr * a.vv);
}

double SqnrDb(const Accuracy &a) {
  if (a.dd == 0) return 200;
  return a.rr == 0 ? -200 : 10 * std::log10(a.rr / a.dd);
}

double Rmse(const Accuracy &a) { return a.count ? std::sqrt(a.dd / static_cast<double>(a.count)) : 0; }
double Mae(const Accuracy &a) { return a.count ? a.abs / static_cast<double>(a.count) : 0; }
double L2r(const Accuracy &a) { return a.rr > 0 ? std::sqrt(a.dd / a.rr) : 0; }

double Nse(const Accuracy &a) {
  const double spread = a.count ? a.rr - a.sum * a.sum / static_cast<double>(a.count) : 0;
  return spread > 0 ? 1 - a.dd / spread : 0;
}

int64_t ArgMax(const std::vector<float> &values) {
  return std::max_element(values.begin(), values.end()) - values.begin();
}

}  // namespace onnx2mcu
