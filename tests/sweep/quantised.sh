# Every quantised model of the collection in integers against ONNX Runtime, with the first tensor that differs where the
# outputs do not hold. Skipped where the collection or onnxruntime is missing.
. "$(dirname "$0")/../e2e/lib.sh"

exports=${O2M_EXPORTS:-$O2M_SOURCE/../shared/models/exports}
[ -d "$exports" ] || { echo "skipped: no $exports"; exit 77; }
"$python" -c 'import onnx, onnxruntime' 2>/dev/null || { echo "skipped: no onnxruntime"; exit 77; }
"$python" "$O2M_SOURCE/tests/sweep/quantised.py" "$ONNX2MCU" "$exports" --trace || fail "see the table"
