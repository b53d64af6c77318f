// Activations written out: Gelu with erf and tanh, HardSwish, Mish.
//
// Exporters and authors associate the factors in every order. So nothing is matched node by node: around a
// transcendental node T = f(inner) both `inner` and the candidate output are expanded into polynomials in h and T,
// whose coefficients decide. Gelu (Hendrycks and Gimpel, arXiv:1606.08415): h/2 + h/2 erf(h/sqrt 2), or with
// tanh(sqrt(2/pi) (h + 0.044715 h^3)); tanh(z) = 2 sigmoid(2z) - 1 gives a third spelling.
#include <cmath>
#include <deque>
#include <utility>

#include "importer/canonicalize.h"

namespace onnx2mcu {
namespace {

// Coefficients by (power of h, power of T).
using Poly = std::map<std::pair<int, int>, double>;

constexpr int kMaxDegree = 4;
constexpr double kTolerance = 6e-4;  // constants of half precision models are off by 2^-11

std::optional<Poly> Product(const Poly &a, const Poly &b) {
  Poly product;
  for (const auto &[p, x] : a)
    for (const auto &[q, y] : b) {
      const std::pair<int, int> power = {p.first + q.first, p.second + q.second};
      if (power.first + power.second > kMaxDegree) return std::nullopt;
      product[power] += x * y;
    }
  return product;
}

Poly Sum(Poly a, const Poly &b, double sign) {
  for (const auto &[power, x] : b) a[power] += sign * x;
  return a;
}

// `id` as a polynomial in h and t (kNone: in h alone); nothing if it is not one.
std::optional<Poly> PolyOf(const Rewriter &r, TensorId id, TensorId h, TensorId t, int depth = 12) {
  if (id == h) return Poly{{{1, 0}, 1.0}};
  if (t != kNone && id == t) return Poly{{{0, 1}, 1.0}};
  if (const auto scalar = r.Scalar(id)) return Poly{{{0, 0}, *scalar}};
  const FloatNode *node = r.Producer(id);
  if (!node || depth == 0 || !node->domain.empty() || node->inputs.size() != 2) return std::nullopt;
  const std::string &type = node->op_type;
  if (type != "Mul" && type != "Add" && type != "Sub" && type != "Pow") return std::nullopt;
  const auto a = PolyOf(r, node->inputs[0], h, t, depth - 1);
  if (!a) return std::nullopt;
  if (type == "Pow") {
    if (r.IsScalar(node->inputs[1], 2.0f, 0)) return Product(*a, *a);
    const auto square = r.IsScalar(node->inputs[1], 3.0f, 0) ? Product(*a, *a) : std::nullopt;
    return square ? Product(*square, *a) : std::nullopt;
  }
  const auto b = PolyOf(r, node->inputs[1], h, t, depth - 1);
  if (!b) return std::nullopt;
  return type == "Mul" ? Product(*a, *b) : Sum(*a, *b, type == "Sub" ? -1.0 : 1.0);
}

bool Near(Poly a, const Poly &b) {
  for (const auto &[power, x] : b) a[power] -= x;
  for (const auto &[power, x] : a) {
    const auto it = b.find(power);
    if (std::abs(x) > kTolerance * (it == b.end() ? 1.0 : std::abs(it->second))) return false;
  }
  return true;
}

// Values that `inner` may be a polynomial of, nearest first.
std::vector<TensorId> Candidates(const Rewriter &r, TensorId inner) {
  std::vector<TensorId> all = {inner};
  for (size_t i = 0; i < all.size() && all.size() < 16; i++) {
    const FloatNode *node = r.Producer(all[i]);
    if (!node || !node->domain.empty()) continue;
    if (node->op_type != "Mul" && node->op_type != "Add" && node->op_type != "Sub" && node->op_type != "Pow") continue;
    for (TensorId input : node->inputs)
      if (!r.IsConstant(input)) all.push_back(input);
  }
  return all;
}

// The value, computed from `t` by arithmetic, that is the polynomial `goal` in h and t; kNone if there is none.
TensorId FindRoot(Rewriter &r, TensorId h, TensorId t, const Poly &goal) {
  std::deque<std::pair<TensorId, int>> open = {{t, 0}};
  while (!open.empty()) {
    const auto [id, depth] = open.front();
    open.pop_front();
    const auto poly = PolyOf(r, id, h, t);
    if (poly && Near(*poly, goal)) return id;
    if (!poly || depth == 6) continue;
    for (NodeId reader : r.Readers(id)) open.emplace_back(r.node(reader).outputs[0], depth + 1);
  }
  return kNone;
}

struct Spelling {
  const char *op_type;
  Poly inner, root;
  const char *becomes, *approximate;
};

std::vector<Spelling> Spellings() {
  const double r2 = std::sqrt(0.5), t1 = std::sqrt(2 / M_PI), t3 = t1 * 0.044715;
  const Poly half = {{{1, 0}, 0.5}, {{1, 1}, 0.5}}, product = {{{1, 1}, 1.0}};
  return {{"Erf", {{{1, 0}, r2}}, half, "Gelu", "none"},
          {"Tanh", {{{1, 0}, t1}, {{3, 0}, t3}}, half, "Gelu", "tanh"},
          {"Sigmoid", {{{1, 0}, 2 * t1}, {{3, 0}, 2 * t3}}, product, "Gelu", "tanh"},
          {"Clip", {{{0, 0}, 3.0}, {{1, 0}, 1.0}}, {{{1, 1}, 1.0 / 6}}, "HardSwish", nullptr},
          {"HardSigmoid", {{{1, 0}, 1.0}}, product, "HardSwish", nullptr}};
}

// The attributes without which Clip and HardSigmoid are not the f that the table means.
bool RightAttributes(const FloatNode &node) {
  if (node.op_type == "Clip") return AttrFloat(node, "min", -1) == 0 && AttrFloat(node, "max", 0) == 6;
  if (node.op_type != "HardSigmoid") return true;
  return std::abs(AttrFloat(node, "alpha", 0.2f) - 1.0f / 6) < 1e-6f && AttrFloat(node, "beta", 0.5f) == 0.5f;
}

bool WrittenOutActivation(Rewriter &r, NodeId id) {
  static const std::vector<Spelling> spellings = Spellings();
  for (const Spelling &s : spellings) {
    if (!r.Is(id, s.op_type) || !RightAttributes(r.node(id)) || r.node(id).inputs.size() != 1) continue;
    const TensorId inner = r.node(id).inputs[0], t = r.node(id).outputs[0];
    for (TensorId h : Candidates(r, inner)) {
      const auto poly = PolyOf(r, inner, h, kNone);
      if (!poly || !Near(*poly, s.inner)) continue;
      const TensorId root = FindRoot(r, h, t, s.root);
      if (root == kNone || r.DimsOf(root) != r.DimsOf(h)) continue;
      Attrs attrs;
      if (s.approximate) attrs["approximate"] = std::string(s.approximate);
      r.Replace(root, r.Emit(r.ProducerId(root), s.becomes, {h}, attrs));
      return true;
    }
  }
  return false;
}

// h * tanh(softplus(h))
bool Mish(Rewriter &r, NodeId id) {
  const FloatNode &node = r.node(id);
  if (!r.Is(id, "Mul")) return false;
  for (int side = 0; side < 2; side++) {
    const FloatNode *tanh = r.Producer(node.inputs[side], "Tanh");
    const FloatNode *softplus = tanh ? r.Producer(tanh->inputs[0], "Softplus") : nullptr;
    if (!softplus || softplus->inputs[0] != node.inputs[1 - side]) continue;
    r.Replace(node.outputs[0], r.Emit(id, "Mish", {softplus->inputs[0]}));
    return true;
  }
  return false;
}

}  // namespace

std::vector<FloatRewrite> ActivationRewrites() { return {{"written out", WrittenOutActivation}, {"mish", Mish}}; }

}  // namespace onnx2mcu
