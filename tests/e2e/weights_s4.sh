# --weights=s4: half the flash of the weights, and the drop is stated; auto: only as many layers as the flash asks for,
# those that lose least; nothing without the option.
. "$(dirname "$0")/lib.sh"

measured=(--calibrate="$training")
tool compile "$model" "${measured[@]}" -o s8 >s8.txt 2>&1
tool compile "$model" "${measured[@]}" --weights=s4 -o s4 >s4.txt 2>&1
no s8.txt 'warning' "a warning without the option"
grep -qE 'warning: .*--weights=s4: of [0-9]+ layers hold [0-9]+ as s4, [0-9,]+ B less, with other results: SQNR [0-9.]+ dB instead of [0-9.]+, top-1 as the float model on' s4.txt ||
  fail "the drop is not stated: $(cat s4.txt)"
flash=$("$python" -c 'import json; f = json.load(open("s8/report.json"))["flash"]; print(sum(f.values()) - 20000)')
tool compile "$model" "${measured[@]}" --weights=auto --flash="$flash" -o auto >auto.txt 2>&1 || fail "auto: $(cat auto.txt)"
tool compile "$model" "${measured[@]}" --weights=auto -o free >free.txt 2>&1
! tool compile "$model" "${measured[@]}" --flash="$flash" -o none >none.txt 2>&1 || fail "s8 fits"
grep -qE 'exceeds? the' none.txt && grep -q -- '--weights=auto' none.txt || fail "no advice: $(cat none.txt)"
tool validate "$model" -q --json "${measured[@]}" --inputs="$images" --labels="$labels" --limit=100 --weights=s4 >s4.json
"$python" - "$flash" <<'EOS'
import json, sys
s8, s4, auto, free = (json.load(open(f"{name}/report.json")) for name in ("s8", "s4", "auto", "free"))
count = lambda report: sum(row["variant"] == "s4" for row in report["schedule"])
assert (count(s8), count(free)) == (0, 0) and 0 < count(auto) < count(s4), (count(auto), count(s4))
assert s4["flash"]["weights"] < 0.62 * s8["flash"]["weights"]
assert sum(auto["flash"].values()) <= int(sys.argv[1])
for report in s4, auto:
    weights = report["weights"]
    assert weights["inexact_layers"] == count(report) and weights["agreement"] > 0.8, weights
assert auto["weights"]["sqnr_db"] > s4["weights"]["sqnr_db"]
run = json.load(open("s4.json"))
assert run["host_target_diff_bytes"] == 0 and run["target_top1"] > 0.7, run["target_top1"]
EOS
