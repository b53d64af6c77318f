#include "o2m_camera.h"

/* Red, green and blue of one pixel, or its grey in the first place. */
typedef struct pixel {
  int32_t plane[3];
} pixel;

static pixel unpack(int32_t word) {
  const int32_t red = word >> 11, green = word >> 5 & 63, blue = word & 31;
  const pixel c = {{red << 3 | red >> 2, green << 2 | green >> 4, blue << 3 | blue >> 2}};
  return c;
}

static pixel colours(const uint8_t *x, const o2m_camera_params *p) {
  if (p->format == O2M_CAMERA_RGB565) return unpack(x[0] | x[p->x_byte] << 8);
  if (p->format == O2M_CAMERA_RGB565BE) return unpack(x[0] << 8 | x[p->x_byte]);
  const int32_t last = p->format == O2M_CAMERA_GRAY ? 0 : 2 * p->x_byte;
  const pixel c = {{x[p->format == O2M_CAMERA_BGR ? last : 0], x[last / 2], x[p->format == O2M_CAMERA_BGR ? 0 : last]}};
  return c;
}

/* The values of a pixel in the order of y's planes. */
static pixel load(const uint8_t *x, const o2m_camera_params *p) {
  const pixel c = colours(x, p);
  pixel y = c;
  if (p->reversed) {
    y.plane[0] = c.plane[2];
    y.plane[2] = c.plane[0];
  }
  if (p->planes == 1 && p->format != O2M_CAMERA_GRAY) {
    y.plane[0] = (19595 * c.plane[0] + 38470 * c.plane[1] + 7471 * c.plane[2] + 32768) >> 16;
  }
  return y;
}

static void convert_row(const uint8_t *x, uint8_t *y, const o2m_camera_params *p) {
  for (int32_t j = 0; j < p->y_w; ++j) {
    const pixel c = load(x + j * p->x_column, p);
    for (int32_t k = 0; k < p->planes; ++k) y[j * p->y_column + k * p->y_plane] = (uint8_t)c.plane[k];
  }
}

/* One row of y's height and x's width, with 8 bits behind the point. */
static void scale_down(const uint8_t *x, uint16_t *line, const int16_t *weights, const o2m_camera_params *p) {
  for (int32_t j = 0; j < p->x_w; ++j) {
    int32_t sum[3] = {32, 32, 32};
    for (int32_t t = 0; t < p->row_taps; ++t) {
      if (weights[t] == 0) continue;
      const pixel c = load(x + t * p->x_row + j * p->x_column, p);
      for (int32_t k = 0; k < p->planes; ++k) sum[k] += weights[t] * c.plane[k];
    }
    for (int32_t k = 0; k < p->planes; ++k) line[j * p->planes + k] = (uint16_t)(sum[k] >> 6);
  }
}

static void scale_across(const uint16_t *line, uint8_t *y, const o2m_camera_params *p) {
  for (int32_t j = 0; j < p->y_w; ++j) {
    const int16_t *weights = p->column_weights + j * p->column_taps;
    const uint16_t *from = line + p->column_first[j] * p->planes;
    for (int32_t k = 0; k < p->planes; ++k) {
      int32_t sum = 1 << 21;
      for (int32_t t = 0; t < p->column_taps; ++t) sum += weights[t] * (int32_t)from[t * p->planes + k];
      y[j * p->y_column + k * p->y_plane] = (uint8_t)(sum >> 22);
    }
  }
}

void O2M_SYM(o2m_camera)(const uint8_t *x, uint8_t *y, int32_t first, int32_t rows, uint16_t *line,
                         const o2m_camera_params *p) {
  const int32_t start = first * p->row_step - p->row_before, above = start > 0 ? start : 0;
  for (int32_t r = 0; r < rows; ++r) {
    if (p->row_taps == 0) {
      convert_row(x + r * p->x_row, y + r * p->y_row, p);
      continue;
    }
    const int32_t at = first + r;
    scale_down(x + (p->row_first[at] - above) * p->x_row, line, p->row_weights + at * p->row_taps, p);
    scale_across(line, y + r * p->y_row, p);
  }
}
