# --recompute: attention computed from its input. Not a byte differs between target and host, the network classifies as well
# as in float, and it needs less RAM and more instructions.
. "$(dirname "$0")/lib.sh"
options=(-q --json --residual=s8 --optimize=ram --calibrate="$training" --inputs="$images" --labels="$labels")
for schedule in exact recompute; do
  flag=$([ "$schedule" = recompute ] && echo --recompute || true)
  tool validate "$model" "${options[@]}" $flag --target=cortex-m4 --limit=2 >"$schedule.json" || fail "validate $flag"
done
tool validate "$model" "${options[@]}" --recompute --target=host --limit=1000 >many.json || fail "validate on the host"
"$python" - <<'EOS' || fail "--recompute"
import json
exact, other = (json.load(open(n + ".json")) for n in ("exact", "recompute"))
assert exact["host_target_diff_bytes"] == other["host_target_diff_bytes"] == 0
assert other["ram_measured"]["arena"] < exact["ram_measured"]["arena"]
assert other["target_instructions"] > exact["target_instructions"]
many = json.load(open("many.json"))
print("top-1", many["float_top1"], many["int8_top1"], "SQNR", many["output_sqnr_db"])
assert many["int8_top1"] > many["float_top1"] - 0.003, (many["int8_top1"], many["float_top1"])
EOS
