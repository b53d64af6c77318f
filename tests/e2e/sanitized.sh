# The generated C under the address and undefined behaviour sanitizers, over 1,000 images: no report, the host's bytes.
. "$(dirname "$0")/lib.sh"

name=$(basename "$model" .onnx)
compiled out --target=host --calibrate="$training"
"$python" "$O2M_SOURCE/tests/e2e/images.py" 1000 >images.raw
# the arena is allocated exactly and aligned as promised, no more; its first contents are anything
cat >main.c <<EOS
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "$name.h"
int main(void) {
  static uint8_t image[${name^^}_INPUT_BYTES];
  static int8_t logits[${name^^}_OUTPUT_COUNT];
  for (int fill = 0; fread(image, sizeof image, 1, stdin) == 1; fill += 37) {
    void *arena = aligned_alloc(16, (${name^^}_ARENA_BYTES + 15) / 16 * 16);
    memset(arena, fill, ${name^^}_ARENA_BYTES);
    ${name}_run(arena, image, logits);
    fwrite(logits, sizeof logits, 1, stdout);
    free(arena);
  }
  return 0;
}
EOS
for level in -O1 -O3; do
  gcc-12 -std=c11 $level -g -fsanitize=address,undefined -fno-sanitize-recover=all -I out main.c out/*.c -o program
  ./program <images.raw >target$level.raw 2>errors.txt || fail "$level: $(head -n 5 errors.txt)"
  [ "$(stat -c %s target$level.raw)" = 10000 ] || fail "1,000 times ten logits"
done
cmp target-O1.raw target-O3.raw
tool run "$model" -q --target=host --calibrate="$training" --inputs=images.npy -o host.npz >/dev/null
"$python" -c 'import numpy as np; np.load("host.npz")["output_q"].astype(np.int8).tofile("host.raw")'
cmp host.raw target-O3.raw || fail "host and generated C differ"
