# Networks with integers at both ends: weights of u8 that s8 does not hold, s16, parts in float.
. "$(dirname "$0")/lib.sh"

mkdir models
"$python" "$O2M_SOURCE/tests/e2e/quantised_layers.py" "$ONNX2MCU" models || fail "see above"

# On a core as on the host: the copies of what is read twice, in every layout; zero points of s16, functions, variances.
for name in linear_u8_138 conv_two_groups linear_s16 patches_s16 float_gelu norm_in_parts; do
  tool validate "models/$name.onnx" -q --target=cortex-m4 --inputs="models/$name.npz" --calibrate="models/$name.npz" --json >"$name.json" ||
    fail "$name on Cortex-M4"
  "$python" -c "import json; assert json.load(open('$name.json'))['host_target_diff_bytes'] == 0" || fail "$name: bytes differ"
done
