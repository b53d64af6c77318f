# --example=serial on an emulated Cortex-M4, whose UART is a pseudo terminal: `validate --engine=PORT` gets the host's bytes
# and every layer's checksum; one changed weight byte is found at its layer.
. "$(dirname "$0")/../e2e/lib.sh"
name=$(basename "$model" .onnx)
options=(--board=stm32f427 --calibrate="$training")
compiled out "${options[@]}" --example=serial --section-arena=.bss.arena
cat >flash.ld <<'EOS'
SECTIONS {
  .text 0 : { KEEP(*(.vectors)) *(.text*) *(.rodata*) }
  .bss 0x20000000 (NOLOAD) : { bss_start = .; *(.bss*) *(COMMON) . = ALIGN(4); bss_end = .; }
}
EOS
emulator=
trap 'kill $emulator 2>/dev/null; rm -rf "$work"' EXIT
# start FOLDER: builds it and sets `port` to the UART of the emulator that runs it.
start() {
  arm-none-eabi-gcc -mcpu=cortex-m4 -mthumb -O2 -ffreestanding -nostdlib -Wall -Wextra -Werror -I "$runtime" \
    "$O2M_SOURCE/tests/qemu/serial_board.c" "$runtime/libc.c" $(ls "$1"/*.c | grep -v uart.c) -T flash.ld -lgcc \
    -Wl,--no-warn-rwx-segments -o "$1.elf" || fail "$1 does not build"
  [ -z "$emulator" ] || kill $emulator
  qemu-system-arm -M mps2-an386 -display none -monitor none -serial pty -kernel "$1.elf" >"$1.port" 2>&1 &
  emulator=$!
  for _ in $(seq 100); do
    port=$(grep -oE '/dev/pts/[0-9]+' "$1.port") && return
    sleep 0.1
  done
  fail "no port: $(cat "$1.port")"
}
validate() { tool validate "$model" -q "${options[@]}" --inputs="$images" --limit=2 --timeout=60 --engine="$port" "$@"; }
start out
validate --json >right.json || fail "validate"
array=$(grep -nE "int8_t .*block2.*fc1.*_weights\[" "out/${name}_weights.c" | head -n 1 | cut -d: -f1)
cp -r out wrong
sed -i -E "$((array + 1))s/^( +)(-?[0-9]+),/\1(\2) ^ 64,/" "wrong/${name}_weights.c"
start wrong
validate --json >wrong.json || fail "validate of a wrong weight"
cat >check.py <<'EOS'
import json
right, wrong = (json.load(open(name + ".json")) for name in ("right", "wrong"))
assert right["host_target_diff_bytes"] == 0 and right["target_first_diverging"] is None, right
assert right["target_cycles"] > 1000, right["target_cycles"]
where = wrong["target_first_diverging"]
assert where and any("blocks.2/fc1" in layer for layer in where["stage_layers"]), where
print(where)
EOS
"$python" check.py || fail "what validate says"
