# A search from images to ONNX, small: a supernet is trained for some steps, two generations are searched, two finalists are
# trained by themselves. The winner's file is what was searched: compiling it comes to the arena, weights and constants that
# the search counted, within the limits. A second search with the same seed, broken off and resumed, writes the same files.
. "$(dirname "$0")/lib.sh"

# search FOLDER GENERATIONS OPTIONS...
search() {
  local folder=$1 generations=$2
  shift 2
  tool search --space="$O2M_SOURCE/nas/spaces/fmnist_small.yaml" --inputs="$training" \
    --labels="$mnist/train-labels-idx1-ubyte.gz" --target=cortex-m4 --ram=8K --flash=96K --train-steps=40 --held-out=500 \
    --population=8 --generations="$generations" --seed=3 --finalists=2 --finetune-steps=10 -q -o "$folder" "$@"
}
search found 2 --tensorboard 2>found.txt || {
  cat found.txt
  ! grep -q "this build cannot train" found.txt || exit 77
  fail "search"
}
search again 1 >/dev/null || fail "search of one generation"
search again 2 --resume >/dev/null || fail "search --resume"
for file in best.onnx search.json; do
  cmp "found/$file" "again/$file" || fail "$file depends on where the search was broken off"
done
[ "$(grep -ac "search/best_accuracy" found/events.out.tfevents.search)" -ge 1 ] || fail "no events for TensorBoard"

tool compile found/best.onnx --target=cortex-m4 --ram=8K --flash=96K --calibrate="$training" -q -o best >best.txt || fail "compile"
"$python" - found/search.json best/report.json <<'PY' || fail "the winner is not what the search counted"
import json
import re
import sys
found, report = (json.load(open(path)) for path in sys.argv[1:])
best = found["evaluations"][found["best"]]
flash = report["flash"]
print(best)
print(report["arena_bytes"], flash)
assert report["arena_bytes"] == best["arena_bytes"]
# A price counts each layer's arrays as its own. Equal ones are one array in the program: first factors of low rank have no
# bias, so theirs are zeros wherever the input's zero point is 0.
code = open("best/best_params.h").read() + open("best/best.c").read()
arrays = re.findall(r"const int(\d+)_t (\w+)\[(\d+)\]", open("best/best_weights.h").read())
held = [int(bits) // 8 * int(count) for bits, _, count in arrays]
used = [size * len(re.findall(rf"\b{name}\b", code)) for size, (_, name, _) in zip(held, arrays)]
assert sum(held) == flash["weights"] and sum(used) == best["weight_bytes"], (sum(held), sum(used))
assert flash["constants"] == best["constant_bytes"], flash
assert abs(flash["code"] / best["code_bytes"] - 1) <= 0.02
tuned = {f["evaluation"]: f["accuracy_finetuned"] for f in found["finalists"]}
assert len(tuned) == 2 and tuned[found["best"]] == max(tuned.values()) > 0.2, tuned
assert len(found["evaluations"]) == 16 and best["accuracy"] > 0.2
page = open("found/report.html").read()
finalists = page[page.index("<h2>Finalists</h2>"):page.index("<h2>The winner's blocks</h2>")]
assert finalists.count("<tr") == 3 and all(f"{100 * accuracy:.2f} %" in finalists for accuracy in tuned.values()), finalists
assert all(e["weight_bytes"] + e["constant_bytes"] + e["code_bytes"] <= 98304 for e in found["evaluations"])
assert all(e["arena_bytes"] + e["stack_bytes"] <= 8192 for e in found["evaluations"])
PY
