/* libc.c - the four functions that generated code and compilers may call; they count as the network's code. */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef uint32_t word __attribute__((may_alias));

static int aligned(const void *a, const void *b) { return (((uintptr_t)a | (uintptr_t)b) & 3) == 0; }

void *memcpy(void *restrict to, const void *restrict from, size_t n) {
  uint8_t *d = to;
  const uint8_t *s = from;
  if (aligned(d, s)) {
    for (; n >= 4; n -= 4, d += 4, s += 4) *(word *)(void *)d = *(const word *)(const void *)s;
  }
  while (n-- > 0) *d++ = *s++;
  return to;
}

void *memmove(void *to, const void *from, size_t n) {
  uint8_t *d = to;
  const uint8_t *s = from;
  if ((uintptr_t)d <= (uintptr_t)s) {
    while (n-- > 0) *d++ = *s++;
  } else {
    while (n-- > 0) d[n] = s[n];
  }
  return to;
}

void *memset(void *to, int value, size_t n) {
  uint8_t *d = to;
  const uint32_t byte = (uint8_t)value;
  if (aligned(d, d)) {
    for (; n >= 4; n -= 4, d += 4) *(word *)(void *)d = byte * 0x01010101u;
  }
  while (n-- > 0) *d++ = (uint8_t)byte;
  return to;
}

int memcmp(const void *a, const void *b, size_t n) {
  const uint8_t *x = a, *y = b;
  for (; n > 0; n--, x++, y++) {
    if (*x != *y) return *x - *y;
  }
  return 0;
}
