# A sample of the straight exports of both PyTorch exporters: float as ONNX Runtime, two cores as the host; the sweep takes
# all. Skipped where the collection of models is not beside the repository.
. "$(dirname "$0")/lib.sh"

exports=${O2M_EXPORTS:-$O2M_SOURCE/../shared/models/exports}
[ -d "$exports" ] || { echo "skipped: no $exports"; exit 77; }
"$python" "$O2M_SOURCE/tests/sweep/exports.py" "$ONNX2MCU" "$exports" --required --sample=5 --jobs=1 >table.txt 2>&1 ||
  fail "$(tail -n 3 table.txt)"
tail -n 1 table.txt
