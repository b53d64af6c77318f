# A search on 1, 2 and 4 ranks of mpirun writes the files of the search without: the supernet's and the finalists' weights,
# search.json, best.onnx, byte for byte; with --outer the candidate spaces' too. A rank that is killed ends the job with an error, and
# --resume comes to the same.
. "$(dirname "$0")/lib.sh"
command -v mpirun >/dev/null || { echo "skipped: mpirun is not installed"; exit 77; }
# root, and more ranks than cores: what Open MPI refuses unless told
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OMPI_MCA_rmaps_base_oversubscribe=1

# Few networks, and the first 600 images: prices and reading would take each rank longer than the search.
cat >space.yaml <<'END'
image: 28
channels: 1
classes: 10
pool: mean
patch: 14
dim: [16, 24]
depth: [1, 2]
heads: 2
mlp_ratio: [1, 2, 3]
rank_ratio: [0.5, 1]
END
"$python" - "$training" "$mnist/train-labels-idx1-ubyte.gz" <<'PY'
import gzip, sys
import numpy
pixels = numpy.frombuffer(gzip.open(sys.argv[1]).read(16 + 600 * 784)[16:], numpy.uint8)
numpy.save("images.npy", pixels.reshape(600, 1, 28, 28))
numpy.savetxt("labels.txt", numpy.frombuffer(gzip.open(sys.argv[2]).read(608)[8:], numpy.uint8), "%d")
PY
search() {
  local folder=$1
  shift
  "$@" "$ONNX2MCU" search --space=space.yaml --inputs=images.npy --labels=labels.txt \
    --target=cortex-m4 --ram=8K --flash=96K --train-steps=12 --held-out=100 --population=6 --generations=2 --seed=3 --finalists=3 \
    --finetune-steps=4 -q -o "$folder" "${options[@]}" >"$folder.txt" 2>&1
}
same() {
  local file
  for file in alone/*.npz alone/*.json alone/best.onnx alone/frontier/*.onnx; do
    cmp "$file" "$1/${file#alone/}" || fail "$1 is not the same"
  done
}

options=()
search alone env || {
  cat alone.txt
  ! grep -q "this build cannot train" alone.txt || exit 77
  fail "search"
}
for ranks in 2 1 4; do
  search ranks$ranks mpirun -n $ranks || {
    cat ranks$ranks.txt
    ! grep -q "this build has no MPI" ranks$ranks.txt || exit 77
    fail "mpirun -n $ranks"
  }
  [ "$(grep -c "best.onnx" ranks$ranks.txt)" = 1 ] || fail "mpirun -n $ranks does not tell the winner once"
  same ranks$ranks
done

# the second of two ranks is killed as soon as one generation is done
numbered='echo $$ >pid.${OMPI_COMM_WORLD_RANK:-$PMI_RANK}; exec "$@"'
search lost timeout 60 mpirun -n 2 bash -c "$numbered" rank &
job=$!
until [ -s lost/checkpoint.json ]; do
  kill -0 $job 2>/dev/null || fail "it ended before it was killed: $(cat lost.txt)"
  sleep 0.02
done
kill -9 "$(cat pid.1)"
code=0
wait $job || code=$?
[ $code != 0 ] && [ $code != 124 ] || fail "exit code $code after a rank was lost: $(cat lost.txt)"
"$python" -c 'import json; json.load(open("lost/checkpoint.json"))' || fail "no checkpoint is left"
[ ! -e lost/search.json ] || fail "it ended before the rank was lost"
options=(--resume)
search lost mpirun -n 2 || fail "--resume: $(cat lost.txt)"
same lost

# Candidate spaces: each rank trains one of its own, and what is left over they train together.
sed -i -e 's/^patch: .*/patch: [7, 14]/' -e 's/^dim: .*/dim: 16/' -e 's/^mlp_ratio: .*/mlp_ratio: 2/' space.yaml
options=(--outer=evolution --outer-steps=4 --outer-candidates=3 --outer-iterations=2 --outer-samples=2)
rm -r alone
search alone env || fail "--outer: $(cat alone.txt)"
[ "$(ls alone/outer_*.npz | wc -l)" -ge 3 ] || fail "too few candidate spaces to share"
for ranks in 2 4; do
  rm -r ranks$ranks
  search ranks$ranks mpirun -n $ranks || fail "--outer, mpirun -n $ranks: $(cat ranks$ranks.txt)"
  same ranks$ranks
done
