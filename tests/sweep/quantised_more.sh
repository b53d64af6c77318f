# Float exports quantised in every way that onnxruntime.quantization offers, in integers against ONNX Runtime. Skipped where
# the collection or onnxruntime is missing.
. "$(dirname "$0")/../e2e/lib.sh"

exports=${O2M_EXPORTS:-$O2M_SOURCE/../shared/models/exports}
[ -d "$exports" ] || { echo "skipped: no $exports"; exit 77; }
"$python" -c 'import onnx, onnxruntime.quantization' 2>/dev/null || { echo "skipped: no onnxruntime"; exit 77; }
mkdir models
"$python" "$O2M_SOURCE/tests/sweep/quantise.py" "$exports" models >made.txt 2>&1 || fail "$(tail -n 5 made.txt)"
"$python" "$O2M_SOURCE/tests/sweep/quantised.py" "$ONNX2MCU" models --trace || fail "see the table"
