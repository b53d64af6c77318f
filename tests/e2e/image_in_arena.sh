# --image-in-arena: the caller writes the image into the arena, where it is overwritten; the same bytes on the host, under
# the sanitizers and on the emulated Cortex-M4, in less RAM than arena and image apart.
. "$(dirname "$0")/lib.sh"

name=$(basename "$model" .onnx)
compiled apart --target=host --calibrate="$training" --selftest
compiled out --target=host --calibrate="$training" --selftest --image-in-arena --example
grep -qE "^void ${name}_run\(void \*arena, int8_t \*output\);" "out/$name.h" || fail "NAME_run still takes an image"
bytes() { sed -nE "s/^#define ${name^^}_ARENA_BYTES ([0-9]+).*/\1/p" "$1/$name.h"; }
[ "$(bytes out)" -lt $(($(bytes apart) + 784)) ] || fail "$(bytes out) B are no less than $(bytes apart) B and the image"
[ -z "$(grep -o "_push_rows" "out/$name.h")" ] || fail "an image in the arena cannot come in rows"
diff <(sed -n '/case0_output0/,/;/p' "apart/${name}_selftest.c") <(sed -n '/case0_output0/,/;/p' "out/${name}_selftest.c") ||
  fail "other golden outputs"
cat >check.c <<EOS
#include <stdlib.h>
#include "$name.h"
int main(void) {
  void *arena = aligned_alloc(16, (${name^^}_ARENA_BYTES + 15) / 16 * 16);
  const int result = ${name}_selftest(arena);
  free(arena);
  return result;
}
EOS
gcc-12 -std=c11 -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all -I out check.c $(ls out/*.c | grep -v main.c) \
  -o check
./check || fail "the selftest says $?"
gcc-12 -std=c11 -O1 -I out out/*.c -o example
head -c 784 "out/$name.c" | ./example >example.txt || fail "the example"
[ "$(wc -l <example.txt)" = 10 ] || fail "ten logits"
for target in host cortex-m4; do
  tool validate "$model" -q --json --target=$target --image-in-arena --calibrate="$training" --inputs="$images" --limit=4 \
    >validate.json || fail "validate on $target"
  "$python" -c 'import json; v = json.load(open("validate.json")); assert v["host_target_diff_bytes"] == 0, v' || fail "$target"
done
