# same_bytes CORE COUNT: the trained model's generated C on an emulated core gives the host's bytes for COUNT images, in
# the RAM that was promised, and under memory protection.
. "$(dirname "${BASH_SOURCE[0]}")/../e2e/lib.sh"

same_bytes() {
  local target=$1 count=$2
  tool validate "$model" -q --json --target="$target" --calibrate="$training" --inputs="$images" --labels="$labels" \
    --limit="$count" >validate.json || fail "validate"
  "$python" - "$count" <<'EOS' || fail "$target"
import json, sys
v = json.load(open("validate.json"))
assert v["inputs"] == int(sys.argv[1]) and v["host_target_diff_bytes"] == 0, v["host_target_diff_bytes"]
assert v["target_top1"] == v["int8_top1"] > 0.6 and v["target_instructions"] > 0
ram = v["ram_measured"]
assert ram["data"] == ram["bss"] == 0 and 0 < ram["stack"] <= 1024 and v["flash_measured"]["weights"] > 0, v
assert ram["total"] == sum(ram[k] for k in ("arena", "data", "bss", "stack")) <= ram["arena"] + 2048, ram
assert v["guard_regions"] > 4, v["guard_regions"]
EOS
}
