# Every bench case and the trained network, on three cores whose kernels have nothing in common: the counts are those of
# bench/expected, to the instruction. tests/sweep/bench.sh counts on all seven.
counts=$(mktemp)
trap 'rm -f "$counts"' EXIT
COUNTS=$O2M_BUILD/bin/bench_counts "$O2M_SOURCE/bench/run" --target=cortex-m4 --target=cortex-m55 --target=rv32imc >"$counts" || {
  grep -E -- '->|: new|: gone' "$counts" | head -n 40
  echo "FAILED: counts differ from bench/expected; bench/run --update accepts them"
  exit 1
}
[ "$(grep -c 'instructions  per unit' "$counts")" = 3 ] || { echo "FAILED: three cores expected"; exit 1; }
