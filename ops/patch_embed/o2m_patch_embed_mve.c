/* o2m_patch_embed_mve.c - patch embedding on cores with Helium (Cortex-M55): two patches by four outputs, 16 pixels at
 * a time. Pixels of u8 are multiplied as x - 128, which the bias makes up for. Where the compiler is not given such a
 * core, plain C gives the same bytes. */
#include "o2m_patch_embed.h"

enum { BLOCK = 16 };

typedef struct pair { /* of patches, side by side; `count` is 2 or 1 */
  const uint8_t *x;
  int32_t count, y_at;
  int32_t *acc;      /* [ceil(outputs / 4)][2 patches][4] */
  int8_t *pixels[2]; /* of a piece, [h][w][C], then zeros up to whole blocks; a patch alone is taken twice */
} pair;

/* One piece of two patches by all outputs. Offsets are the assembly's. */
typedef struct piece {
  const int8_t *pixels[2]; /*  0 */
  const int8_t *weights;   /*  8 */
  int32_t vectors;         /* 12: blocks of 16 pixels */
  int32_t back;            /* 16: from the end of these in a group of weights to the next group */
  int32_t *acc;            /* 20 */
  int32_t groups;          /* 24: of four outputs */
} piece;

static int32_t round_up(int32_t x) { return (x + BLOCK - 1) / BLOCK * BLOCK; }

static void add_plainly(const piece *a) {
  const int8_t *w = a->weights;
  int32_t *acc = a->acc;
  for (int32_t g = 0; g < a->groups; ++g, acc += 8, w += a->back) {
    for (int32_t k = 0; k < BLOCK * a->vectors; k += 4, w += 16) {
      for (int32_t i = 0; i < 32; ++i)
        acc[i / 4 % 2 * 4 + i % 4] += a->pixels[i / 4 % 2][k + i / 8] * w[4 * (i % 4) + i / 8];
    }
  }
}

/* The outputs of a patch from `first` on, from their sums. */
static void store_plainly(const int32_t *acc, void *y, int32_t at, int32_t first, const o2m_patch_embed_params *p) {
  for (int32_t o = first; o < p->outputs; ++o) {
    o2m_patch_embed_store(p, y, at + o * p->y_channel, o, acc[8 * (o / 4) + o % 4]);
  }
}

#if defined(__ARM_FEATURE_MVE) && defined(__thumb2__)
#include <arm_mve.h>

#define NOINLINE __attribute__((noinline)) /* GCC runs out of registers otherwise */

/* Column by column of the piece, four at a time. */
static NOINLINE void lay_piece(const uint8_t *x, int8_t *to, int32_t h, int32_t w, const o2m_patch_embed_params *p) {
  const int32_t channels = p->channels, column = p->x_column, row = p->x_row, bytes = w * channels;
  const uint32x4_t from = vmulq_n_u32(vidupq_n_u32(0, 1), (uint32_t)column);
  const uint32x4_t apart = vmulq_n_u32(vidupq_n_u32(0, 1), (uint32_t)channels);
  const uint32_t flip = p->x_signed ? 0 : 128;
  vstrbq_s8(to + round_up(h * bytes) - BLOCK, vdupq_n_s8(0));
  for (int32_t c = 0; c < channels; ++c, x += p->x_channel) {
    const uint8_t *left = x;
    uint8_t *out_left = (uint8_t *)to + c;
    int32_t columns = w;
    for (; columns >= 4; columns -= 4, left += 4 * column, out_left += 4 * channels) {
      const uint8_t *in = left;
      uint8_t *out = out_left;
      for (int32_t i = 0; i < h; ++i, in += row, out += bytes) {
        vstrbq_scatter_offset_u32(out, apart, veorq_u32(vldrbq_gather_offset_u32(in, from), vdupq_n_u32(flip)));
      }
    }
    for (; columns > 0; --columns, left += column, out_left += channels) {
      for (int32_t i = 0; i < h; ++i) out_left[i * bytes] = (uint8_t)(left[i * row] ^ flip);
    }
  }
}

/* 128 products: a block of both patches (r1, r3) by four outputs (r5) */
#define PRODUCTS(mladav)                 \
  "  vldrb.8 q4, [r1], #16\n"            \
  "  vldrb.8 q5, [r3], #16\n"            \
  "  vld40.32 {q0, q1, q2, q3}, [r5]\n"  \
  "  vld41.32 {q0, q1, q2, q3}, [r5]\n"  \
  "  vld42.32 {q0, q1, q2, q3}, [r5]\n"  \
  "  vld43.32 {q0, q1, q2, q3}, [r5]!\n" \
  "  " mladav                            \
  ".s8 r0, q4, q0\n"                     \
  "  " mladav                            \
  ".s8 r8, q5, q0\n"                     \
  "  " mladav                            \
  ".s8 r2, q4, q1\n"                     \
  "  " mladav                            \
  ".s8 r10, q5, q1\n"                    \
  "  " mladav                            \
  ".s8 r4, q4, q2\n"                     \
  "  " mladav                            \
  ".s8 r12, q5, q2\n"                    \
  "  " mladav                            \
  ".s8 r6, q4, q3\n"                     \
  "  " mladav ".s8 lr, q5, q3\n"

#ifdef __clang__
#define NAKED __attribute__((naked, noinline))
#else
#define NAKED __attribute__((naked, noipa)) /* no clones: the parameter is in r0 */
#endif
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-parameter"
/* r0 r2 r4 r6: sums of patch 0, r8 r10 r12 lr: of patch 1; r7 acc, r9 blocks left, r11 groups left */
NAKED static void add_tiles(const piece *a) {
  __asm__ volatile(
      "push {r0, r4-r11, lr}\n"
      "vpush {d8-d11}\n"
      "ldr r5, [r0, #8]\n"
      "ldrd r7, r11, [r0, #20]\n"
      "1:\n"
      "  ldr r9, [sp, #32]\n"
      "  ldrd r1, r3, [r9]\n"
      "  ldr r9, [r9, #12]\n" PRODUCTS("vmladav")
      "  subs r9, #1\n"
      "  beq 3f\n"
      "2:\n" PRODUCTS("vmladava")
      "  subs r9, #1\n"
      "  bne 2b\n"
      "3:\n"
      "  ldr r1, [sp, #32]\n"
      "  ldr r1, [r1, #16]\n"
      "  add r5, r1\n"
      "  vmov q0[2], q0[0], r0, r4\n"
      "  vmov q0[3], q0[1], r2, r6\n"
      "  vmov q1[2], q1[0], r8, r12\n"
      "  vmov q1[3], q1[1], r10, lr\n"
      "  vldrw.32 q2, [r7]\n"
      "  vldrw.32 q3, [r7, #16]\n"
      "  vadd.i32 q0, q0, q2\n"
      "  vadd.i32 q1, q1, q3\n"
      "  vstrw.32 q0, [r7], #16\n"
      "  vstrw.32 q1, [r7], #16\n"
      "  subs r11, #1\n"
      "  bne.w 1b\n"
      "vpop {d8-d11}\n"
      "pop {r0, r4-r11, pc}\n");
}
#pragma GCC diagnostic pop

static void add_piece(const piece *a) {
  if (((uintptr_t)a->weights & 3) == 0) { /* VLD4 wants whole words */
    add_tiles(a);
  } else {
    add_plainly(a);
  }
}

/* Whether |acc| stays below 2^(shift - 1): one rounding multiplication does then. */
static int32_t is_direct(const o2m_patch_embed_params *p) {
  const int64_t most = (int64_t)255 * 127 * p->kernel_h * p->kernel_w * p->channels + (1 << 26);
  return p->shift <= 31 && most < (int64_t)1 << (p->shift - 1);
}

static inline int32x4_t within(int32x4_t q, int32_t low, int32_t high) {
  return vmaxq_s32(vminq_s32(q, vdupq_n_s32(high)), vdupq_n_s32(low));
}

static NOINLINE void store(const int32_t *acc, void *y, int32_t at, const o2m_patch_embed_params *p) {
  const uint32x4_t apart = vmulq_n_u32(vidupq_n_u32(0, 1), (uint32_t)(p->y_channel * p->y_bytes));
  const int32_t up = 31 - p->shift, zero = p->y_zero, step = 4 * p->y_channel * p->y_bytes, bytes = p->y_bytes;
  const int32_t whole = is_direct(p) ? p->outputs & ~3 : 0;
  const int32_t *multiplier = p->multiplier, *sums = acc;
  const int8_t *const table = p->table;
  int8_t *to = (int8_t *)y + at * bytes;
  for (int32_t left = whole; left > 0; left -= 4, sums += 8, multiplier += 4, to += step) {
    const int32x4_t shifted = vshlq_r_s32(vldrwq_s32(sums), up);
    const int32x4_t q = vaddq_n_s32(vqrdmulhq_s32(shifted, vldrwq_s32(multiplier)), zero);
    if (bytes == 2) {
      vstrhq_scatter_offset_s32((int16_t *)(void *)to, apart, within(q, -32768, 32767));
    } else if (table) {
      const uint32x4_t index = vreinterpretq_u32_s32(vaddq_n_s32(within(q, -128, 127), 128));
      vstrbq_scatter_offset_s32(to, apart, vldrbq_gather_offset_s32(table, index));
    } else {
      vstrbq_scatter_offset_s32(to, apart, within(q, -128, 127));
    }
  }
  store_plainly(acc, y, at, whole, p);
}

static NOINLINE void start_sums(int32_t *acc, const int32_t *bias, int32_t outputs) {
  for (; outputs > 0; outputs -= 4, acc += 8, bias += 4) {
    const int32x4_t four = vldrwq_z_s32(bias, vctp32q((uint32_t)outputs));
    vstrwq_s32(acc, four);
    vstrwq_s32(acc + 4, four);
  }
}

#else

static void lay_piece(const uint8_t *x, int8_t *to, int32_t h, int32_t w, const o2m_patch_embed_params *p) {
  const int32_t flip = p->x_signed ? 0 : 128, depth = h * w * p->channels;
  for (int32_t k = 0; k < round_up(depth); ++k) {
    const int32_t pixel = k / p->channels, channel = k % p->channels;
    to[k] = 0;
    if (k >= depth) continue;
    to[k] = (int8_t)(x[pixel / w * p->x_row + pixel % w * p->x_column + channel * p->x_channel] ^ flip);
  }
}
static void add_piece(const piece *a) { add_plainly(a); }
static void store(const int32_t *acc, void *y, int32_t at, const o2m_patch_embed_params *p) {
  store_plainly(acc, y, at, 0, p);
}

static void start_sums(int32_t *acc, const int32_t *bias, int32_t outputs) {
  for (int32_t o = 0; o < ((outputs + 3) & ~3); ++o) {
    int32_t *const at = acc + 8 * (o / 4) + o % 4;
    at[0] = at[4] = o < outputs ? bias[o] : 0;
  }
}

#endif

static void sum_pieces(const pair *a, const o2m_patch_embed_params *p) {
  piece b = {{a->pixels[0], a->pixels[a->count - 1]}, p->weights, 0, 0, a->acc, (p->outputs + 3) / 4};
  for (int32_t i = 0; i < p->kernel_h; i += p->piece_h) {
    for (int32_t j = 0; j < p->kernel_w; j += p->piece_w) {
      const int32_t h = o2m_min(p->piece_h, p->kernel_h - i), w = o2m_min(p->piece_w, p->kernel_w - j);
      const int32_t depth = h * w * p->channels, group = (depth + 3) / 4 * 16;
      for (int32_t r = 0; r < a->count; ++r) {
        lay_piece(a->x + i * p->x_row + (j + r * p->stride_w) * p->x_column, a->pixels[r], h, w, p);
      }
      b.vectors = round_up(depth) / BLOCK;
      b.back = group - 4 * BLOCK * b.vectors;
      add_piece(&b);
      b.weights += b.groups * group;
    }
  }
}

/* The weights of the last group of a piece are read up to a multiple of 16 pixels. */
void O2M_SYM(o2m_patch_embed_mve)(const void *x, void *y, int32_t rows, void *scratch,
                                  const o2m_patch_embed_params *p) {
  const int32_t bytes = round_up(p->piece_h * p->piece_w * p->channels);
  pair a;
  a.acc = (int32_t *)scratch;
  a.pixels[0] = (int8_t *)(a.acc + 2 * ((p->outputs + 3) & ~3));
  a.pixels[1] = a.pixels[0] + bytes;
  for (int32_t r = 0; r < rows; ++r) {
    for (int32_t t = 0; t < p->columns; t += 2) {
      a.x = (const uint8_t *)x + r * p->stride_h * p->x_row + t * p->stride_w * p->x_column;
      a.count = o2m_min(2, p->columns - t);
      a.y_at = r * p->y_row + t * p->y_column;
      start_sums(a.acc, p->bias, p->outputs);
      sum_pieces(&a, p);
      for (int32_t i = 0; i < a.count; ++i) store(a.acc + 4 * i, y, a.y_at + i * p->y_column, p);
    }
  }
}
