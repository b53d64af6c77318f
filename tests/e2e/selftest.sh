# NAME_selftest() on the emulated Cortex-M4: 0 as generated, 1 after one weight byte changed, 2 after a kernel changed.
. "$(dirname "$0")/lib.sh"

name=$(basename "$model" .onnx)
compiled out --board=stm32f427 --calibrate="$training" --selftest
arena=$(sed -nE "s/^#define ${name^^}_ARENA_BYTES ([0-9]+).*/\1/p" "out/$name.h")
cat >flash.ld <<'EOS'
SECTIONS {
  .text 0 : { KEEP(*(.vectors)) *(.text*) *(.rodata*) }
  .bss 0x20000000 (NOLOAD) : { *(.bss*) *(COMMON) }
}
EOS
# selftest FOLDER: builds it with the vectors and prints what the emulator ended with.
selftest() {
  arm-none-eabi-gcc -mcpu=cortex-m4 -mthumb -O2 -ffreestanding -nostdlib -I "$runtime" -DNAME="$name" \
    -DARENA_BYTES="$arena" "$O2M_SOURCE/tests/e2e/selftest_main.c" "$runtime/libc.c" "$1"/*.c -T flash.ld -lgcc \
    -Wl,--no-warn-rwx-segments -o "$1.elf" || fail "$1 does not build"
  local code=0
  timeout 300 qemu-system-arm -M mps2-an386 -nographic -monitor none -serial none -kernel "$1.elf" \
    -semihosting-config enable=on,target=native || code=$?
  echo $code
}
[ "$(selftest out)" = 0 ] || fail "the selftest fails as generated"
line=$(grep -nE '^ +-?[0-9]+, ' "out/${name}_weights.c" | sed -n '40p' | cut -d: -f1)  # some row of numbers
cp -r out weight
sed -i -E "${line}s/^( +)(-?[0-9]+),/\1(\2) ^ 1,/" "weight/${name}_weights.c"
! cmp -s {out,weight}/"${name}_weights.c" || fail "no weight was changed"
[ "$(selftest weight)" = 1 ] || fail "a changed weight byte is not found"
cp -r out kernel
sed -i -E "0,/^void ${name}_run\(.*\{/s//&\n  output[0] = 0;\n  return;/" "kernel/$name.c"
! cmp -s {out,kernel}/"$name.c" || fail "no code was changed"
[ "$(selftest kernel)" = 2 ] || fail "wrong outputs are not found"
