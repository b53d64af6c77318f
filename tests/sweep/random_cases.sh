# Random cases of every op on every core: shapes, strides, types, scales, tables, rows per call; byte for byte the host's,
# and no scratch exceeded. 10,000 wherever a core has a kernel that no core before it has; where the same source merely
# is compiled for another core, a tenth. tests/bench takes a fixed sample of the same.
. "$(dirname "$0")/../e2e/lib.sh"

count=${O2M_RANDOM_CASES:-10000}

# own_kernels CORE: endings of the kernels that only it or, on the M3, no DSP core takes; the M4 comes first and has all else
own_kernels() {
  case $1 in
    cortex-m4) echo .c ;;
    cortex-m55) echo _mve.c ;;
    rv32imc) echo _rv32.c ;;
    cortex-m3) echo _armv7m.c _dsp.c ;;  # what has a kernel for DSP is scalar C here
    cortex-m0) echo _armv6m.c ;;
  esac
}

# has_own CORE OP: low-rank layers run the kernels of linear
has_own() {
  local folder=$2 ending
  [ "$2" != low_rank_linear ] || folder=linear
  [ "$2" != pool2d ] || folder=pool
  for ending in $(own_kernels "$1"); do
    [ "$1" = cortex-m4 ] || ls "$O2M_SOURCE/ops/$folder"/*"$ending" || continue
    return 0
  done >/dev/null 2>&1
  return 1
}

ops=$("$ONNX2MCU" ops --json | "$python" -c 'import json, sys; print(*[o["id"].split(".")[1] for o in json.load(sys.stdin)["ops"]])')
for core in cortex-m4 cortex-m55 rv32imc cortex-m3 cortex-m0 cortex-m7 cortex-m33; do
  for op in $ops; do
    n=$count
    has_own "$core" "$op" || n=$((count / 10))
    echo "$core $op $n"
    # the forms of weights that random layers seldom or never choose
    [ "$op" != linear ] || for variant in 1 2 3; do echo "$core $op $n --variant=$variant"; done
  done
done | xargs -P "$(nproc)" -L 1 bash -c '
  "$0/bin/random_cases" --plugins="$0/bin/plugins" --target="$1" --op="$2" --count="$3" ${4:+"$4"} \
      >"$1.$2$4.txt" 2>&1 || echo "$1, $2 $4: $(cat "$1.$2$4.txt")"' "$O2M_BUILD" >failures.txt
cat ./*.txt
[ ! -s failures.txt ] || fail "$(wc -l <failures.txt) of all ops and cores failed"
