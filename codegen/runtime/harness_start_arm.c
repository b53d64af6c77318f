/* harness_start_arm.c - reset, faults, memory protection and semihosting of Armv6-M to Armv8.1-M. */
#include "harness.h"

extern uint32_t _data_image, _data_start, _data_end, _bss_start, _bss_end, _harness_stack_top;
void harness_reset(void);
void harness_on_fault(const uint32_t *frame);

#define REGISTER(address) (*(volatile uint32_t *)(address))
#define CFSR REGISTER(0xE000ED28)
#define MMFAR REGISTER(0xE000ED34)
#define BFAR REGISTER(0xE000ED38)
#define CPACR REGISTER(0xE000ED88)
#define MPU_TYPE REGISTER(0xE000ED90)
#define MPU_RNR REGISTER(0xE000ED98)
#define MPU_RBAR REGISTER(0xE000ED9C)
#define MPU_RASR REGISTER(0xE000EDA0)  /* PMSAv8: RLAR */
#define MPU_MAIR0 REGISTER(0xE000EDC0) /* PMSAv8 */

enum { STACKING_FAILED = 0x1010, MMFAR_VALID = 0x80, BFAR_VALID = 0x8000 }; /* of CFSR */

int32_t harness_semihost(int32_t operation, const void *argument) {
  register int32_t r0 __asm__("r0") = operation;
  register const void *r1 __asm__("r1") = argument;
  __asm__ volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
  return r0;
}

void harness_set_guards(const uint32_t (*guards)[2], uint32_t count) {
  if ((MPU_TYPE >> 8 & 0xff) < count) harness_fail("@error the core has too few memory protection regions\n");
  for (uint32_t i = 0; i < count; i++) {
    MPU_RNR = i;
    MPU_RBAR = guards[i][0];
    MPU_RASR = guards[i][1];
  }
#if __ARM_ARCH >= 8
  MPU_MAIR0 = 0x44; /* normal memory, not cached */
#endif
}

/* r3 goes to MPU_CTRL: 1 is on, without a background map, and off again in the hard fault that a breach raises. The
 * last thing the harness does on its own stack is before that, the next is after. */
__attribute__((naked, section(".call"))) int32_t harness_call(int32_t (*function)(void *), void *arena, void *stack_top,
                                                              uint32_t guarded) {
  (void)function, (void)arena, (void)stack_top, (void)guarded;
  __asm__ volatile(
      "push {r4, r5, r6, lr}\n"
      "mov r4, sp\n"
      "mov sp, r2\n"
      "mov r2, r0\n"
      "mov r0, r1\n"
      "ldr r5, =0xE000ED94\n"
      "dsb\n"
      "str r3, [r5]\n"
      "dsb\n"
      "isb\n"
      "blx r2\n"
      "sub r1, r1, r1\n"
      "str r1, [r5]\n"
      "dsb\n"
      "isb\n"
      "mov sp, r4\n"
      "pop {r4, r5, r6, pc}\n"
      ".ltorg\n");
}

/* frame: r0-r3, r12, lr, pc, xpsr, unless the stack it should lie on was what could not be written. */
void harness_on_fault(const uint32_t *frame) {
  const uint32_t cause = CFSR;
  const uint32_t address = (cause & MMFAR_VALID) != 0 ? MMFAR : (cause & BFAR_VALID) != 0 ? BFAR : 0;
  harness_fault(cause, (cause & STACKING_FAILED) != 0 ? 0 : frame[6], address);
}

__attribute__((naked)) static void fault(void) {
  __asm__ volatile(
      "mrs r0, msp\n"
      "ldr r1, =_harness_stack_top\n"
      "msr msp, r1\n"
      "ldr r2, =harness_on_fault\n"
      "bx r2\n"
      ".ltorg\n");
}

void harness_reset(void) {
#if __ARM_ARCH >= 8 && defined(__ARM_FP)
  CPACR |= 0xFu << 20; /* floating point and vector registers on */
  __asm__ volatile("dsb\n isb" ::: "memory");
#endif
  const uint32_t *from = &_data_image;
  for (uint32_t *to = &_data_start; to < &_data_end;) *to++ = *from++;
  for (uint32_t *to = &_bss_start; to < &_bss_end;) *to++ = 0;
  main();
}

/* Only the hard fault is on: memory, bus and usage faults become one. */
__attribute__((section(".boot.vectors"), used)) static const void *const vectors[16] = {
    &_harness_stack_top, (const void *)harness_reset, (const void *)fault, (const void *)fault,
    (const void *)fault, (const void *)fault,         (const void *)fault, (const void *)fault};
