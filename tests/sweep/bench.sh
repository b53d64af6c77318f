# The counts of networks of published size too, on every core, and what the cost model predicts for whole networks; skipped
# where torch, which exports them, is not installed.
. "$(dirname "$0")/../e2e/lib.sh"

"$python" -c 'import torch' 2>/dev/null || { echo "skipped: torch is not installed (scripts/setup train)"; exit 77; }
COUNTS=$O2M_BUILD/bin/bench_counts MODELS=$O2M_BUILD/models "$O2M_SOURCE/bench/run" --all >counts.txt || {
  grep -E -- '->|: new|: gone' counts.txt | head -n 40
  fail "counts differ from bench/expected; bench/run --all --update accepts them"
}
FIT=$O2M_BUILD/bin/bench_fit "$O2M_SOURCE/bench/fit" --networks --most=5 --target=cortex-m0 --target=cortex-m3 \
  --target=cortex-m4 --target=cortex-m55 --target=rv32imc
