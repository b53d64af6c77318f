# The README's commands, as they stand there. The tool and the models are those of this build and this source.
set -euo pipefail
: "${ONNX2MCU:?}" "${O2M_SOURCE:?}"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
mkdir -p build
ln -s "$(dirname "$ONNX2MCU")" build/bin
ln -s "$O2M_SOURCE/models" "$O2M_SOURCE/nas" .
sed -n '/^```sh$/,/^```$/p' "$O2M_SOURCE/README.md" | grep '^build/bin/onnx2mcu' >commands
[ "$(wc -l <commands)" -ge 5 ] || { echo "FAILED: the README shows fewer commands than that"; exit 1; }
while read -r command; do
  echo "$ $command"
  bash -c "$command" >out.txt || { cat out.txt; echo "FAILED: $command"; exit 1; }
  [ -s out.txt ] || { echo "FAILED: no output: $command"; exit 1; }
done <commands
{
  echo '#include <stdint.h>'
  sed -n '/^```c$/,/^```$/p' "$O2M_SOURCE/README.md" | grep -v '^```'
} >use.c
cc -std=c11 -Wall -Wextra -Werror -Ivit -c use.c
