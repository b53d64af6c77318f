// matmul_worst.hpp - the deepest sums and the largest factors that o2m.matmul admits.
#pragma once
#include "elementwise.hpp"

namespace o2m {

inline constexpr int32_t kMatmulDepth = 16384;

struct WorstProduct {
  o2m_dtype a, b;
  int32_t a_zero, b_zero;
  o2m_dtype y;
  double range;  // the largest sum in steps of y; 0: the most that infer() admits
  int32_t depth = kMatmulDepth;
  bool constant = false;  // b, which is one per batch then
};

template <class Params>
void AddWorstProduct(CaseList &list, const std::string &name, const WorstProduct &p) {
  constexpr int32_t kRows = 5, kColumns = 7;
  constexpr float kScale = 0.015625f;
  const auto reach = [](o2m_dtype type, int32_t zero) { return std::max(HighOf(type) - zero, zero - LowOf(type)); };
  const int32_t batch = p.constant ? 2 : 1;
  CaseOperand b = {p.b, {batch, p.depth, kColumns}, kScale, p.b_zero};
  if (p.constant) {
    for (int32_t i = 0; i < batch; ++i)
      for (int32_t k = 0; k < p.depth; ++k)
        for (int32_t n = 0; n < kColumns; ++n) b.constant.push_back(32767 * kScale * EndSign(n + i, k, p.depth));
  }
  const double b_reach = p.constant ? 32767 : reach(p.b, p.b_zero);
  const double largest = double{kScale} * kScale * reach(p.a, p.a_zero) * b_reach * p.depth;
  const double steps = p.range > 0 ? p.range : 1073741824.0 * 0.99999;
  list.Add(name, {{p.a, {batch, kRows, p.depth}, kScale, p.a_zero}, b},
           {{p.y, {batch, kRows, kColumns}, static_cast<float>(largest / steps), 0}}, Params{});
}

template <class Params>
void WorstMatmulCases(CaseList &list) {
  const auto add = [&list](const char *name, const WorstProduct &p) { AddWorstProduct<Params>(list, name, p); };
  add("deepest", {O2M_S8, O2M_S8, -128, 127, O2M_S16, 65536});
  add("deepest_low_zeros", {O2M_S8, O2M_S8, -128, -128, O2M_S8, 256});
  add("deepest_finest", {O2M_S8, O2M_S8, 127, 127, O2M_S16, 0});
  add("deepest_odd", {O2M_S8, O2M_S8, 127, -128, O2M_S16, 65536, kMatmulDepth - 1});
  add("shallowest_finest", {O2M_S8, O2M_S8, -128, 127, O2M_S16, 0, 1});
  add("u8_by_u8", {O2M_U8, O2M_U8, 0, 255, O2M_S16, 65536});
  add("s16_by_s16", {O2M_S16, O2M_S16, -32768, 32767, O2M_S16, 65536});
  add("s16_by_s16_finest", {O2M_S16, O2M_S16, 32767, 32767, O2M_S16, 0});
  add("s16_by_u8", {O2M_S16, O2M_U8, 32767, 255, O2M_S16, 65536, 9});
  add("s8_by_constants", {O2M_S8, O2M_S16, -128, 0, O2M_S16, 65536, 2000, true});
}

}  // namespace o2m
