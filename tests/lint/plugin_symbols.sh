# Every built plugin exports onnx2mcu_plugin and nothing else.
. "$(dirname "$0")/lib.sh"

shopt -s nullglob
plugins=("${O2M_BUILD:-build}"/bin/plugins/*.so)
[ ${#plugins[@]} -gt 0 ] || { echo "no plugins in ${O2M_BUILD:-build}/bin/plugins"; exit 1; }
for plugin in "${plugins[@]}"; do
  symbols=$(nm -D --defined-only "$plugin" | awk '{ print $NF }' | tr '\n' ' ')
  [ "$symbols" = "onnx2mcu_plugin " ] || report "$(basename "$plugin") exports" "${symbols:-nothing}"
done
verdict
