# For the end-to-end tests: the tool, the trained model, images, a folder of its own that goes away.
# O2M_MODEL replaces the model, FASHION_MNIST the folder of the data set.
set -euo pipefail
: "${ONNX2MCU:?}" "${O2M_SOURCE:?}" "${O2M_BUILD:?}"
model=${O2M_MODEL:-$O2M_SOURCE/models/vit_fmnist.onnx}
mnist=${FASHION_MNIST:-/usr/share/datasets/fashion-mnist}
training=$mnist/train-images-idx3-ubyte.gz images=$mnist/t10k-images-idx3-ubyte.gz labels=$mnist/t10k-labels-idx1-ubyte.gz
python=$O2M_SOURCE/.venv/bin/python runtime=$O2M_SOURCE/codegen/runtime
warnings=(-std=c11 -Wall -Wextra -Wconversion -Wshadow -Werror)

fail() {
  echo "FAILED: $*"
  exit 1
}
[ -f "$model" ] || fail "$model is missing; models/export.py makes it"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/tmp" "$work/here"
export TMPDIR=$work/tmp
cd "$work/here"

tool() { "$ONNX2MCU" "$@"; }
# compiled FOLDER OPTIONS...: the model, into FOLDER.
compiled() {
  local folder=$1
  shift
  tool compile "$model" -q -o "$folder" "$@" >"$folder.txt" || fail "compile $*"
}
# no FILE REGEX WHAT: FILE holds no line like that.
no() { ! grep -nE "$2" "$1" || fail "$3"; }
# fewest_seconds COMMAND...: wall or processor time, whichever is less: other work on the machine must not decide.
fewest_seconds() {
  local TIMEFORMAT='%R %U %S'
  { time "$@" >/dev/null 2>&1; } 2>&1 | tail -n 1 | awk '{ cpu = $2 + $3; print ($1 < cpu ? $1 : cpu) }'
}
