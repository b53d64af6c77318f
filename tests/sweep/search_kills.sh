# A search of a trained supernet is killed at twenty random moments, of its learning, its training, its generations and its
# finalists, and resumed each time: it ends with the files of a search that nobody disturbed. SEED makes other moments.
. "$(dirname "$0")/../e2e/lib.sh"

kills=20 seed=${SEED:-$$}
RANDOM=$seed
echo "SEED=$seed"
# search FOLDER OPTIONS...
search() {
  local folder=$1
  shift
  "$ONNX2MCU" search --space="$O2M_SOURCE/nas/spaces/fmnist_small.yaml" --inputs="$training" \
    --labels="$mnist/train-labels-idx1-ubyte.gz" --target=cortex-m4 --ram=8K --flash=96K --train-steps=400 --held-out=500 \
    --population=12 --generations=8 --seed=3 --finalists=4 --finetune-steps=200 -q -o "$folder" "$@"
}
SECONDS=0
search whole >whole.txt 2>&1 || {
  cat whole.txt
  ! grep -q "this build cannot train" whole.txt || exit 77
  fail "search"
}
milliseconds=$((SECONDS * 1000 + 1000))
while [ "$kills" -gt 0 ]; do
  wait=$(((RANDOM * 32768 + RANDOM) % milliseconds))
  search broken --resume >broken.txt 2>&1 &
  sleep "$((wait / 1000)).$(printf %03d $((wait % 1000)))"
  pkill -KILL -P $! || true  # the tool; $! is the shell that waits for it
  code=0
  wait $! 2>/dev/null || code=$?
  if [ $code = 0 ]; then
    rm -rf broken  # it had ended: no kill
    continue
  fi
  [ $code = 137 ] || { cat broken.txt; fail "exit code $code of a search that goes on"; }
  kills=$((kills - 1))
  echo "killed after $wait ms: $(ls broken 2>/dev/null | tr '\n' ' ')"
done
search broken --resume >broken.txt 2>&1 || { cat broken.txt; fail "search --resume"; }
for file in best.onnx search.json; do
  cmp "whole/$file" "broken/$file" || fail "$file depends on where the search was killed"
done
