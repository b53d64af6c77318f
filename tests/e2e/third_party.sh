# The example plugins, built outside the tree against the installed package alone: they keep the contract, and a compile
# of a model with HardSwish uses them. The installed tool finds its own plugins wherever it is put.
. "$(dirname "$0")/lib.sh"

cmake=$O2M_SOURCE/.venv/bin/cmake
"$cmake" --install "$O2M_BUILD" --prefix "$work/installed" >install.txt || fail "$(tail -n 3 install.txt)"
mv "$work/installed" "$work/moved"
installed=$work/moved/bin/onnx2mcu
"$installed" ops >ops.txt
grep -q "$work/moved/lib/onnx2mcu/plugins/" ops.txt || fail "the installed tool does not find its plugins"
no ops.txt "$O2M_BUILD" "the installed tool uses plugins of the build folder"
"$python" "$O2M_SOURCE/tests/e2e/hard_swish.py" swish.onnx samples.npy
for example in hardswish_c hardswish_cpp; do
  cp -r "$O2M_SOURCE/plugins/examples/$example" .
  "$cmake" -S $example -B $example-build -DCMAKE_PREFIX_PATH="$work/moved" >build.txt 2>&1 &&
    "$cmake" --build $example-build >>build.txt 2>&1 || fail "$example: $(tail -n 20 build.txt)"
  plugin=$(find $example-build -name '*.so')
  "$installed" check "$plugin" >check.txt 2>&1 || fail "$example: $(cat check.txt)"
  id=$("$installed" ops --plugin="$plugin" | awk -v file="$plugin" '$NF == file { print $1 }')
  [ -n "$id" ] || fail "$plugin is not among the ops"
  "$installed" validate swish.onnx -q --json --inputs=samples.npy --calibrate=samples.npy --plugin="$plugin" >v.json
  "$installed" inspect swish.onnx --json --plugin="$plugin" >inspect.json
  "$python" - "$id" "$(basename "$plugin")" <<'EOS' || fail "$example"
import json, sys
inspect, validate = json.load(open("inspect.json")), json.load(open("v.json"))
assert [op["nodes"] for op in inspect["ops"] if op["id"] == sys.argv[1] and op["plugin"] == sys.argv[2]] == [1], inspect
assert validate["host_target_diff_bytes"] == 0 and validate["output_cosine"] > 0.995, validate
EOS
done
