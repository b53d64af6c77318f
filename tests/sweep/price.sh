# Prices of 200 random networks are what full compilation comes to: arena, weights and constants exactly, code within
# 2 %. Of five of them the emulated core takes the priced instructions within 5 %.
set -euo pipefail
: "${ONNX2MCU:?}" "${O2M_SOURCE:?}" "${O2M_BUILD:?}"
python=$O2M_SOURCE/.venv/bin/python
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

O2M_CANDIDATES=${O2M_CANDIDATES:-200} TEST_TMPDIR=$work/ "$O2M_BUILD/tests/test_nas" \
  --gtest_filter=Cost.IsWhatCompilationComesTo
for i in 0 1 2 3 4; do
  "$python" -c "import numpy; numpy.save('$work/x.npy', numpy.random.RandomState($i).randn(1, 1, 28, 28).astype('f4'))"
  "$ONNX2MCU" validate "$work/fmnist_$i.onnx" --board=stm32f427 --inputs="$work/x.npy" --json -q >"$work/validate.json"
  "$python" - "$work/validate.json" "$work/fmnist_$i.txt" <<'EOF'
import json
import sys
counted = json.load(open(sys.argv[1]))["target_instructions"]
priced = int(open(sys.argv[2]).read())
error = priced / counted - 1
print(f"{priced} instructions priced, {counted} counted: {100 * error:+.2f} %")
sys.exit(abs(error) > 0.05)
EOF
done
