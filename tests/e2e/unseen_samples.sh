# Hybrids whose calibration lacks the sample that is scored, the largest by far included, keep their outputs: cosine 0.99.
# Skipped where the collection of models is not beside the repository.
. "$(dirname "$0")/lib.sh"

exports=${O2M_EXPORTS:-$O2M_SOURCE/../shared/models/exports}
[ -d "$exports" ] || { echo "skipped: no $exports"; exit 77; }
"$python" "$O2M_SOURCE/tests/sweep/cosine.py" "$ONNX2MCU" "$exports" 'timm_(levit|mobilevit)__ts17' --jobs 1 || fail "see the table"

# Attention whose operands differ so much is taken apart, and the report names what became s16.
tool compile "$exports/timm_levit__ts17.onnx" -q --calibrate="input=$exports/timm_levit__ts17.npz:input" -o few >few.txt || fail "two samples"
"$python" - <<'EOS'
import json
raised = {t["name"].split("/")[-1] for t in json.load(open("few/report.json"))["quantization"]["raised_to_s16"]}
assert "Softmax_output_0" in raised, raised
EOS
