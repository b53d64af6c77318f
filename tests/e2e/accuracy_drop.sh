# --accuracy-drop: raises tensors until held-out inputs lose no more, says which and why; the same input gives the same
# bytes; what does not fit is refused. The best that a budget allows is seen in raise_search_test.
. "$(dirname "$0")/lib.sh"

"$python" - "$training" <<'EOS'
import gzip, sys
import numpy as np
images = np.frombuffer(gzip.open(sys.argv[1]).read(16 + 1536 * 784), np.uint8, offset=16).reshape(-1, 1, 28, 28)
np.save("some.npy", images[:96])
np.save("more.npy", images[1280:1536])  # of which s8 changes an answer that s16 does not
EOS
compiled loose --calibrate=some.npy --accuracy-drop=100
compiled plain --calibrate=some.npy
# but for the banner, which tells the options
for file in vit_fmnist.c vit_fmnist_weights.c; do diff <(tail -n +4 "loose/$file") <(tail -n +4 "plain/$file") || fail "$file: nothing was to change"; done
"$python" - <<'EOS'
import json
report = json.load(open("loose/report.json"))["quantization"]
drop = report["accuracy_drop"]
assert drop["asked"] == 100 and drop["raised"] == 0 and drop["reached"] == drop["without"] and drop["inputs"] == 24, drop
assert drop["raisable"] > 10, drop
assert "accuracy_drop" not in json.load(open("plain/report.json"))["quantization"]
EOS
grep -q "points of changed answers lost on 24 held-out inputs" loose.txt || fail "the table says nothing of the drop"

# 64 of 256 inputs held out: s8 loses on them, s16 for a few tensors does not
for try in one two; do tool compile "$model" -q --residual=s8 --calibrate=more.npy --accuracy-drop=0 -o "$try" >"$try.txt" || fail "a drop of 0"; done
diff -r one two || fail "not the same bytes"
"$python" - <<'EOS'
import json
q = json.load(open("one/report.json"))["quantization"]
drop = q["accuracy_drop"]
assert drop["without"] > 0 and drop["reached"] == 0 and 0 < drop["raised"] < drop["raisable"] and drop["inputs"] == 64, drop
named = [t for t in q["raised_to_s16"] if t["why"].startswith("--accuracy-drop=0: ")]
assert len(named) == len(q["raised_to_s16"]) == drop["raised"], q
EOS
! tool compile "$model" -q --calibrate=some.npy --accuracy-drop=0 --ram=6000 -o none 2>none.err || fail "6000 B of RAM"
grep -q "exceeds the budget" none.err || fail "the budget is not named"
! [ -d none ] || fail "something was written"
! tool compile "$model" -q --accuracy-drop=1 -o none 2>none.err || fail "no calibration"
grep -q "give --calibrate=FILE" none.err || fail "the message does not say what would work"

# by name
raised=/blocks/blocks.2/act/Mul_1_output_0
compiled named --calibrate=some.npy --s16="$raised"
"$python" - "$raised" <<'EOS' || fail "--s16=$raised"
import json, sys
raised = [t for t in json.load(open("named/report.json"))["quantization"]["raised_to_s16"]]
assert [t["why"] for t in raised if t["name"] == sys.argv[1]] == ["asked for"], raised
EOS
tool compile "$model" --calibrate=some.npy --s16=input -o named 2>bytes.err >/dev/null || fail "--s16=input"
grep -q -- "--s16=input: stays bytes" bytes.err || fail "nobody is told that the input stays as it is: $(cat bytes.err)"
