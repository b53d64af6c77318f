# Integerised models (QuantLib/Deeploy dialect), made by hand: float half, host and emulated core give exactly what numpy
# gives in int64, with no calibration, and with one that narrows the input.
. "$(dirname "$0")/lib.sh"
PYTHONPATH=$O2M_SOURCE/tests/e2e "$python" "$O2M_SOURCE/tests/e2e/dialect_models.py"

exact() {  # NAME WHAT, the outputs in out.npz
  "$python" - "$1" <<'EOS' || fail "$1: $2"
import sys
import numpy as np
out, golden = np.load("out.npz"), np.load(sys.argv[1] + "_golden.npz")
for i, name in enumerate(golden.files):
    key = f"output{i}" if i else "output"
    for found in [key] + [key + "_q"] * (key + "_q" in out.files):
        got = out[found].reshape(golden[name].shape).astype(np.int64)
        assert np.array_equal(got, golden[name]), (found, np.argwhere(got != golden[name])[:5])
EOS
}
for name in gelu ita partial convolutions signal; do
  for engine in float int8 emulator; do
    tool run $name.onnx -q --inputs=$name.npz --engine=$engine -o out.npz >/dev/null || fail "$name: $engine"
    exact $name "$engine"
  done
  tool run $name.onnx -q --inputs=$name.npz --calibrate=$name.npz -o out.npz >/dev/null || fail "$name: calibrated"
  exact $name "calibrated"
done
for core in cortex-m0 rv32imc; do
  tool run gelu.onnx -q --inputs=gelu.npz --target=$core --engine=emulator -o out.npz >/dev/null || fail "$core"
  exact gelu "$core"
done
tool validate convolutions.onnx -q --json --inputs=convolutions.npz >validate.json || fail "validate"
"$python" -c 'import json; v = json.load(open("validate.json")); assert v["host_target_diff_bytes"] == 0, v' || fail "bytes"
tool compile gelu.onnx -o gelu 2>gelu.txt >/dev/null || fail "compile"
grep -q 'integerised model (QuantLib/Deeploy dialect): run as exported' gelu.txt || fail "no note: $(cat gelu.txt)"
grep -q '"method": "as exported"' gelu/report.json || fail "the report does not say"
! tool compile gelu.onnx -q --mean=0 --std=1 -o no 2>error.txt || fail "a normalisation is accepted"
grep -q 'takes integers as they are' error.txt || fail "$(cat error.txt)"
for case in "fractions:'.*' holds numbers that are no integers" "partly:(Sigmoid, opset 13): it has no integer meaning"; do
  ! tool compile "${case%%:*}.onnx" -q -o no 2>error.txt || fail "${case%%:*} is accepted"
  grep -q "${case#*:}" error.txt || fail "${case%%:*}: $(cat error.txt)"
done
