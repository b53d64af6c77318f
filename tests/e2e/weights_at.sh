# --weights-at: the weights as a binary of their own at an address. Mapped there, the selftest passes and the check finds
# them; another byte or nothing there is found out; for a core all of it compiles and nothing of the weights is linked.
. "$(dirname "$0")/lib.sh"
name=$(basename "$model" .onnx) NAME=$(basename "$model" .onnx | tr a-z A-Z)
compiled out --target=host --calibrate="$training" --selftest --weights-at=0x20000000
compiled linked --target=host --calibrate="$training" --selftest
cat >main.c <<EOS
#define _GNU_SOURCE
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>
#include "$name.h"
#include "${name}_weights.h"
static _Alignas(16) unsigned char arena[${NAME}_ARENA_BYTES];
int main(int argc, char **argv) {
  const long page = 65536;
  uint8_t *const flash = mmap((void *)(uintptr_t)${NAME}_WEIGHTS_ADDRESS, (${NAME}_WEIGHTS_BYTES + page) / page * page,
                              PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
  if (flash == MAP_FAILED) return 90;
  if (${name}_check_weights() != 1) return 91;
  FILE *const file = fopen(argc > 1 ? argv[1] : "", "rb");
  if (!file || fread(flash, 1, ${NAME}_WEIGHTS_BYTES, file) != ${NAME}_WEIGHTS_BYTES || fgetc(file) != EOF) return 92;
  if (${name}_check_weights() != 0) return 93;
  flash[${NAME}_WEIGHTS_BYTES / 2] ^= 4;
  if (${name}_check_weights() != 1) return 94;
  flash[${NAME}_WEIGHTS_BYTES / 2] ^= 4;
  return ${name}_selftest(arena);
}
EOS
for address in "" -D${NAME}_WEIGHTS_ADDRESS=0x30000000u; do
  gcc-12 "${warnings[@]}" -O1 $address -I out main.c out/*.c -o mapped
  ./mapped "out/${name}_weights.bin" || fail "mapped${address}: $?"
done
golden() { sed -n '/case0_output0/,/;/p' "$1/${name}_selftest.c"; }
diff <(golden out) <(golden linked) || fail "other golden outputs"
compiled m4 --target=cortex-m4 --calibrate="$training" --weights-at=0x90000000
cat >sizes.py <<'EOS'
import json, sys
flash = json.load(open("m4/report.json"))["flash"]
bytes = len(open(sys.argv[1], "rb").read())
assert flash["weights"] == bytes > 100000 > flash["code"] + flash["constants"], (flash, bytes)
EOS
"$python" sizes.py "m4/${name}_weights.bin" || fail "sizes"
arm-none-eabi-gcc -mcpu=cortex-m4 -mthumb -std=c11 -O2 -Wall -Wextra -Werror -isystem "$runtime" -I m4 -c "m4/$name.c" -o m4.o
for bad in 0 12 0x90000004 flash; do
  ! tool compile "$model" -q --weights-at=$bad -o no 2>error.txt || fail "$bad is accepted"
  grep -q "'$bad' is no address: a multiple of 16" error.txt || fail "$(cat error.txt)"
done
