/* harness_main.c - feeds every sample of in.bin through the network and appends its outputs to out.bin. */
#include "harness.h"

extern uint32_t _stack_bottom, _stack_top; /* board.ld: what is left of RAM */

enum { SYS_OPEN = 1, SYS_WRITE0 = 4, SYS_WRITE = 5, SYS_READ = 6, SYS_EXIT = 0x18 };
enum { PAINT = 0x5ca1ab1e };
#ifndef HARNESS_EXACT_SAMPLES
#define HARNESS_EXACT_SAMPLES 2 /* the arena lies at either end of its slot once */
#endif

static void put(const char *text) { harness_semihost(SYS_WRITE0, text); }

static void put_number(const char *name, uint32_t value, uint32_t base, const char *end) {
  char digits[11];
  int at = 10;
  digits[at] = 0;
  do digits[--at] = "0123456789abcdef"[value % base];
  while ((value /= base) > 0);
  put(name);
  put(digits + at);
  put(end);
}

static void stop(uint32_t reason) {
  harness_semihost(SYS_EXIT, (const void *)(uintptr_t)reason);
  for (;;) {
  }
}

void harness_fail(const char *text) {
  put(text);
  stop(0x20023); /* ADP_Stopped_RunTimeErrorUnknown */
}

static void put_arenas(void) {
  for (uint32_t n = 0; n < harness_network.arena_count; n++) {
    put_number(" ", (uint32_t)(uintptr_t)harness_at[n], 10, "");
  }
  put("\n");
}

void harness_fault(uint32_t cause, uint32_t pc, uint32_t address) {
  put_number("fault: cause 0x", cause, 16, "");
  put_number(", pc 0x", pc, 16, "");
  put_number(", address 0x", address, 16, "");
  put_number(", arena 0x", (uint32_t)(uintptr_t)harness_at[0], 16, "\n");
  put_number("@fault ", cause, 10, " ");
  put_number("", pc, 10, " ");
  put_number("", address, 10, "");
  put_arenas();
  stop(0x20023);
}

static int32_t open_file(const char *name, uint32_t length, uint32_t mode) {
  const uint32_t argument[3] = {(uint32_t)(uintptr_t)name, mode, length};
  const int32_t file = harness_semihost(SYS_OPEN, argument);
  if (file < 0) harness_fail("@error cannot open a file of the harness\n");
  return file;
}

/* Bytes that could not be transferred. */
static uint32_t transfer(int32_t operation, int32_t file, void *data, uint32_t bytes) {
  const uint32_t argument[3] = {(uint32_t)file, (uint32_t)(uintptr_t)data, bytes};
  return (uint32_t)harness_semihost(operation, argument);
}

static int read_sample(int32_t file) {
  for (const harness_block *input = harness_network.inputs; input->bytes != 0; input++) {
    if (transfer(SYS_READ, file, input->data, input->bytes) != 0) return 0;
  }
  return 1;
}

static void write_outputs(int32_t file) {
  for (const harness_block *output = harness_network.outputs; output->bytes != 0; output++) {
    if (transfer(SYS_WRITE, file, output->data, output->bytes) != 0) harness_fail("@error cannot write out.bin\n");
  }
}

/* Bytes of the network's stack that no longer hold the paint. */
static uint32_t stack_used(void) {
  const uint32_t *word = &_stack_bottom;
  while (word < &_stack_top && *word == PAINT) word++;
  return (uint32_t)(&_stack_top - word) * 4;
}

static void poison(uint8_t value) {
  for (uint32_t n = 0; n < harness_network.arena_count; n++) {
    for (uint32_t i = 0; i < harness_network.arenas[n].bytes; i++) harness_at[n][i] = value;
  }
  for (const harness_block *output = harness_network.outputs; output->bytes != 0; output++) {
    for (uint32_t i = 0; i < output->bytes; i++) ((uint8_t *)output->data)[i] = value;
  }
}

/* Memory that the guards are too coarse for: a pattern that differs from byte to byte. */
static uint8_t pattern_of(const uint8_t *byte) {
  return (uint8_t)(((uint32_t)(uintptr_t)byte * 0x9e3779b1u) >> 24 | 1);
}

static void paint_or_check(uint8_t *data, uint32_t bytes, int check) {
  for (uint32_t i = 0; i < bytes; i++) {
    if (!check) {
      data[i] = pattern_of(data + i);
    } else if (data[i] != pattern_of(data + i)) {
      put_number("@stray ", (uint32_t)(uintptr_t)(data + i), 10, "");
      put_arenas();
      stop(0x20023);
    }
  }
}

static void all_painted(int check) {
  for (const harness_block *block = harness_network.painted; block->bytes != 0; block++) {
    paint_or_check(block->data, block->bytes, check);
  }
  for (uint32_t n = 0; n < harness_network.arena_count; n++) {
    const harness_arena *arena = &harness_network.arenas[n];
    for (const harness_gap *gap = arena->unused; gap->bytes != 0; gap++) {
      paint_or_check(harness_at[n] + gap->offset, gap->bytes, check);
    }
    uint8_t *slot = arena->slot, *end = harness_at[n] + arena->bytes;
    paint_or_check(slot, (uint32_t)(harness_at[n] - slot), check);
    paint_or_check(end, (uint32_t)(slot + arena->slot_bytes - end), check);
  }
}

/* Samples lie at the slot's start and at its end in turn, so that either end meets its guard. */
static void place_arenas(uint32_t sample) {
  for (uint32_t n = 0; n < harness_network.arena_count; n++) {
    const harness_arena *arena = &harness_network.arenas[n];
    const uint32_t rounded = (arena->bytes + 15u) & ~15u;
    harness_at[n] = arena->slot + (sample % 2 == 0 ? 0 : arena->slot_bytes - rounded);
  }
}

static int32_t call(int32_t (*function)(void *), int exact) {
  harness_set_guards(exact ? harness_network.guards : harness_network.page_guards, harness_network.guard_count);
  all_painted(0);
  const int32_t result = harness_call(function, harness_at[0], &_stack_top, harness_network.guard_count > 0);
  all_painted(1);
  return result;
}

int main(void) {
  const int32_t in = open_file("in.bin", 6, 1), out = open_file("out.bin", 7, 5); /* "rb", "wb" */
  uint32_t samples = 0;
  for (uint32_t *word = &_stack_bottom; word < &_stack_top; word++) *word = PAINT;
  for (; read_sample(in); samples++) {
    place_arenas(samples);
    poison((uint8_t)(0xa5 + samples));
    call(harness_network.run, (int32_t)samples < HARNESS_EXACT_SAMPLES);
    write_outputs(out);
  }
  put_number("@stack ", stack_used(), 10, "\n");
  if (harness_network.selftest != 0) {
    place_arenas(0);
    put_number("@selftest ", (uint32_t)call(harness_network.selftest, 1), 10, "\n");
  }
  put_number("@done ", samples, 10, "\n");
  stop(0x20026); /* ADP_Stopped_ApplicationExit */
  return 0;
}
