/* Runs NAME_selftest() on an emulated Cortex-M4 (mps2-an386) and ends the emulator with its result, by semihosting. */
#include <stdint.h>

#define JOIN_(a, b) a##b
#define JOIN(a, b) JOIN_(a, b)
int JOIN(NAME, _selftest)(void *arena);

static uint8_t arena[ARENA_BYTES] __attribute__((aligned(16), section(".bss.arena")));
void reset(void);

static void leave(int code) {
  const uint32_t block[2] = {0x20026, (uint32_t)code}; /* ADP_Stopped_ApplicationExit */
  register uint32_t r0 __asm__("r0") = 0x20;           /* SYS_EXIT_EXTENDED */
  register const void *r1 __asm__("r1") = block;
  __asm__ volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
  for (;;) {
  }
}

void reset(void) { leave(JOIN(NAME, _selftest)(arena)); }

static void fault(void) { leave(99); }

__attribute__((section(".vectors"), used)) static const void *const vectors[16] = {
    (const void *)0x20400000, (const void *)reset, (const void *)fault, (const void *)fault,
    (const void *)fault,      (const void *)fault, (const void *)fault};
