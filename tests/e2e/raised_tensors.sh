# validate says what the worst tensors would take as s16: of at least one of them, bytes and instructions.
. "$(dirname "$0")/lib.sh"

tool validate "$model" -q --calibrate="$training" --inputs="$images" --limit=1 --json >v.json
"$python" - <<'EOS'
import json
raised = [t for t in json.load(open("v.json"))["tensors"] if "s16_arena_bytes" in t]
assert raised and all(t["s16_instructions"] > 0 for t in raised), raised
EOS
tool validate "$model" -q --calibrate="$training" --inputs="$images" --limit=1 >v.txt
grep -q "as s16: .* B of arena, about +.* instructions" v.txt || fail "nothing said of s16"
