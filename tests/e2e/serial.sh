# --example=serial, built by its CMakeLists.txt, behind a pseudo terminal: `validate --engine=PORT` and `run` get the host's
# bytes, through noise too; a changed weight byte is found at its layer; a silent port, noise alone, another model, another
# compilation and what is no port get one clear message each.
. "$(dirname "$0")/lib.sh"
name=$(basename "$model" .onnx)
options=(--target=host --calibrate="$training")
# serve LINK KIND [PROGRAM]: in the background until the test ends.
servers=()
trap 'kill "${servers[@]}" 2>/dev/null; rm -rf "$work"' EXIT
serve() {
  "$python" "$O2M_SOURCE/tests/e2e/serial_pty.py" "$@" >>servers.txt 2>&1 &
  servers+=($!)
  for _ in $(seq 100); do [ -e "$1" ] && return; sleep 0.05; done
  fail "no pseudo terminal: $(cat servers.txt)"
}
build() {
  cmake -S "$1" -B "$1/build" -DCMAKE_BUILD_TYPE=Release -DCMAKE_C_FLAGS="${warnings[*]}" >cmake.txt 2>&1 || fail "cmake $1"
  cmake --build "$1/build" >>cmake.txt 2>&1 || fail "build $1: $(cat cmake.txt)"
}
validate() { tool validate "$model" -q "${options[@]}" --inputs="$images" --limit=3 "$@"; }

compiled out "${options[@]}" --example=serial --selftest
clang-format --version 2>/dev/null | grep -q 'version 14' && { clang-format --dry-run -Werror out/main.c out/uart.c || fail "format"; }
build out
serve "$PWD/clean" clean "out/build/${name}_example"
validate --engine="$PWD/clean" --json >clean.json || fail "validate"
validate --json >emulated.json || fail "validate without a board"
cat >compare.py <<'EOS'
import json, sys
board, host = (json.load(open(f)) for f in (sys.argv[1], "emulated.json"))
assert board["host_target_diff_bytes"] == 0 and board["inputs"] == 3 and board["ram_measured"] is None, board
assert board["target_first_diverging"] is None and board["target_top1"] == host["target_top1"], board
EOS
"$python" compare.py clean.json || fail "the board's figures"
validate --engine="$PWD/clean" >clean.txt && grep -q "every layer's checksum is the host's" clean.txt || fail "text"
tool run "$model" -q "${options[@]}" --inputs="$images" --limit=3 --engine="$PWD/clean" >a.txt || fail "run"
tool run "$model" -q "${options[@]}" --inputs="$images" --limit=3 >b.txt
diff a.txt b.txt || fail "run: other outputs"
serve "$PWD/noisy" noisy "out/build/${name}_example"
validate --engine="$PWD/noisy" --timeout=0.5 --json >noisy.json || fail "validate through noise"
"$python" compare.py noisy.json || fail "through noise"

# One weight of a layer in the middle, and of the last one.
cp -r out wrong && rm -r wrong/build
array=$(grep -nE "int8_t .*block1.*fc2.*_weights\[" "wrong/${name}_weights.c" | head -n 1 | cut -d: -f1)
[ -n "$array" ] || fail "no such layer"
sed -i -E "$((array + 1))s/^( +)(-?[0-9]+),/\1(\2) ^ 64,/" "wrong/${name}_weights.c"
build wrong
serve "$PWD/wrong_port" clean "wrong/build/${name}_example"
validate --engine="$PWD/wrong_port" --json >wrong.json || fail "validate of a wrong weight"
cat >wrong.py <<'EOS'
import json
board = json.load(open("wrong.json"))["target_first_diverging"]
assert board and board["input"] == 0 and any("blocks.1/fc2" in layer for layer in board["stage_layers"]), board
EOS
"$python" wrong.py || fail "the layer is not named"
validate --engine="$PWD/wrong_port" >wrong.txt
grep -qE "board first leaves other bytes in stage [0-9]+, at layer '.*blocks.1" wrong.txt || fail "$(cat wrong.txt)"

refused() {
  local pattern=$1
  shift
  ! validate "$@" >said.txt 2>error.txt || fail "accepted: $*"
  [ "$(wc -l <error.txt)" = 1 ] && grep -qE "$pattern" error.txt || fail "$* says $(cat error.txt)"
}
serve "$PWD/silent" silent
serve "$PWD/babbling" babbling
refused "silent: no answer, asked 3 times.*flash what --example=serial" --engine="$PWD/silent"
refused "babbling: [0-9]+ bytes came, but no answer.*check --baud=57600" --engine="$PWD/babbling" --baud=57600
refused "compiled otherwise.*arena [0-9]+ B, here [0-9]+ B.*give the options" --engine="$PWD/clean" --rows=2 --residual=s8
refused "compiled otherwise" --engine="$PWD/clean" --calibrate="$images"
refused "/dev/null: cannot be used as a serial port" --engine=/dev/null
refused "No such file" --engine="$PWD/nothing"
refused "baud: 12345 is no speed.*115200" --engine="$PWD/clean" --baud=12345
"$python" - "$model" <<'EOS'
import sys
import onnx
other = onnx.load(sys.argv[1])
other.producer_name = "another"
onnx.save(other, "other.onnx")
EOS
tool validate other.onnx -q "${options[@]}" --inputs="$images" --limit=1 --engine="$PWD/clean" 2>error.txt && fail "another model"
grep -q "runs another model" error.txt || fail "$(cat error.txt)"
