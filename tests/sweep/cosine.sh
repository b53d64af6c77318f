# int8 against float on every exported model, no sample scored by a calibration that saw it. Skipped without the collection.
. "$(dirname "$0")/../e2e/lib.sh"

exports=${O2M_EXPORTS:-$O2M_SOURCE/../shared/models/exports}
[ -d "$exports" ] || { echo "skipped: no $exports"; exit 77; }
"$python" "$O2M_SOURCE/tests/sweep/cosine.py" "$ONNX2MCU" "$exports" --jobs "$(nproc)"
