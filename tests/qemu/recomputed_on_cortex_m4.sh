# --recompute: attention computed from its input. Not a byte differs between target and host, the network classifies as well
# as with its exact schedule, and it needs less RAM and more instructions.
. "$(dirname "$0")/lib.sh"
options=(-q --json --residual=s8 --optimize=ram --calibrate="$training" --inputs="$images" --labels="$labels")
for schedule in exact recompute; do
  flag=$([ "$schedule" = recompute ] && echo --recompute || true)
  tool validate "$model" "${options[@]}" $flag --target=cortex-m4 --limit=2 >"$schedule.json" || fail "validate $flag"
  tool validate "$model" "${options[@]}" $flag --target=host --limit=1000 >"${schedule}_many.json" || fail "validate $flag"
done
"$python" - <<'EOS' || fail "--recompute"
import json
exact, other = (json.load(open(n + ".json")) for n in ("exact", "recompute"))
assert exact["host_target_diff_bytes"] == other["host_target_diff_bytes"] == 0
assert other["ram_measured"]["arena"] < exact["ram_measured"]["arena"]
assert other["target_instructions"] > exact["target_instructions"]
exact, other = (json.load(open(n + "_many.json")) for n in ("exact", "recompute"))
print("top-1", exact["int8_top1"], other["int8_top1"], "SQNR", exact["output_sqnr_db"], other["output_sqnr_db"])
assert other["int8_top1"] > other["float_top1"] - 0.003, (other["int8_top1"], other["float_top1"])
EOS
