# --section-weights, --section-code, --section-arena: in the program that is built, all code that NAME_run calls, all
# weights and the arena lie in their sections, of two models at once, with gcc and clang; the header serves C++; sizes are
# counted and the emulated run is as without.
. "$(dirname "$0")/lib.sh"
cp "$model" first.onnx && cp "$model" second.onnx
sections=(--section-weights=.ext_flash --section-code=.itcm --section-arena=.dtcm)
for target in cortex-m55 rv32imc; do
  tool first.onnx -q --target=$target --calibrate="$training" "${sections[@]}" --example -o first >first.txt || fail "$target"
  tool first.onnx -q --target=$target --calibrate="$training" --example -o plain >plain.txt || fail "$target"
  cat >sizes.py <<'EOS'
import json
a, b = (json.load(open(f"{name}/report.json")) for name in ("first", "plain"))
assert a["sections"] == {"weights": ".ext_flash", "code": ".itcm", "arena": ".dtcm"}, a["sections"]
assert b["sections"] == {"weights": None, "code": None, "arena": None}, b["sections"]
assert a["flash"]["weights"] == b["flash"]["weights"] and a["flash"]["constants"] == b["flash"]["constants"], (a, b)
assert abs(a["flash"]["code"] - b["flash"]["code"]) < 200 + b["flash"]["code"] // 20, (a["flash"], b["flash"])
assert a["ram"]["bss"] == a["ram"]["data"] == 0 and a["arena_bytes"] == b["arena_bytes"]
EOS
  "$python" sizes.py || fail "$target: sizes"
done
tool second.onnx -q --target=cortex-m7 --calibrate="$training" "${sections[@]}" --rows=3 -o second >second.txt
tool first.onnx -q --target=cortex-m7 --calibrate="$training" "${sections[@]}" --example -o first >first.txt
cat >main.cc <<'EOS'
#include "first.h"
#include "second.h"
alignas(16) FIRST_ARENA_SECTION static uint8_t one[FIRST_ARENA_BYTES];
SECOND_ARENA_SECTION alignas(16) static uint8_t two[SECOND_ARENA_BYTES];
static uint8_t image[FIRST_INPUT_BYTES];
static int8_t output[FIRST_OUTPUT_COUNT];
int main() {
  first_run(one, image, output);
  second_run(two, image, output);
}
EOS
# program COMPILER... : objects of both models and main.o, linked as far as that goes without a C library.
core=(-mcpu=cortex-m7 -mthumb -mfloat-abi=soft -O2 -ffreestanding -isystem "$runtime")
program() {
  for name in first second; do
    for file in $name/*.c; do
      [ "$file" = first/main.c ] || "$@" "${core[@]}" "${warnings[@]}" -I $name -c "$file" -o "$name-$(basename "$file" .c).o"
    done
  done
  arm-none-eabi-g++ -mcpu=cortex-m7 -mthumb -O2 -ffreestanding -isystem "$runtime" -I first -I second -c main.cc -o main.o
  arm-none-eabi-gcc -r -nostdlib -Wl,--no-wchar-size-warning,--no-enum-size-warning main.o first-*.o second-*.o -o program.o
}
# Functions outside of the section, weights outside of theirs.
check() {
  arm-none-eabi-objdump -t program.o | grep -v ' main$' >table.txt
  no table.txt ' F \.text' "$1: code outside of .itcm"
  [ "$(grep -cE ' F \.itcm' table.txt)" -gt 10 ] || fail "$1: no code in .itcm"
  no table.txt ' O \.rodata.*_(weights|bias|multiplier)$' "$1: weights outside of .ext_flash"
  [ "$(grep -cE ' O \.ext_flash' table.txt)" -gt 20 ] || fail "$1: no weights in .ext_flash"
  [ "$(grep -cE ' O \.dtcm' table.txt)" = 2 ] || fail "$1: the arenas"
}
program arm-none-eabi-gcc
check gcc
if clang --version >/dev/null 2>&1; then
  program clang --target=thumbv7em-none-eabi
  check clang
fi
tool validate first.onnx -q --json --target=cortex-m4 --calibrate="$training" "${sections[@]}" --inputs="$images" --limit=2 \
  >validate.json || fail "validate"
tool validate first.onnx -q --json --target=cortex-m4 --calibrate="$training" --inputs="$images" --limit=2 >plain.json
cat >validate.py <<'EOS'
import json
a, b = (json.load(open(name + ".json")) for name in ("validate", "plain"))
assert a["host_target_diff_bytes"] == 0
for key in ("weights", "constants"):
    assert a["flash_measured"][key] == b["flash_measured"][key], (key, a["flash_measured"], b["flash_measured"])
# a section holds all functions of a file or none: what nobody calls stays
code = [v["flash_measured"]["code"] for v in (a, b)]
assert code[1] <= code[0] < 1.3 * code[1], code
assert a["ram_measured"]["arena"] == b["ram_measured"]["arena"]
EOS
"$python" validate.py || fail "validate's sizes"
