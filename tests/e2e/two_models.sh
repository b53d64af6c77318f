# Two models in one program, each run by two threads at once on arenas of their own: the bytes of each alone.
. "$(dirname "$0")/lib.sh"

count=200
"$python" "$O2M_SOURCE/tests/e2e/images.py" $count >images.raw
cp "$model" first.onnx
cp "$model" second.onnx
tool first.onnx -q --target=host --calibrate="$training" -o first >/dev/null
tool second.onnx -q --target=host --calibrate=images.npy --rows=3 --residual=s8 -o second >/dev/null
tool run first.onnx -q --target=host --calibrate="$training" --inputs=images.npy -o first.npz >/dev/null
tool run second.onnx -q --target=host --calibrate=images.npy --rows=3 --residual=s8 --inputs=images.npy -o second.npz \
  >/dev/null
cat >main.c <<EOS
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include "first.h"
#include "second.h"
static uint8_t images[$count][FIRST_INPUT_BYTES];
static int8_t logits[4][$count][FIRST_OUTPUT_COUNT];
static void *work(void *argument) {
  const long id = (long)argument;
  void *arena = aligned_alloc(16, 1 << 20);
  for (int n = 0; n < $count; n++) (id % 2 ? second_run : first_run)(arena, images[n], logits[id][n]);
  free(arena);
  return NULL;
}
int main(void) {
  pthread_t threads[4];
  if (fread(images, sizeof images, 1, stdin) != 1) return 1;
  for (long id = 0; id < 4; id++) pthread_create(&threads[id], NULL, work, (void *)id);
  for (int id = 0; id < 4; id++) pthread_join(threads[id], NULL);
  return fwrite(logits, sizeof logits, 1, stdout) != 1;
}
EOS
for folder in first second; do (cd $folder && gcc-12 -O2 -c ./*.c); done  # each has its own o2m_sym.h
gcc-12 -O2 -pthread -I first -I second main.c first/*.o second/*.o -o program || fail "they do not link"
./program <images.raw >logits.raw
"$python" - $count <<'EOS'
import sys
import numpy as np
logits = np.fromfile("logits.raw", np.int8).reshape(4, int(sys.argv[1]), 10)
first, second = (np.load(f"{name}.npz")["output_q"].reshape(-1, 10) for name in ("first", "second"))
assert (first != second).any(), "the two models are one: the test says nothing"
for thread, expected in enumerate((first, second, first, second)):
    assert (logits[thread] == expected).all(), f"thread {thread} differs"
EOS
