# Quantised models keep their own scales: integers as ONNX Runtime's, without calibration; and on an emulated core. Skipped
# where the collection of models is not beside the repository.
. "$(dirname "$0")/lib.sh"

exports=${O2M_EXPORTS:-$O2M_SOURCE/../shared/models/exports}
[ -d "$exports" ] || { echo "skipped: no $exports"; exit 77; }
"$python" "$O2M_SOURCE/tests/sweep/quantised.py" "$ONNX2MCU" "$exports" plain__dy20_qdq plain__ts17_qdq_s8s8 plain__ts17_qop_s8s8 \
  plain__ts17_qdq_matmulonly cct__ts17_qdq >table.txt 2>&1 || fail "$(cat table.txt)"
cat table.txt

# A wholly quantised model has nothing to calibrate, and says so by keeping silent.
cp "$exports/plain__ts17_qdq_s8s8.onnx" model.onnx
model=$PWD/model.onnx
compiled plain
no plain.txt "calibration" "a model with scales of its own is calibrated"
tool validate "$model" -q --target=cortex-m4 --inputs="$exports/plain__ts17_qdq_s8s8.npz" --json >validate.json ||
  fail "validate on Cortex-M4"
"$python" -c 'import json; assert json.load(open("validate.json"))["host_target_diff_bytes"] == 0' ||
  fail "bytes differ between host and Cortex-M4"
