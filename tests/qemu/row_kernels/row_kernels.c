/* row_kernels.c - on an emulated core: kernels written for its instruction set against the scalar ones, byte for byte,
 * over random shapes, strides, parameters and values. -DVARIANT=dsp or mve, -DROUNDS=n of each op. */
#include <string.h>

#include "harness.h"
#include "o2m_add.h"
#include "o2m_layer_norm.h"
#include "o2m_softmax.h"

#define JOIN2(a, b) a##_##b
#define JOIN(a, b) JOIN2(a, b)
enum { SYS_WRITE0 = 4, SYS_EXIT = 0x18, FEATURES = 300, ROWS = 4, VALUES = 2 * ROWS * FEATURES };
enum { SUCCESS = 0x20026, FAILURE = 0x20023 };

static int16_t a[VALUES], b[VALUES], expected[VALUES + 8], got[VALUES + 8];
static int32_t gain[FEATURES], offset[FEATURES], table[256];

static void stop(const char *text, uint32_t reason) {
  harness_semihost(SYS_WRITE0, text);
  harness_semihost(SYS_EXIT, (const void *)(uintptr_t)reason);
  for (;;) {
  }
}
void harness_fail(const char *text) { stop(text, FAILURE); }
void harness_fault(uint32_t cause, uint32_t pc, uint32_t address) {
  (void)cause, (void)pc, (void)address;
  stop("fault\n", FAILURE);
}

/* Knuth's MMIX generator: 0 .. below - 1 */
static uint32_t random_below(uint32_t below) {
  static uint64_t seed = 1;
  seed = seed * 6364136223846793005u + 1442695040888963407u;
  return (uint32_t)(((seed >> 32) * below) >> 32);
}
static int32_t random_within(int32_t low, int32_t high) {
  return low + (int32_t)random_below((uint32_t)(high - low + 1));
}

/* Values of 1 or 2 bytes: the whole range, its ends, or a small spread around anything; now and then all the same. */
static void fill(int16_t *x, int32_t bytes) {
  const int32_t low = bytes == 1 ? -128 : -32768, high = -low - 1;
  const int32_t spread = (int32_t)(1u << random_below(bytes == 1 ? 9 : 17)) - 1, centre = random_within(low, high);
  const uint32_t ends = random_below(3);
  for (int32_t i = 0; i < VALUES; ++i) {
    int32_t v = o2m_clamp(centre + random_within(-spread / 2, (spread + 1) / 2), low, high);
    if (ends == 0 && random_below(8) == 0) v = random_below(2) ? low : high;
    if (bytes == 1) {
      ((int8_t *)x)[i] = (int8_t)v;
    } else {
      x[i] = (int16_t)v;
    }
  }
}

/* Where a kernel's output goes: a fresh buffer, or over a copy of input a. */
static void prepare(int32_t in_place) {
  if (in_place) {
    memcpy(expected, a, sizeof a);
    memcpy(got, a, sizeof a);
  } else {
    memset(expected, 0x5a, sizeof expected);
    memset(got, 0x5a, sizeof got);
  }
}
static void compare(const char *what) {
  if (memcmp(expected, got, sizeof expected) != 0) stop(what, FAILURE);
}

/* Strides of x and y: dense, with a gap behind each row, or transposed. */
static void strides(int32_t features, int32_t *row, int32_t *column) {
  const uint32_t kind = random_below(6);
  *column = kind == 0 ? ROWS : 1;
  *row = kind == 0 ? 1 : features + (kind == 1 ? (int32_t)random_below(5) : 0);
}

static int32_t random_features(void) { return random_below(2) ? random_within(1, 40) : random_within(1, FEATURES - 8); }

/* t_bits, fraction, shift and gains as infer() would bound them. */
static void random_norm(o2m_layer_norm_params *p, int32_t x_bytes) {
  const int32_t bits = 2 * o2m_bits32((uint32_t)p->features) + 16 * x_bytes; /* of D, at most */
  int32_t root = 0;                                                          /* bits of sqrt(C) */
  while ((1 << 2 * root) <= p->features) ++root;
  p->rms = random_below(4) == 0;
  p->x_zero = p->rms ? random_within(-128, 127) : 0;
  p->fraction = (60 - bits) & ~1;
  p->epsilon = random_below(3) ? (int64_t)1 << random_below(50) : 0;
  p->t_bits = 30 - root;
  p->shift = random_below(8) ? O2M_LAYER_NORM_SHIFT : random_within(4, 12);
  for (int32_t i = 0; i < p->features; ++i) {
    gain[i] = random_within(-(1 << 24), 1 << 24);
    offset[i] = random_within(-(1 << 21), 1 << 21);
  }
}

static void check_layer_norm(int32_t x_bytes) {
  o2m_layer_norm_params p = {.features = random_features(), .gain = gain, .offset = offset};
  const int32_t rows = random_within(1, ROWS), in_place = random_below(4) == 0;
  random_norm(&p, x_bytes);
  strides(p.features, &p.x_row, &p.x_column);
  strides(p.features, &p.y_row, &p.y_column);
  p.y_bytes = random_below(4) ? 1 : 2;
  if (in_place) p.y_bytes = 1, p.x_column = p.y_column = 1, p.x_row = p.y_row = p.features;
  fill(a, x_bytes);
  prepare(in_place);
  const void *const x = in_place ? (void *)expected : (void *)a, *const x2 = in_place ? (void *)got : (void *)a;
  if (x_bytes == 1) {
    o2m_layer_norm_s8(x, expected, rows, &p);
    JOIN(o2m_layer_norm_s8, VARIANT)(x2, got, rows, &p);
    compare("layer_norm_s8\n");
  } else {
    if (in_place) p.y_row = 2 * p.features;
    o2m_layer_norm_s16(x, expected, rows, &p);
    JOIN(o2m_layer_norm_s16, VARIANT)(x2, got, rows, &p);
    compare("layer_norm_s16\n");
  }
}

static void check_softmax(void) {
  o2m_softmax_params p = {.features = random_features(), .y_zero = -128, .multiplier = 1 << 30, .low = table};
  const int32_t rows = random_within(1, ROWS), in_place = random_below(4) == 0;
  const uint32_t factor = 65536 - random_below(1u << random_below(16)); /* exp(-scale) */
  uint32_t e = 1u << 23;
  for (int32_t i = 255; i >= 0; --i, e = (uint32_t)(((uint64_t)e * factor) >> 16)) table[i] = (int32_t)e;
  p.y_bytes = random_below(4) ? 1 : 2;
  p.saturates = random_below(6) == 0;
  p.shift = p.y_bytes == 2 || p.saturates ? 15 : 22;
  if (p.y_bytes == 2) p.y_zero = 0;
  p.most = p.saturates ? INT32_MAX : 8192 * ((p.y_bytes == 1 ? 127 : 32767) - p.y_zero) + 4095;
  strides(p.features, &p.x_row, &p.x_column);
  strides(p.features, &p.y_row, &p.y_column);
  if (in_place) p.y_bytes = 1, p.x_column = p.y_column = 1, p.x_row = p.y_row = p.features;
  fill(a, 1);
  prepare(in_place);
  o2m_softmax_s8(in_place ? (int8_t *)expected : (int8_t *)a, expected, rows, &p);
  JOIN(o2m_softmax_s8, VARIANT)(in_place ? (int8_t *)got : (int8_t *)a, got, rows, &p);
  compare("softmax_s8\n");
}

#ifdef HAS_ADD
typedef void add(const void *, const void *, void *, int32_t, const o2m_add_params *);
#define ADD(name) \
  { (add *)o2m_add_##name, (add *)JOIN(o2m_add_##name, VARIANT) }
static add *const adds[8][2] = {ADD(s8),        ADD(s8_s8_s16),  ADD(s8_s16_s8),  ADD(s8_s16_s16),
                                ADD(s16_s8_s8), ADD(s16_s8_s16), ADD(s16_s16_s8), ADD(s16)};

static void check_add(void) {
  const uint32_t kind = random_below(8);
  const int32_t rows = random_within(1, ROWS);
  o2m_add_params p = {.count = random_features()};
  p.shift = kind & 1 ? random_within(4, 13) : random_within(10, 21);
  p.a_multiplier = random_within(-(1 << 29), 1 << 29) >> (kind & 4 ? 0 : 8);
  p.b_multiplier = random_within(-(1 << 29), 1 << 29) >> (kind & 2 ? 0 : 8);
  p.bias = random_within(-(1 << 28), 1 << 28);
  strides(p.count, &p.a_row, &p.a_step);
  strides(p.count, &p.b_row, &p.b_step);
  strides(p.count, &p.y_row, &p.y_step);
  if (random_below(5) == 0) p.b_row = 0;
  fill(a, kind & 4 ? 2 : 1);
  fill(b, kind & 2 ? 2 : 1);
  prepare(0);
  adds[kind][0](a, b, expected, rows, &p);
  adds[kind][1](a, b, got, rows, &p);
  compare("add\n");
}
#endif

int main(void) {
  for (int32_t i = 0; i < ROUNDS; ++i) {
    check_layer_norm(1);
    check_layer_norm(2);
    check_softmax();
#ifdef HAS_ADD
    check_add();
#endif
  }
  stop("same\n", SUCCESS);
  return 0;
}
