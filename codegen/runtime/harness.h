/* harness.h - what runs around the network on an emulated board. The harness lives in memory that the board does not
 * have (BOOT and HARNESS of board.ld), so that every byte in FLASH and RAM is the network's. */
#ifndef HARNESS_H_
#define HARNESS_H_
#include <stdint.h>

typedef struct harness_block {
  void *data;
  uint32_t bytes;
} harness_block;

/* harness_model.c, generated: the network, its arena in RAM and its operands in HARNESS. */
typedef struct harness_model {
  uint8_t *arena;
  uint32_t arena_bytes;
  const harness_block *inputs, *outputs; /* each list ends with bytes 0 */
  void (*run)(void);                     /* one NAME_run on these operands, between the two markers */
  void (*selftest)(void);                /* NULL if absent; leaves its result in *selftest_result */
  int *selftest_result;
} harness_model;
extern const harness_model harness_network;

/* Instructions that do nothing, which the counting plugin of the emulator knows. */
#if defined(__riscv)
#define HARNESS_BEGIN() __asm__ volatile("slti x0, x0, 1" ::: "memory")
#define HARNESS_END() __asm__ volatile("slti x0, x0, 2" ::: "memory")
#elif defined(__arm__)
#define HARNESS_BEGIN() __asm__ volatile("yield" ::: "memory")
#define HARNESS_END() __asm__ volatile("wfe" ::: "memory")
#else
#define HARNESS_BEGIN() ((void)0)
#define HARNESS_END() ((void)0)
#endif
#define HARNESS_MEMORY __attribute__((aligned(16), section(".harness")))
#define HARNESS_ARENA __attribute__((aligned(16), section(".arena")))

/* start_arm.c, start_riscv.S */
int32_t harness_semihost(int32_t operation, const void *argument);
void harness_on_stack(void (*function)(void), void *stack_top); /* calls it on another stack */
void harness_fault(uint32_t cause, uint32_t pc);                /* never returns */
int main(void);
#endif
