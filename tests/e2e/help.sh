# Every verb explains itself with an example that names it; the version is complete.
. "$(dirname "$0")/lib.sh"

tool --help >top.txt
for verb in compile inspect run validate ops check targets price search; do
  grep -qE "^ +$verb " top.txt || fail "onnx2mcu --help does not list $verb"
  for help in --help -h; do
    tool "$verb" "$help" >verb.txt 2>errors.txt || fail "$verb $help: exit code $?"
    grep -qE "^example: onnx2mcu ($verb|[a-z]+\.onnx)( |\$)" verb.txt || fail "$verb $help: no example"
    for option in --json --quiet --verbose --plugin; do
      grep -q -- "$option" verb.txt || fail "$verb $help: no $option"
    done
    [ ! -s errors.txt ] || fail "$verb $help writes to stderr"
  done
done
for option in target board ram flash calibrate optimize rows residual gelu dump pareto example selftest; do
  tool compile --help | grep -q -- "--$option" || fail "compile --help: no --$option"
done
for option in space inputs labels ram flash board target seed mean std finalists finetune-steps finetune-seconds outer outer-steps; do
  tool search --help | grep -q -- "--$option" || fail "search --help: no --$option"
done
tool | diff - top.txt || fail "without arguments the help is shown"
tool --version >version.txt
pattern='^onnx2mcu [0-9]+\.[0-9]+\.[0-9]+, plugin ABI [0-9]+\.[0-9]+, onnx [0-9]+\.[0-9]+\.[0-9]+, revision [0-9a-f]{7,}'
grep -qE "$pattern" version.txt || fail "--version: $(cat version.txt)"
