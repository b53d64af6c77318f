/* harness_start_arm.c - reset, faults and semihosting of Armv6-M to Armv8.1-M. */
#include "harness.h"

extern uint32_t _data_image, _data_start, _data_end, _bss_start, _bss_end, _harness_stack_top;
void harness_reset(void);
void harness_on_fault(const uint32_t *frame, uint32_t number);

int32_t harness_semihost(int32_t operation, const void *argument) {
  register int32_t r0 __asm__("r0") = operation;
  register const void *r1 __asm__("r1") = argument;
  __asm__ volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
  return r0;
}

__attribute__((naked)) void harness_on_stack(void (*function)(void), void *stack_top) {
  (void)function;
  (void)stack_top;
  __asm__ volatile(
      "push {r4, lr}\n"
      "mov r4, sp\n"
      "mov sp, r1\n"
      "blx r0\n"
      "mov sp, r4\n"
      "pop {r4, pc}\n");
}

/* frame: r0-r3, r12, lr, pc, xpsr. Where the stack itself is gone, entering the fault ends in lockup, which the
 * emulator reports and ends with a failure. */
void harness_on_fault(const uint32_t *frame, uint32_t number) { harness_fault(number, frame[6]); }

__attribute__((naked)) static void fault(void) {
  __asm__ volatile(
      "mrs r0, msp\n"
      "mrs r1, ipsr\n"
      "ldr r2, =harness_on_fault\n"
      "bx r2\n"
      ".ltorg\n");
}

void harness_reset(void) {
#if __ARM_ARCH >= 8 && defined(__ARM_FP)
  *(volatile uint32_t *)0xE000ED88 |= 0xFu << 20; /* CPACR: floating point and vector registers on */
  __asm__ volatile("dsb\n isb" ::: "memory");
#endif
  const uint32_t *from = &_data_image;
  for (uint32_t *to = &_data_start; to < &_data_end;) *to++ = *from++;
  for (uint32_t *to = &_bss_start; to < &_bss_end;) *to++ = 0;
  main();
}

__attribute__((section(".boot.vectors"), used)) static const void *const vectors[16] = {
    &_harness_stack_top, (const void *)harness_reset, (const void *)fault, (const void *)fault,
    (const void *)fault, (const void *)fault,         (const void *)fault, (const void *)fault};
