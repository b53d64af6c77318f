/* harness_main.c - feeds every sample of in.bin through the network and appends its outputs to out.bin. */
#include "harness.h"

extern uint32_t _stack_bottom, _stack_top; /* board.ld: what is left of RAM */

enum { SYS_OPEN = 1, SYS_WRITE0 = 4, SYS_WRITE = 5, SYS_READ = 6, SYS_EXIT = 0x18 };
enum { PAINT = 0x5ca1ab1e };

static void put(const char *text) { harness_semihost(SYS_WRITE0, text); }

static void put_number(const char *name, uint32_t value, const char *end) {
  char digits[11];
  int at = 10;
  digits[at] = 0;
  do digits[--at] = (char)('0' + value % 10);
  while ((value /= 10) > 0);
  put(name);
  put(digits + at);
  put(end);
}

static void stop(uint32_t reason) {
  harness_semihost(SYS_EXIT, (const void *)(uintptr_t)reason);
  for (;;) {
  }
}

static void fail(const char *text) {
  put(text);
  stop(0x20023); /* ADP_Stopped_RunTimeErrorUnknown */
}

void harness_fault(uint32_t cause, uint32_t pc) {
  put_number("@fault ", cause, " ");
  put_number("", pc, "\n");
  stop(0x20023);
}

static int32_t open_file(const char *name, uint32_t length, uint32_t mode) {
  const uint32_t argument[3] = {(uint32_t)(uintptr_t)name, mode, length};
  const int32_t file = harness_semihost(SYS_OPEN, argument);
  if (file < 0) fail("@error cannot open a file of the harness\n");
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
    if (transfer(SYS_WRITE, file, output->data, output->bytes) != 0) fail("@error cannot write out.bin\n");
  }
}

/* Bytes of the network's stack that no longer hold the paint. */
static uint32_t stack_used(void) {
  const uint32_t *word = &_stack_bottom;
  while (word < &_stack_top && *word == PAINT) word++;
  return (uint32_t)(&_stack_top - word) * 4;
}

static void poison(uint8_t value) {
  for (uint32_t i = 0; i < harness_network.arena_bytes; i++) harness_network.arena[i] = value;
  for (const harness_block *output = harness_network.outputs; output->bytes != 0; output++) {
    for (uint32_t i = 0; i < output->bytes; i++) ((uint8_t *)output->data)[i] = value;
  }
}

int main(void) {
  const int32_t in = open_file("in.bin", 6, 1), out = open_file("out.bin", 7, 5); /* "rb", "wb" */
  uint32_t samples = 0;
  for (uint32_t *word = &_stack_bottom; word < &_stack_top; word++) *word = PAINT;
  for (; read_sample(in); samples++) {
    poison((uint8_t)(0xa5 + samples));
    harness_on_stack(harness_network.run, &_stack_top);
    write_outputs(out);
  }
  put_number("@stack ", stack_used(), "\n");
  if (harness_network.selftest != 0) {
    harness_on_stack(harness_network.selftest, &_stack_top);
    put_number("@selftest ", (uint32_t)*harness_network.selftest_result, "\n");
  }
  put_number("@done ", samples, "\n");
  stop(0x20026); /* ADP_Stopped_ApplicationExit */
  return 0;
}
