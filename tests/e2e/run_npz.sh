# run -o OUT.npz: dequantised floats, and the integers they come from; float, host and emulated agree as they must.
. "$(dirname "$0")/lib.sh"

common=("$model" -q --calibrate="$training" --inputs="$images" --limit=12)
for engine in float int8 emulator; do
  tool run "${common[@]}" --engine=$engine -o "$engine.npz" >"$engine.txt"
  [ "$(wc -l <$engine.txt)" = 12 ] || fail "$engine: a line per input"
done
compiled out --calibrate="$training"
cmp int8.npz emulator.npz || fail "host and emulated core differ"
"$python" - <<'EOS'
import json
import numpy as np
real, q = np.load("float.npz"), np.load("int8.npz")
assert real.files == ["output"] and sorted(q.files) == ["output", "output_q"], (real.files, q.files)
assert real["output"].dtype == q["output"].dtype == np.float32 and np.issubdtype(q["output_q"].dtype, np.integer)
assert real["output"].shape == q["output"].shape == q["output_q"].shape == (12, 1, 10), q["output"].shape
out = json.load(open("out/report.json"))["outputs"][0]
expected = np.float32(out["scale"]) * (q["output_q"].astype(np.float32) - out["zero_point"])
assert np.allclose(q["output"], expected, rtol=1e-5, atol=0), "output is not scale * (output_q - zero_point)"
assert np.abs(q["output"] - real["output"]).max() < 0.15 * np.abs(real["output"]).max()
assert len(np.unique(q["output_q"][:, 0], axis=0)) > 6
EOS
head -n 1 int8.txt | grep -qE '^ +0( +[0-9]: -?[0-9]+\.[0-9]{4}){5}$' || fail "top 5: $(head -n 1 int8.txt)"
