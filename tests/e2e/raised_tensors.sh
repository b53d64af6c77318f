# validate says what the worst tensors would take as s16: of at least one of them, bytes and instructions. By default the stream and
# what is added to it are s16, but no function of a byte.
. "$(dirname "$0")/lib.sh"

tool validate "$model" -q --calibrate="$training" --inputs="$images" --limit=1 --json >v.json
"$python" - <<'EOS'
import json
raised = [t for t in json.load(open("v.json"))["tensors"] if "s16_arena_bytes" in t]
assert raised and all(t["s16_instructions"] > 0 for t in raised), raised
EOS
tool validate "$model" -q --calibrate="$training" --inputs="$images" --limit=1 >v.txt
grep -q "as s16: .* B of arena, about +.* instructions" v.txt || fail "nothing said of s16"

for model in "$model" "$O2M_SOURCE/models/cct_fmnist.onnx"; do
  for width in s8 auto s16; do tool compile "$model" -q --target=host --residual=$width -o $width 2>/dev/null >/dev/null || fail "$width"; done
  "$python" - <<'EOS' || fail "$model: what is s16"
import json, re
types = lambda width: {t["name"]: t["dtype"] for t in json.load(open(f"{width}/report.json"))["tensors"] if "_output_0" in t["name"]}
s8, auto, s16 = types("s8"), types("auto"), types("s16")
branch = lambda name: re.search(r"(proj|fc2)/Add_output_0(_\d+)?$|patch_embed/proj/Conv_output_0$", name)
assert any(map(branch, s16)) and set(s8) == set(auto) == set(s16), s16
for name in s16:
    stream = re.search(r"\.\d/Add(_1)?_output_0(_\d+)?$", name)
    if stream or branch(name): assert (s8[name], auto[name], s16[name]) == ("s8", "s16", "s16"), name
    elif re.search("act|Relu|Pool|Layer|attn", name): assert s8[name] == auto[name] == s16[name] == "s8", name
EOS
done
