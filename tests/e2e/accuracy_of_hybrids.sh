# The trained networks that are no plain ViT keep bench/accuracy's limits over the first 2,000 images, in s16 and in s8.
. "$(dirname "$0")/lib.sh"

for network in cct pit; do
  "$O2M_SOURCE/bench/accuracy" "$O2M_SOURCE/models/${network}_fmnist.onnx" --no-onnxruntime --limit=2000 || fail "$network"
done
