# Every bench case and the trained network, on every core: the counts are those of bench/expected, to the instruction.
counts=$(mktemp)
trap 'rm -f "$counts"' EXIT
COUNTS=$O2M_BUILD/bin/bench_counts "$O2M_SOURCE/bench/run" >"$counts" || {
  grep -E -- '->|: new|: gone' "$counts" | head -n 40
  echo "FAILED: counts differ from bench/expected; bench/run --update accepts them"
  exit 1
}
[ "$(grep -c 'instructions  per unit' "$counts")" = 7 ] || { echo "FAILED: seven cores expected"; exit 1; }
