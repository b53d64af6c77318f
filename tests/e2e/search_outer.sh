# `search --outer`: the space is chosen before it is searched, by evolution, at random or as the largest, and the winner is of that
# space. With a table evolution finds the space that the table has as the best; a supernet of each candidate is trained
# for some rounds, and a search that was broken off goes on to the same files.
. "$(dirname "$0")/lib.sh"
cat >space.yaml <<'END'
image: 28
channels: 1
classes: 10
pool: mean
patch: [7, 14]
dim: [16, 24]
depth: [1, 2]
heads: 2
mlp_ratio: [1, 2]
rank_ratio: [0.4, 0.6, 0.8]
END
tool price --space=space.yaml --target=cortex-m4 --samples=all -q >prices.csv || fail "price"
"$python" - "$training" "$mnist/train-labels-idx1-ubyte.gz" <<'END'
import csv, gzip, sys
import numpy
with open("prices.csv") as prices, open("table.csv", "w") as table:
    for i, row in enumerate(csv.DictReader(prices)):
        if i == 0:
            print(*row, "accuracy", sep=",", file=table)
        accuracy = 0.7 - 0.1 * (row["patch"] == "7") - 0.1 * float(row["rank_ratio"]) + 0.0001 * int(row["dim"])
        print(*row.values(), accuracy, sep=",", file=table)
pixels = numpy.frombuffer(gzip.open(sys.argv[1]).read(16 + 600 * 784)[16:], numpy.uint8)
numpy.save("images.npy", pixels.reshape(600, 1, 28, 28))
numpy.savetxt("labels.txt", numpy.frombuffer(gzip.open(sys.argv[2]).read(608)[8:], numpy.uint8), "%d")
END

search() {
  tool search --space=space.yaml --target=cortex-m4 --ram=8K --flash=96K --population=4 --generations=2 --seed=2 "$@"
}
# found FOLDER CHECK: of search.json, as `found`; `winner` has the genes of the best.
found() {
  "$python" - "$@" <<'END' || fail "$*"
import json, sys
found = json.load(open(f"{sys.argv[1]}/search.json"))
outer = found["outer"]
values = lambda genes: {g["name"]: g["values"][i] for g, i in zip(found["genes"], genes)}
winner = values(found["evaluations"][found["best"]]["genes"])
print(outer["strategy"], outer["holds"], len(outer["spaces"]))
for evaluation in found["evaluations"]:
    assert outer["holds"].items() <= values(evaluation["genes"]).items(), evaluation
assert eval(sys.argv[2]), outer
END
}
search --accuracies=table.csv --outer=evolution -o evolved >out.txt 2>log.txt || fail "evolution: $(cat log.txt)"
grep -q "^the space chosen: patch 14, rank_ratio 0.4$" log.txt || fail "the choice is not told: $(cat log.txt)"
found evolved 'outer["holds"] == {"patch": 14, "rank_ratio": 0.4} and winner["dim"] == 24'
search --accuracies=table.csv --outer=maximal -q -o largest >out.txt || fail "maximal"
found largest 'outer["holds"]["patch"] == 7 and outer["spaces"] == []'
search --accuracies=table.csv --outer=random -q -o drawn >out.txt || fail "random"
found drawn 'set(outer["holds"]) == {"patch", "rank_ratio"}'

trained=(--inputs=images.npy --labels=labels.txt --train-steps=8 --held-out=100 --outer=evolution --outer-steps=4 --outer-candidates=2
  --outer-iterations=2 --outer-samples=3 -q)
search "${trained[@]}" -o whole >out.txt 2>log.txt || {
  ! grep -q "this build cannot train" log.txt || exit 77
  fail "search: $(cat log.txt)"
}
found whole 'max(space["rounds"] for space in outer["spaces"]) == 2'
# as if killed after three trainings: what comes later is not there
mkdir broken
"$python" - <<'END'
import json, shutil
outer = json.load(open("whole/outer.json"))
assert all(record["rounds"] == 1 for record in outer["records"][:3]), outer
again = [record["point"] for record in outer["records"] if record["rounds"] > 1]
outer["records"] = outer["records"][:3]
json.dump(outer, open("broken/outer.json", "w"))
for record in outer["records"]:  # of those that go on the file is of a later round, so that of the first is not to be had
    if record["point"] not in again:
        shutil.copy("whole/outer_{:02d}_{:02d}.npz".format(*record["point"]), "broken")
END
search "${trained[@]}" --resume -o broken >out.txt || fail "search --resume"
for file in outer.json search.json best.onnx supernet.npz; do
  cmp "whole/$file" "broken/$file" || fail "$file depends on where the search was broken off"
done

# refused REGEX OPTIONS...
refused() {
  local regex=$1 code=0
  shift
  search "$@" -o none >out.txt 2>error.txt || code=$?
  [ $code = 1 ] && grep -qE -- "$regex" error.txt || fail "search $*: exit code $code, $(cat error.txt)"
}
refused "there are evolution, random and maximal" --accuracies=table.csv --outer=largest
refused "give --outer-steps" --inputs=images.npy --labels=labels.txt --outer=evolution
