// uart.c - the serial port of a program that an operating system runs: its standard input and output. On a board, give
// functions for its UART instead: cmake -DUART=my_uart.c
#include <stdio.h>

int uart_getc(void);
void uart_putc(int byte);

int uart_getc(void) {
  fflush(stdout);
  return getchar();
}

void uart_putc(int byte) { putchar(byte); }
