# `search MODEL.onnx`: a trained ViT within half of its flash and 70 % of its arena, without labels and without training, is
# compiled to what search.json says, keeps most of the parent's answers and is the same every time. What cannot be: exit 1.
. "$(dirname "$0")/lib.sh"
[ -f "$images" ] || { echo "skipped: $images is missing"; exit 77; }
command -v arm-none-eabi-gcc >/dev/null || { echo "skipped: arm-none-eabi-gcc is not installed"; exit 77; }
"$python" "$O2M_SOURCE/tests/e2e/images.py" 300 >/dev/null
"$python" - "$labels" <<'END'
import gzip, sys
import numpy
labels = numpy.frombuffer(gzip.open(sys.argv[1]).read()[8:308], numpy.uint8)
numpy.savetxt("labels.txt", labels, "%d")
numpy.savetxt("bad_labels.txt", labels + 1, "%d")
END

compiled parent
bytes() { "$python" -c "import json; r = json.load(open('$1/report.json')); print(int($2))"; }
arena=$(bytes parent "0.7 * r['arena_bytes']") flash=$(bytes parent "0.5 * sum(r['flash'].values())")
ram=$((arena + 1024)) # the stack
limits=(--inputs=images.npy --calibration=200 --ram=$ram --flash="$flash")
tool search "$model" "${limits[@]}" -o found >winner.txt 2>log.txt || fail "search: $(cat log.txt)"
cat winner.txt
grep -q "^found/best.onnx: agreement " winner.txt || fail "the first line is not the winner"
grep -q -- --finetune-steps log.txt || fail "it does not say that training would help"
for file in found/best.onnx found/frontier/*.onnx; do
  tool compile "$file" -q --ram=$ram --flash="$flash" -o compiled >/dev/null || fail "compile $file"
  "$python" - "$file" "$arena" "$flash" <<'END'
import json, sys
import onnx
file, arena, flash = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
record, report = json.load(open("found/search.json")), json.load(open("compiled/report.json"))
metadata = {p.key: p.value for p in onnx.load(file).metadata_props}
origin = json.loads(metadata["onnx2mcu.search"])
assert float(metadata["onnx2mcu.mean"]) > 0 and float(metadata["onnx2mcu.std"]) > 0, metadata
index = record["best"] if "best" in file else record["frontier"][int(file[-8:-5])]
cut = record["proposals"][index]
assert origin["evaluation"] == cut and origin["model_sha256"] == record["model_sha256"], origin
cost = cut["cost"]
said = (cost["arena_bytes"], cost["constant_bytes"])
got = (report["arena_bytes"], report["flash"]["constants"])
# every norm of a cut has gain 1 and bias 0, so that some are equal, and equal ones are one: at most all of them
shared = cost["weight_bytes"] - report["flash"]["weights"]
code = cost["code_bytes"] / report["flash"]["code"]
print(f"{file}: arena, constants {got}, {shared} B of norms shared, agreement {cut['held_out']['agreement']:.3f}")
assert said == got, f"search.json says {said}"
assert 0 <= shared <= 12 * cut["config"]["dim"] * len(cut["config"]["blocks"]), cost
assert 0.98 < code < 1.02, f"code {code} of what was compiled"
assert report["arena_bytes"] <= arena and sum(report["flash"].values()) <= flash
END
done
"$python" - <<'END'
import json
record = json.load(open("found/search.json"))
best = record["proposals"][record["best"]]
assert record["schema_version"] == 1 and record["fitness"] == "agreement" and len(record["model_sha256"]) == 64
assert record["images"] == 300 and record["held_out"] == 75 and record["calibration"] == 200
assert best["held_out"]["agreement"] >= 0.9, best
assert best["held_out"]["agreement"] == max(p["held_out"]["agreement"] for p in record["proposals"] if "held_out" in p)
page = open("found/report.html").read()
finalists = page[page.index("<h2>Finalists</h2>"):page.index("<h2>The winner's blocks</h2>")]
assert "<h1>Cuts of vit_fmnist.onnx</h1>" in page and "agreement on images held out" in finalists
assert finalists.count("<tr") == 1 + sum("held_out" in p for p in record["proposals"]), finalists
assert f"{100 * best['held_out']['agreement']:.2f} %" in finalists
assert "<script" not in page and "http" not in page
END

# refused FILE REGEX OPTIONS...: exit 1, one line like that, nothing written.
refused() {
  local regex=$1 code=0
  shift
  tool search "$@" -o none >out.txt 2>error.txt || code=$?
  [ $code = 1 ] || fail "search $*: exit code $code, not 1"
  [ "$(wc -l <error.txt)" = 1 ] && grep -qE "$regex" error.txt || fail "search $*: $(cat error.txt)"
  [ ! -e none ] || fail "search $* wrote something"
}
refused "what is searched is missing"
refused "what is searched is two" "$model" --space="$O2M_SOURCE/nas/spaces/fmnist_small.yaml"
refused "keeps within the limits as it is" "$model" --inputs=images.npy --ram=1M
refused "images to fit cuts to are missing" "$model" --ram=8K
refused "lost.npy" "$model" --inputs=lost.npy --ram=8K
refused "lost.onnx" lost.onnx --inputs=images.npy --ram=8K
refused "bad_labels.txt" "$model" --inputs=images.npy --labels=bad_labels.txt --ram=8K
refused "attention|block|ViT" "$O2M_SOURCE/models/cct_fmnist.onnx" --inputs=images.npy --ram=8K
