/* harness_host.c - the harness where the target is the host itself: in.bin in, out.bin out. */
#include <stdio.h>

#include "harness.h"

static int read_sample(FILE *file) {
  for (const harness_block *input = harness_network.inputs; input->bytes != 0; input++) {
    if (fread(input->data, 1, input->bytes, file) != input->bytes) return 0;
  }
  return 1;
}

int main(void) {
  FILE *in = fopen("in.bin", "rb"), *out = fopen("out.bin", "wb");
  unsigned samples = 0;
  if (in == NULL || out == NULL) return 1;
  for (; read_sample(in); samples++) {
    for (uint32_t n = 0; n < harness_network.arena_count; n++) {
      const harness_arena *arena = &harness_network.arenas[n];
      harness_at[n] = arena->slot;
      for (uint32_t i = 0; i < arena->bytes; i++) arena->slot[i] = (uint8_t)(0xa5 + samples);
    }
    harness_network.run(harness_at[0]);
    for (const harness_block *output = harness_network.outputs; output->bytes != 0; output++) {
      if (fwrite(output->data, 1, output->bytes, out) != output->bytes) return 1;
    }
  }
  if (fclose(out) != 0) return 1;
  if (harness_network.selftest != NULL) {
    printf("@selftest %d\n", (int)harness_network.selftest(harness_network.arenas[0].slot));
  }
  printf("@done %u\n", samples);
  return 0;
}
