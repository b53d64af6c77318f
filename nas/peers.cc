#include "nas/peers.h"

namespace onnx2mcu {
namespace {

using Visit = std::function<void(float *values, int64_t count)>;

// Every array of the weights, in one order.
void ForEachArray(VitWeights &w, const Visit &visit) {
  const auto see = [&](auto &x) { visit(x.data(), x.size()); };
  const auto see_norm = [&](NormWeights &norm) { see(norm.gain), see(norm.bias); };
  const auto see_linear = [&](LinearWeights &linear) { see(linear.u), see(linear.v), see(linear.bias); };
  see(w.patch), see(w.patch_bias), see(w.class_token), see(w.positions);
  for (BlockWeights &block : w.blocks) {
    see_norm(block.norm1), see_linear(block.qkv), see_linear(block.proj);
    see_norm(block.norm2), see_linear(block.fc1), see_linear(block.fc2);
  }
  see_norm(w.norm), see_linear(w.head);
}

}  // namespace

void ShareWeights(const Peers &peers, int owner, Vit &vit) {
  if (peers.ranks == 1) return;
  peers.broadcast(owner, &vit.weights.epsilon, sizeof vit.weights.epsilon);
  ForEachArray(vit.weights, [&](float *values, int64_t count) {
    peers.broadcast(owner, values, static_cast<size_t>(count) * sizeof(float));
  });
}

}  // namespace onnx2mcu
