# The arenas that are promised, in bytes: against the floor 2NE + NP of an unmodified network (3NE + NP with a residual
# stream of s16), by default and with --optimize=ram. Skipped where torch, which exports DeiT, is not installed.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

arena_of() { "$python" -c "import json; print(json.load(open('$1/report.json'))['arena_bytes'])"; }
# at_most BYTES MODEL OPTIONS...: the arena, from the report in `out`.
at_most() {
  local limit=$1 arena
  shift
  "$ONNX2MCU" compile "$@" -q -o out >out.txt || fail "compile $*"
  arena=$(arena_of out)
  [ "$arena" -le "$limit" ] || fail "$*: arena of $arena B, more than $limit B"
  echo "$(basename "$1") ${*:2}: $arena B of $limit B"
}
fashion_mnist() {
  at_most 11200 "$1" --residual=s8
  at_most 8400 "$1" --residual=s8 --optimize=ram
}
fashion_mnist "$O2M_SOURCE/models/vit_fmnist.onnx"
fashion_mnist "$O2M_SOURCE/models/vit_fmnist_dynamo.onnx"

"$python" -c 'import importlib.util as u; exit(u.find_spec("torch") is None)' || { echo "skipped: torch is not installed (scripts/setup train)"; exit 77; }
# table SIZE DEFAULT RAM DEFAULT-WITH-S16: what --optimize=ram gives stays in SIZE.ram; both exporters with O2M_LARGE
table() {
  local exporter exporters=("")
  [ "${O2M_LARGE:-0}" = 0 ] || exporters=("" --dynamo)
  for exporter in "${exporters[@]}"; do
    "$python" "$O2M_SOURCE/models/export_vit.py" "$1" "$1.onnx" $exporter >/dev/null 2>&1 || fail "the export of $1"
    at_most "$2" "$1.onnx" --residual=s8
    at_most "$3" "$1.onnx" --residual=s8 --optimize=ram
    rm -rf "$1.ram"
    mv out "$1.ram"
    at_most "$4" "$1.onnx" --residual=s16
  done
}
table deit_tiny 97100 91800 138700
at_most 94208 deit_tiny.onnx --residual=s8 --ram=92K
exact() { "$python" -c 'import json; print(all(a["exact"] for a in json.load(open("out/report.json"))["alternatives"]))'; }
[ "$(exact)" = True ] || fail "92 KiB are met by recomputation"
# said with its price, beside what an exact schedule needs at least
"$ONNX2MCU" compile deit_tiny.onnx --residual=s8 --ram=80K -o out >loud.txt 2>&1 || fail "compile"
[ "$(arena_of out)" -le 81920 ] || fail "arena of $(arena_of out) B, more than 80 KiB"
[ "$(exact)" = False ] || fail "80 KiB are below what an exact schedule needs"
least=$("$python" -c "print(format($(arena_of deit_tiny.ram), ','))")
grep -q -- "--recompute.*about [0-9,]* instructions; the least exact arena is $least B" loud.txt ||
  fail "recomputation is not announced with its price: $(cat loud.txt)"
if [ "${O2M_LARGE:-0}" = 1 ]; then  # tests/sweep/memory_floor.sh
  table deit_small 180300 170500 263500
  table vit_base 346800 327800 513200
fi
