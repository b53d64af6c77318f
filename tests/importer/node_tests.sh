# The ONNX node tests, those of the installed onnx package and Debian's (opset 17), and com.microsoft operators against
# ONNX Runtime, run through the float evaluator.
set -euo pipefail
source=${O2M_SOURCE:-$(cd "$(dirname "$0")/../.." && pwd)} build=${O2M_BUILD:-$source/build}
data=$(mktemp -d)
trap 'rm -rf "$data"' EXIT
"$source/.venv/bin/python" "$source/tests/importer/node_data.py" "$data"
"$source/.venv/bin/python" "$source/tests/importer/microsoft_data.py" "$data"
[ -d /usr/share/libonnx-testdata/data/node ] && debian=:/usr/share/libonnx-testdata/data/node
O2M_NODE_TESTS=$data${debian:-} "$build/tests/test_importer" --gtest_filter='NodeTests.*' | tee "$data/log"
grep -q 'cases passed' "$data/log"  # a skipped test is no pass
