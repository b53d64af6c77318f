/* harness.h - what runs around the network on an emulated board. The harness lives in memory that the board does not
 * have (BOOT, HARNESS, CALL, INPUTS and OUTPUTS of board.ld), so that every byte in FLASH and RAM is the network's.
 * While the network runs it can touch nothing else, on cores with memory protection: the guards say what. */
#ifndef HARNESS_H_
#define HARNESS_H_
#include <stdint.h>

typedef struct harness_gap { /* of the arena */
  uint32_t offset, bytes;
} harness_gap;

typedef struct harness_arena {
  uint8_t *slot;
  uint32_t bytes, slot_bytes; /* slot: the arena's memory, rounded up to the grain of the guards */
  const harness_gap *unused;  /* of the arena; ends with bytes 0 */
} harness_arena;
enum { HARNESS_ARENAS = 4 }; /* at most */

typedef struct harness_block {
  void *data;
  uint32_t bytes;
} harness_block;

/* harness_model.c, generated: the network, its arenas in RAM, its operands, and what it may touch. */
typedef struct harness_model {
  const harness_arena *arenas;
  uint32_t arena_count;
  const harness_block *inputs, *outputs, *painted; /* each list ends with bytes 0 */
  /* Register values, see codegen/guards.h: exact, and for all but the first samples rounded up to the emulator's pages,
   * which it is many times faster with. What they allow beyond the network's memory is painted. */
  const uint32_t (*guards)[2], (*page_guards)[2];
  uint32_t guard_count;             /* of either */
  int32_t (*run)(void *arena);      /* one NAME_run on these operands and harness_at, between the two markers */
  int32_t (*selftest)(void *arena); /* NULL if absent */
} harness_model;
extern const harness_model harness_network;
extern uint8_t *harness_at[HARNESS_ARENAS]; /* where the arenas lie now; the first is handed over as well */

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
#if defined(__riscv) || defined(__arm__)
#define HARNESS_IN(name) __attribute__((aligned(16), section(name)))
#define HARNESS_CALL __attribute__((section(".call"), noinline))
#define HARNESS_CALL_DATA __attribute__((section(".call_data"))) /* can be read while the guards are up */
#else
#define HARNESS_IN(name) __attribute__((aligned(16)))
#define HARNESS_CALL
#define HARNESS_CALL_DATA
#endif

/* harness_start_arm.c, harness_start_riscv.S */
int32_t harness_semihost(int32_t operation, const void *argument);
void harness_set_guards(const uint32_t (*guards)[2], uint32_t count);
/* function(arena) on another stack, guarded if `guarded` is 1. */
int32_t harness_call(int32_t (*function)(void *), void *arena, void *stack_top, uint32_t guarded);
/* Never returns. cause: CFSR or mcause; address: of the data, 0 where unknown. */
void harness_fault(uint32_t cause, uint32_t pc, uint32_t address);
void harness_fail(const char *text);
int main(void);
#endif
