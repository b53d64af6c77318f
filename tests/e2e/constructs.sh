# Every construct that exports use or might: movement, arithmetic, norms, windows, choices, one a model.
. "$(dirname "$0")/lib.sh"

mkdir models
"$python" "$O2M_SOURCE/tests/e2e/constructs.py" "$ONNX2MCU" models >log.txt 2>&1 || fail "$(tail -n 20 log.txt)"
tail -n 1 log.txt
