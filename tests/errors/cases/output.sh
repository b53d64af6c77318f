# Where the result goes: complete or absent.
small_disk() {
  [ "$(id -u)" = 0 ] && mkdir disk && mount -t tmpfs -o size="$1" tmpfs disk 2>/dev/null && return
  echo "skipped: mounting a small disk needs root"
  exit 77
}
case_output_parent_missing() { refused 'no/such/out' 'cannot be written' 'writable' tool compile "$MODELS/sound.onnx" -o no/such/out; }
case_output_unwritable() { refused '/proc/out' 'cannot be written' 'writable' tool compile "$MODELS/sound.onnx" -o /proc/out; }
case_output_is_a_file() { echo mine >out; refused 'out' 'exists' 'another folder|remove' compiling sound; }
case_output_holds_other_files() { mkdir out && echo mine >out/notes; refused 'out' 'exists' 'another folder|remove' compiling sound; }
case_output_disk_full() {
  small_disk 16k
  refused 'disk/out' 'No space left' 'disk|folder|-o' tool compile "$MODELS/sound.onnx" -o disk/out
}
case_output_disk_full_keeps_the_old() {
  small_disk 256k
  tool compile "$MODELS/sound.onnx" -o disk/out >/dev/null 2>&1 || fail "does not fit"
  head -c 1M /dev/zero >disk/filler 2>/dev/null
  refused 'disk/out' 'No space left' 'disk|folder|-o' tool compile "$MODELS/sound.onnx" --selftest -o disk/out
}
case_output_temp_disk_full() {
  small_disk 16k
  export TMPDIR=$work/disk
  refused 'disk' 'No space left' 'TMPDIR|disk|folder' compiling sound
}
case_output_temp_missing() {
  export TMPDIR=$work/nowhere
  ( refused 'nowhere' 'cannot' 'TMPDIR' compiling sound )
  local code=$?
  local stray
  stray=$(find / -maxdepth 1 -type f -newer "$log/before" \( -name 'sound*' -o -name 'o2m_*' -o -name report.json -o -name plan.csv \))
  # shellcheck disable=SC2086
  [ -z "$stray" ] || { rm -f $stray; fail "wrote into the root folder:" $stray; }
  return $code
}
case_output_npz_disk_full() {
  small_disk 16k
  refused 'disk/y\.npz' 'No space left' '.' \
    tool run "$MODELS/sound.onnx" -q --engine=float --inputs="$MODELS/x_many.npy" -o disk/y.npz
}
case_output_npz_to_dev_full() {
  refused '/dev/full' 'No space left' '.' tool run "$MODELS/sound.onnx" -q --inputs="$MODELS/x.npy" -o /dev/full
}
case_output_stdout_full() {  # results lost on the way to stdout are no success
  tool targets >/dev/full 2>"$log/err"
  code=$?
  : >"$log/out"
  [ $code = 1 ] || fail "exit code 1 expected"
}

# interrupted SIGNAL CODE COMMAND...: the signal reaches the tool and its children in the middle of the work, as from a
# terminal.
interrupted() {
  local signal=$1 expected=$2 child
  shift 2
  everything >"$log/before"
  set -m
  "$ONNX2MCU" "$@" >"$log/out" 2>"$log/err" &
  child=$!
  set +m
  sleep 0.6
  kill -0 $child 2>/dev/null || fail "ended before it could be interrupted: $*"
  kill -s "$signal" -- -$child
  wait $child 2>/dev/null
  code=$?
  everything >"$log/after"
  [ $code = "$expected" ] || fail "exit code $expected expected"
  diff "$log/before" "$log/after" || fail "left something behind"
  ! grep -qE "$noise" "$log/err" || fail "noise"
}
large=("$MODELS/large.onnx" --calibrate="$MODELS/x_large.npy")
case_interrupt_while_compiling() { interrupted INT 130 compile "${large[@]}" --selftest -o out; }
case_terminate_while_compiling() { interrupted TERM 143 compile "${large[@]}" -o out; }
case_interrupt_while_running() {
  interrupted INT 130 run "${large[@]}" --inputs="$MODELS/x_large.npy" --engine=float -o y.npz
}
case_interrupt_while_emulating() {
  interrupted INT 130 run "$MODELS/large.onnx" --inputs="$MODELS/x_large.npy" --engine=emulator -o y.npz
}
case_interrupt_at_any_time() {  # a compile, stopped at ten moments: nothing or all of it
  local delay child files
  for delay in 0.00 0.01 0.02 0.04 0.06 0.08 0.12 0.16 0.24 0.32; do
    "$ONNX2MCU" compile "$MODELS/sound.onnx" --selftest -o out >"$log/out" 2>"$log/err" &
    child=$!
    for _ in $(seq 500); do  # the moments count from the tool's start, not the shell's
      [ "$(readlink "/proc/$child/exe")" != "$(readlink -f "$ONNX2MCU")" ] || break
      sleep 0.002
    done
    sleep $delay
    kill -INT $child 2>/dev/null
    wait $child
    code=$?
    files=$(find "$work" -mindepth 1 -maxdepth 1 ! -name tmp -printf '%f ')
    if [ $code = 130 ]; then [ -z "$files" ] || [ "$files" = "out " ] || fail "left $files after $delay s"; fi
    if [ $code != 130 ]; then [ $code = 0 ] && [ "$files" = "out " ] || fail "code $code, $files after $delay s"; fi
    [ ! -e out ] || [ -s out/report.json ] || fail "incomplete folder after $delay s"
    [ -z "$(ls -A tmp)" ] || fail "temporary files after $delay s: $(ls -A tmp)"
    rm -rf out
  done
}
