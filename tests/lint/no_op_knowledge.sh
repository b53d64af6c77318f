# planner/ and codegen/ know no op: no op id, no name of a network's part, no shape constant. Extension ids
# ("o2m.split/1") belong to the interface; comments and the name of a model file in an example are free.
. "$(dirname "$0")/lib.sh"

files=$(tracked 'planner/*' 'codegen/*' | grep -E '\.(cc|h|c)$')
[ -n "$files" ] || { echo "no sources found"; exit 1; }
code=$(for file in $files; do sed -E 's,(^|[[:space:]])//.*,,' "$file" | grep -n '' | sed "s|^|$file:|"; done)

report "op ids" "$(grep -P 'o2m\.(?![a-z0-9_]+/[0-9])' <<<"$code")"
report "names of network parts" "$(grep -iP \
  '\b(vit|deit|swin|mlp|qkv|fc1|fc2|patch_?embed|cls_?token|class_?token|attention|softmax|layer_?norm)\b(?!\.onnx)' <<<"$code")"
report "shape constants" "$(grep -v '^planner/boards.cc:' <<<"$code" | grep -P '^[^:]*:[0-9]+:.*\b(196|197|577|3136)\b')"
verdict
