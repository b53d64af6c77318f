# 10,000 random cases of every op on every core: shapes, strides, types, scales, tables, rows per call; byte for byte the
# host's, and no scratch exceeded. tests/bench takes a fixed sample of the same.
. "$(dirname "$0")/../e2e/lib.sh"

cores="cortex-m0 cortex-m3 cortex-m4 cortex-m7 cortex-m33 cortex-m55 rv32imc"
# a network of one op at a time: its batches stay small
ops=$(cd "$O2M_SOURCE/ops" && for op in */; do echo "${op%/}"; done)
for core in $cores; do
  for op in $ops; do echo "$core $op"; done
  # the forms of weights that random layers seldom or never choose
  for variant in 1 2 3; do echo "$core linear --variant=$variant"; done
done | xargs -P "$(nproc)" -L 1 bash -c '
  "$0/bin/random_cases" --plugins="$0/bin/plugins" --target="$1" --op="$2" --count="${O2M_RANDOM_CASES:-10000}" \
      --batch=1000 ${3:+"$3"} >"$1.$2$3.txt" 2>&1 || echo "$1, $2 $3: $(cat "$1.$2$3.txt")"' "$O2M_BUILD" >failures.txt
cat ./*.txt
[ ! -s failures.txt ] || fail "$(wc -l <failures.txt) of all ops and cores failed"
