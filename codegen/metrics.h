// codegen/metrics.h - how far two runs are apart, under the names that ST Edge AI prints.
#pragma once
#include <cstdint>
#include <vector>

namespace onnx2mcu {

// Sums over elements of a reference r and a value v; add as many as you like, read the metrics at the end.
struct Accuracy {
  double rr = 0, vv = 0, rv = 0, dd = 0, abs = 0, sum = 0;
  int64_t count = 0;
};
void Accumulate(Accuracy &accuracy, const std::vector<float> &reference, const std::vector<float> &value);

double Cosine(const Accuracy &a);  // 1: same direction
double SqnrDb(const Accuracy &a);  // 10 log10(sum r^2 / sum (r-v)^2); 200 where nothing differs
double Rmse(const Accuracy &a);
double Mae(const Accuracy &a);
double L2r(const Accuracy &a);  // ||r - v|| / ||r||
double Nse(const Accuracy &a);  // Nash-Sutcliffe efficiency: 1 - sum (r-v)^2 / sum (r - mean r)^2
int64_t ArgMax(const std::vector<float> &values);

}  // namespace onnx2mcu
