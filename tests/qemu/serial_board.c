/* The UART and the start-up of an emulated mps2-an386 (Cortex-M4, Arm DAI0386), for the program of --example=serial. */
#include <stdint.h>

#define REGISTER(address) (*(volatile uint32_t *)(address))
#define UART_DATA REGISTER(0x40004000)
#define UART_STATE REGISTER(0x40004004) /* 0: the byte to send is not yet gone; 1: one has come */
#define UART_CONTROL REGISTER(0x40004008)
#define UART_DIVIDER REGISTER(0x40004010)
#define TICK_CONTROL REGISTER(0xE000E010)
#define TICK_RELOAD REGISTER(0xE000E014)
#define TICK_VALUE REGISTER(0xE000E018)

int uart_getc(void);
void uart_putc(int byte);
uint32_t cycle_count(void);
int main(void);
void reset(void);
extern uint32_t bss_start, bss_end;

int uart_getc(void) {
  while ((UART_STATE & 2u) == 0) {
  }
  return (int)(UART_DATA & 0xffu);
}

void uart_putc(int byte) {
  while ((UART_STATE & 1u) != 0) {
  }
  UART_DATA = (uint32_t)byte;
}

uint32_t cycle_count(void) { return 0u - TICK_VALUE; } /* of 24 bits: good for a test */

void reset(void) {
  for (uint32_t *word = &bss_start; word < &bss_end; ++word) *word = 0;
  UART_DIVIDER = 16;
  UART_CONTROL = 3;
  TICK_RELOAD = 0xffffff;
  TICK_CONTROL = 5;
  main();
  for (;;) {
  }
}

__attribute__((section(".vectors"), used)) static const void *const vectors[16] = {(const void *)0x20400000,
                                                                                   (const void *)reset};
