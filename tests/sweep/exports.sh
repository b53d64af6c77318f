# Every exported model; the table goes to docs/exports.md when O2M_WRITE_DOCS is set. Skipped without the collection.
. "$(dirname "$0")/../e2e/lib.sh"

exports=${O2M_EXPORTS:-$O2M_SOURCE/../shared/models/exports}
[ -d "$exports" ] || { echo "skipped: no $exports"; exit 77; }
table=$work/exports.md
[ -z "${O2M_WRITE_DOCS:-}" ] || table=$O2M_SOURCE/docs/exports.md
"$python" "$O2M_SOURCE/tests/sweep/exports.py" "$ONNX2MCU" "$exports" --jobs "$(nproc)" --table "$table"
