# The golden inputs of NAME_selftest, pushed in rows of 1, 3 and all at once through the generated C on the emulated
# Cortex-M4: every byte as the host's whole run. One row of RAM besides the arena. The trained model, and where they are
# present exports with three channels and overlapping bands.
. "$(dirname "${BASH_SOURCE[0]}")/../e2e/lib.sh"

cat >flash.ld <<'EOS'
SECTIONS {
  .text 0 : { KEEP(*(.vectors)) *(.text*) *(.rodata*) }
  .bss 0x20000000 (NOLOAD) : { *(.bss*) *(COMMON) }
}
EOS
# in_rows FILE OPTIONS...: the selftest of its generated C where NAME_run is made of rows.
in_rows() {
  local name arena type
  name=$(basename "$1" .onnx)
  rm -rf out
  tool compile "$@" -q -o out --target=cortex-m4 --selftest >out.txt || fail "compile $*"
  arena=$(sed -nE "s/^#define ${name^^}_ARENA_BYTES ([0-9]+).*/\1/p" "out/$name.h")
  type=$(sed -nE "s/^int ${name}_push_rows\(void \*arena, const (.*) \*rows, int count\);/\1/p" "out/$name.h")
  sed -i -E "s/^void ${name}_run\(/void ${name}_whole(void *, const $type *, int8_t *);\nvoid ${name}_whole(/" "out/$name.c"
  cat >out/in_rows.c <<EOS
#include "$name.h"
enum { H = ${name^^}_INPUT_ROWS, PIXELS = ${name^^}_INPUT_ROW_BYTES / CHANNELS };
static $type rows[AT_ONCE * PIXELS * CHANNELS];
void ${name}_run(void *arena, const $type *whole, int8_t *output) {
  int wrong = 0;
  ${name}_begin(arena);
  for (int first = 0; first < H; first += AT_ONCE) {
    const int count = first + AT_ONCE < H ? AT_ONCE : H - first;
    for (int i = 0; i < count * PIXELS; i++)
      for (int c = 0; c < CHANNELS; c++) rows[i * CHANNELS + c] = whole[(c * H + first) * PIXELS + i];
    wrong |= ${name}_push_rows(arena, rows, count);
  }
  wrong |= ${name}_end(arena, output);
  if (wrong) output[0] ^= 0x55;
}
EOS
  local channels rows
  channels=$("$python" -c 'import json; print(json.load(open("out/report.json"))["input"]["shape"][1])')
  rows=$(sed -nE "s/^#define ${name^^}_INPUT_ROWS ([0-9]+).*/\1/p" "out/$name.h")
  for at_once in 1 3 "$rows"; do
    arm-none-eabi-gcc -mcpu=cortex-m4 -mthumb -O2 -ffreestanding -nostdlib -I "$runtime" -I out -DNAME="$name" \
      -DARENA_BYTES="$arena" -DAT_ONCE="$at_once" -DCHANNELS="$channels" "$O2M_SOURCE/tests/e2e/selftest_main.c" \
      "$runtime/libc.c" out/*.c -T flash.ld -lgcc -Wl,--no-warn-rwx-segments -o program.elf || fail "$name does not build"
    local code=0
    timeout 300 qemu-system-arm -M mps2-an386 -nographic -monitor none -serial none -kernel program.elf \
      -semihosting-config enable=on,target=native || code=$?
    [ "$code" = 0 ] || fail "$name, $at_once rows at once: selftest says $code"
  done
}

in_rows "$model"
exports=${O2M_EXPORTS:-$O2M_SOURCE/../shared/models/exports}
if [ -d "$exports" ]; then
  in_rows "$exports/plain__ts17.onnx" --stream=on  # 180 bytes more of arena: by default it takes whole images here
  for stem in patch_stack $([ "${O2M_LARGE:-0}" = 0 ] || echo cct timm_mobilevit); do
    in_rows "$exports/${stem}__ts17.onnx"
  done
fi
