# --flash is kept: where weights, constants and code exceed it, a schedule with less code is taken; where there is none, an
# error says so and nothing is written. And the kernels that the trained network needs are 12 kB at most.
. "$(dirname "$0")/lib.sh"
command -v arm-none-eabi-gcc >/dev/null || { echo "skipped: arm-none-eabi-gcc is not installed"; exit 77; }
command -v arm-none-eabi-size >/dev/null || { echo "skipped: arm-none-eabi-size is not installed"; exit 77; }
flash() { "$python" -c 'import json, sys; print(sum(json.load(open(sys.argv[1]))["flash"].values()))' "$1/report.json"; }
kernels() { # FOLDER: bytes of code and constants of the kernels' sources, all of it linked or not
  local file bytes=0
  for file in "$1"/o2m_*.c; do
    arm-none-eabi-gcc -mcpu=cortex-m4 -mthumb -std=c11 -O2 -isystem "$runtime" -c "$file" -o kernel.o
    bytes=$((bytes + $(arm-none-eabi-size kernel.o | tail -1 | cut -f1)))
  done
  echo "$bytes"
}
compiled small --target=cortex-m4 --residual=s8 --ram=14000 --flash=170000
[ "$(flash small)" -le 170000 ] || fail "flash of $(flash small) B in a budget of 170000"
if tool "$model" -q -o none --target=cortex-m4 --residual=s8 --ram=14000 --flash=160000 2>error.txt; then
  fail "160000 B hold it"
fi
grep -q flash error.txt || fail "the message does not speak of flash"
[ ! -e none ] || fail "something was written"
compiled wide --target=cortex-m4 --residual=s16 --ram=14000
for folder in small wide; do
  bytes=$(kernels "$folder")
  echo "kernels of $folder: $bytes B of at most 12000"
  [ "$bytes" -le 12000 ] || fail "kernels of $bytes B"
done
# What is linked is no more than what was counted: memcpy and memset, and the compiler's functions for what a core cannot.
command -v qemu-system-arm >/dev/null || { echo "what is linked is not looked at: qemu-system-arm is not installed"; exit 0; }
[ -f "$images" ] || { echo "what is linked is not looked at: $images is missing"; exit 0; }
for core in cortex-m0 cortex-m4; do
  compiled "$core" --target="$core" --stream=off
  tool validate "$model" -q --json --target="$core" --stream=off --inputs="$images" --limit=1 >linked.json || fail "validate"
  linked=$("$python" -c 'import json; print(sum(json.load(open("linked.json"))["flash_measured"].values()))')
  echo "$core: $(flash "$core") B counted, $linked B linked"
  [ "$linked" -le "$(flash "$core")" ] || fail "$core: $linked B are linked, $(flash "$core") B were counted"
done
# The same budget is kept where the program is validated: it is the one that was written.
tool validate "$model" -q --json --target=cortex-m4 --residual=s8 --ram=14000 --flash=170000 --inputs="$images" --limit=1 \
  >small.json || fail "validate in a budget of 170000"
"$python" - <<'EOS' || fail "validate takes more than was asked for"
import json
v = json.load(open("small.json"))
assert v["host_target_diff_bytes"] == 0 and sum(v["flash_measured"].values()) <= 170000, v
EOS
