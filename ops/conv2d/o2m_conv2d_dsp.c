/* o2m_conv2d_dsp.c - convolution on cores with DSP instructions: what some neighbouring outputs see, padding included,
 * becomes panels, and four output channels at a time a product of matrices, o2m_dot_dsp.h. */
#include <string.h>

#include "o2m_conv2d.h"
#include "o2m_dot_dsp.h"

typedef struct band { /* outputs t .. t + count - 1 of one row, for one group of channels */
  const uint8_t *x;
  int32_t row, t, count, x_first, depth;
  uint32_t *panels, *widened;
  uint8_t *pixels; /* [2][depth]: what a pair of outputs sees, s8 */
} band;

/* Part of one row of the kernel, all inside the image. */
static uint8_t *copy_pixels(const uint8_t *x, int32_t count, uint8_t *to, const o2m_conv2d_params *p) {
  const int32_t channels = p->group_inputs, next = p->dilation_w * p->x_column;
  if (p->x_channel == 1 && next == channels) {
    memcpy(to, x, (size_t)(count * channels));
    return to + count * channels;
  }
  for (; count > 0; --count, x += next) {
    for (int32_t c = 0; c < channels; ++c) *to++ = x[c * p->x_channel];
  }
  return to;
}

/* What output t sees, the zero point where it sees nothing; u8 is taken down by 128. */
static void gather(const band *b, int32_t t, uint8_t *to, const o2m_conv2d_params *p) {
  const o2m_conv2d_window w = o2m_conv2d_window_at(b->row, t, b->x_first, p);
  const int32_t row_bytes = p->kernel_w * p->group_inputs;
  const int32_t before = w.j0 * p->group_inputs, after = (p->kernel_w - w.j1) * p->group_inputs;
  uint8_t *const begin = to;
  for (int32_t i = 0; i < p->kernel_h; ++i) {
    if (i < w.i0 || i >= w.i1 || w.j0 >= w.j1) {
      memset(to, p->x_zero, (size_t)row_bytes);
      to += row_bytes;
      continue;
    }
    if (before > 0) memset(to, p->x_zero, (size_t)before);
    to = copy_pixels(b->x + w.x + i * p->dilation_h * p->x_row + w.j0 * p->dilation_w * p->x_column, w.j1 - w.j0,
                     to + before, p);
    if (after > 0) memset(to, p->x_zero, (size_t)after);
    to += after;
  }
  for (int32_t k = 0; k < b->depth && !p->x_signed; ++k) begin[k] ^= 128;
}

static void make_panels(const band *b, const o2m_conv2d_params *p) {
  const int32_t words = o2m_dot_dsp_row_words(b->depth), zero = p->x_zero - (p->x_signed ? 0 : 128);
  for (int32_t i = 0; i < b->count; i += 2) {
    const int32_t two = o2m_min(2, b->count - i);
    for (int32_t n = 0; n < two; ++n) gather(b, b->t + i + n, b->pixels + n * b->depth, p);
    O2M_SYM(o2m_dot_dsp_rows)
    (b->pixels, O2M_DOT_DSP_FROM_S8, b->depth, 1, two, b->depth, zero, b->panels + i / 2 * words);
  }
}

/* Four channels of all outputs of a band. */
static void store_tiles(const band *b, o2m_dot_dsp *d) {
  const int32_t row_bytes = d->row_bytes;
  const uint32_t *const last = b->panels + b->count / 2 * 4 * d->blocks;
  if (b->count > 1) O2M_SYM(o2m_dot_dsp_run)(b->panels, last, d);
  if (b->count % 2 == 0) return;
  d->y = (char *)d->y + (b->count - 1) * row_bytes;
  d->row_bytes = 0;
  O2M_SYM(o2m_dot_dsp_run)(last, last + 4 * d->blocks, d);
  d->row_bytes = row_bytes;
}

/* Channels o .. o + valid - 1 through their sums. */
static void store_sums(const band *b, int32_t o, int32_t valid, void *y, int32_t y_at, const o2m_conv2d_params *p) {
  int32_t bias[4] = {0, 0, 0, 0}, sums[8];
  o2m_dot_dsp d;
  memset(&d, 0, sizeof d);
  for (int32_t i = 0; i < valid; ++i) bias[i] = p->bias[o + i];
  d.weights = b->widened;
  d.blocks = o2m_dot_dsp_blocks(b->depth);
  d.bias = bias;
  d.y = sums;
  d.row_bytes = 16;
  d.column_bytes = 4;
  d.store = O2M_DOT_DSP_RAW;
  O2M_SYM(o2m_dot_dsp_prepare)(&d);
  for (int32_t n = 0; n < b->count; n += 2) {
    const uint32_t *const panel = b->panels + n / 2 * 4 * d.blocks;
    O2M_SYM(o2m_dot_dsp_run)(panel, panel + 4 * d.blocks, &d);
    for (int32_t i = 0; i < 8; ++i) {
      if (n + i / 4 >= b->count || i % 4 >= valid) continue;
      o2m_conv2d_store(p, y, y_at + (n + i / 4) * p->y_column + i % 4 * p->y_channel, o + i % 4, sums[i]);
    }
  }
}

/* All but the bias, multipliers and place of four channels. */
static o2m_dot_dsp products_of(const band *b, const o2m_conv2d_params *p) {
  o2m_dot_dsp d;
  memset(&d, 0, sizeof d);
  d.weights = b->widened;
  d.blocks = o2m_dot_dsp_blocks(b->depth);
  d.bias = p->bias;
  d.zero = p->y_zero + (p->table ? 128 : 0);
  d.row_bytes = p->y_column * p->y_bytes;
  d.column_bytes = p->y_channel * p->y_bytes;
  d.table = p->table;
  d.store = p->table ? O2M_DOT_DSP_TABLE : p->y_bytes == 1 ? O2M_DOT_DSP_S8 : O2M_DOT_DSP_S16;
  d.up = 32 - p->shift;
  O2M_SYM(o2m_dot_dsp_prepare)(&d);
  return d;
}

/* Output channels first .. first + group_outputs - 1 of a band; `y_at` is where channel 0 of its first output lies. */
static void store_group(const band *b, int32_t first, void *y, int32_t y_at, const o2m_conv2d_params *p) {
  const int32_t direct = o2m_conv2d_is_direct(b->depth, p->shift), end = first + p->group_outputs;
  o2m_dot_dsp d = products_of(b, p);
  for (int32_t o = first; o < end; o += 4) {
    const int32_t valid = o2m_min(4, end - o), at = y_at + o * p->y_channel;
    O2M_SYM(o2m_dot_dsp_columns)(p->weights + o * b->depth, b->depth, 1, valid, b->depth, 0, b->widened);
    if (valid < 4 || !direct) {
      store_sums(b, o, valid, y, at, p);
      continue;
    }
    d.bias = p->bias + o;
    d.multiplier = p->multiplier + o;
    d.y = (char *)y + at * p->y_bytes;
    store_tiles(b, &d);
  }
}

void O2M_SYM(o2m_conv2d_dsp)(const void *x, void *y, int32_t first, int32_t rows, const o2m_conv2d_params *p,
                             void *scratch) {
  const int32_t depth = p->kernel_h * p->kernel_w * p->group_inputs, tile = o2m_conv2d_tile(depth);
  band b;
  b.depth = depth;
  b.x_first = o2m_conv2d_x_first(first, p);
  b.panels = (uint32_t *)scratch;
  b.widened = b.panels + tile / 2 * o2m_dot_dsp_row_words(depth);
  b.pixels = (uint8_t *)(b.widened + o2m_dot_dsp_column_words(depth));
  for (int32_t r = 0; r < rows; ++r) {
    b.row = first + r;
    for (b.t = 0; b.t < p->y_w; b.t += tile) {
      b.count = o2m_min(tile, p->y_w - b.t);
      for (int32_t g = 0; g < p->groups; ++g) {
        b.x = (const uint8_t *)x + g * p->group_inputs * p->x_channel;
        make_panels(&b, p);
        store_group(&b, g * p->group_outputs, y, r * p->y_row + b.t * p->y_column, p);
      }
    }
  }
}
