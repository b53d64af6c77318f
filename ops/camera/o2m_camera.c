#include "o2m_camera.h"

/* Where the colours of a pixel are: of bytes those of y's planes in order, of packed pixels the low and the high byte.
 */
typedef struct places {
  int32_t at[3];
  int32_t last; /* the plane of y that blue is, of packed pixels */
} places;

static places places_of(const o2m_camera_params *p) {
  const int32_t b = p->x_byte;
  places c = {{0, b, 2 * b}, p->reversed ? 0 : 2};
  if (p->format == O2M_CAMERA_RGB565BE) {
    c.at[0] = b;
    c.at[1] = 0;
  }
  if (p->format <= O2M_CAMERA_BGR && (p->format == O2M_CAMERA_BGR) != (p->reversed != 0)) {
    c.at[0] = 2 * b;
    c.at[2] = 0;
  }
  return c;
}

static int32_t grey_of(int32_t red, int32_t green, int32_t blue) {
  return (19595 * red + 38470 * green + 7471 * blue + 32768) >> 16;
}

static int32_t five(int32_t word) {
  const int32_t value = word & 31;
  return value << 3 | value >> 2;
}

static int32_t six(int32_t word) {
  const int32_t value = word & 63;
  return value << 2 | value >> 4;
}

/* ---- One pixel of x is one of y ---- */

static void convert_bytes(const uint8_t *x, uint8_t *y, const places *c, const o2m_camera_params *p) {
  for (int32_t j = 0; j < p->y_w; ++j, x += p->x_column, y += p->y_column) {
    const int32_t red = x[c->at[0]], green = x[c->at[1]], blue = x[c->at[2]];
    if (p->planes == 1) {
      y[0] = (uint8_t)grey_of(red, green, blue);
      continue;
    }
    y[0] = (uint8_t)red;
    y[p->y_plane] = (uint8_t)green;
    y[2 * p->y_plane] = (uint8_t)blue;
  }
}

static void convert_packed(const uint8_t *x, uint8_t *y, const places *c, const o2m_camera_params *p) {
  const int32_t low = c->at[0], high = c->at[1], blue_at = c->last * p->y_plane, red_at = 2 * p->y_plane - blue_at;
  for (int32_t j = 0; j < p->y_w; ++j, x += p->x_column, y += p->y_column) {
    const int32_t word = x[low] | x[high] << 8;
    const int32_t red = five(word >> 11), green = six(word >> 5), blue = five(word);
    if (p->planes == 1) {
      y[0] = (uint8_t)grey_of(red, green, blue);
      continue;
    }
    y[red_at] = (uint8_t)red;
    y[p->y_plane] = (uint8_t)green;
    y[blue_at] = (uint8_t)blue;
  }
}

static void convert_grey(const uint8_t *x, uint8_t *y, const o2m_camera_params *p) {
  for (int32_t j = 0; j < p->y_w; ++j) {
    for (int32_t k = 0; k < p->planes; ++k) y[j * p->y_column + k * p->y_plane] = x[j * p->x_column];
  }
}

static void convert_row(const uint8_t *x, uint8_t *y, const places *c, const o2m_camera_params *p) {
  if (p->format == O2M_CAMERA_GRAY) {
    convert_grey(x, y, p);
  } else if (p->format <= O2M_CAMERA_BGR) {
    convert_bytes(x, y, c, p);
  } else {
    convert_packed(x, y, c, p);
  }
}

/* ---- Scaled: one row of y's height and x's width, with 8 bits behind the point ---- */

static void down_bytes(const uint8_t *x, uint16_t *line, const int16_t *weights, const places *c,
                       const o2m_camera_params *p) {
  for (int32_t j = 0; j < p->x_w; ++j, x += p->x_column, line += p->planes) {
    int32_t sum[3] = {32, 32, 32};
    const uint8_t *from = x;
    for (int32_t t = 0; t < p->row_taps; ++t, from += p->x_row) {
      const int32_t weight = weights[t], red = from[c->at[0]], green = from[c->at[1]], blue = from[c->at[2]];
      if (p->planes == 1) {
        sum[0] += weight * grey_of(red, green, blue);
        continue;
      }
      sum[0] += weight * red;
      sum[1] += weight * green;
      sum[2] += weight * blue;
    }
    for (int32_t k = 0; k < p->planes; ++k) line[k] = (uint16_t)(sum[k] >> 6);
  }
}

static void down_packed(const uint8_t *x, uint16_t *line, const int16_t *weights, const places *c,
                        const o2m_camera_params *p) {
  const int32_t low = c->at[0], high = c->at[1];
  for (int32_t j = 0; j < p->x_w; ++j, x += p->x_column, line += p->planes) {
    int32_t sum_red = 32, sum_green = 32, sum_blue = 32;
    const uint8_t *from = x;
    for (int32_t t = 0; t < p->row_taps; ++t, from += p->x_row) {
      const int32_t weight = weights[t], word = from[low] | from[high] << 8;
      const int32_t red = five(word >> 11), green = six(word >> 5), blue = five(word);
      if (p->planes == 1) {
        sum_red += weight * grey_of(red, green, blue);
        continue;
      }
      sum_red += weight * red;
      sum_green += weight * green;
      sum_blue += weight * blue;
    }
    if (p->planes == 1) {
      line[0] = (uint16_t)(sum_red >> 6);
      continue;
    }
    line[2 - c->last] = (uint16_t)(sum_red >> 6);
    line[1] = (uint16_t)(sum_green >> 6);
    line[c->last] = (uint16_t)(sum_blue >> 6);
  }
}

static void down_grey(const uint8_t *x, uint16_t *line, const int16_t *weights, const o2m_camera_params *p) {
  for (int32_t j = 0; j < p->x_w; ++j, x += p->x_column) {
    int32_t sum = 32;
    const uint8_t *from = x;
    for (int32_t t = 0; t < p->row_taps; ++t, from += p->x_row) sum += weights[t] * from[0];
    for (int32_t k = 0; k < p->planes; ++k) *line++ = (uint16_t)(sum >> 6);
  }
}

static void down(const uint8_t *x, uint16_t *line, const int16_t *weights, const places *c,
                 const o2m_camera_params *p) {
  if (p->format == O2M_CAMERA_GRAY) {
    down_grey(x, line, weights, p);
  } else if (p->format <= O2M_CAMERA_BGR) {
    down_bytes(x, line, weights, c, p);
  } else {
    down_packed(x, line, weights, c, p);
  }
}

static void across(const uint16_t *line, uint8_t *y, const o2m_camera_params *p) {
  const int16_t *weights = p->column_weights;
  for (int32_t j = 0; j < p->y_w; ++j, weights += p->column_taps) {
    const uint16_t *from = line + p->column_first[j] * p->planes;
    for (int32_t k = 0; k < p->planes; ++k, ++from) {
      int32_t sum = 1 << 21;
      for (int32_t t = 0; t < p->column_taps; ++t) sum += weights[t] * (int32_t)from[t * p->planes];
      y[j * p->y_column + k * p->y_plane] = (uint8_t)(sum >> 22);
    }
  }
}

void O2M_SYM(o2m_camera)(const uint8_t *x, uint8_t *y, int32_t first, int32_t rows, uint16_t *line,
                         const o2m_camera_params *p) {
  const places c = places_of(p);
  const int32_t start = first * p->row_step - p->row_before, above = start > 0 ? start : 0;
  for (int32_t r = 0; r < rows; ++r) {
    const int32_t at = first + r;
    if (p->row_taps == 0) {
      convert_row(x + r * p->x_row, y + r * p->y_row, &c, p);
      continue;
    }
    down(x + (p->row_first[at] - above) * p->x_row, line, p->row_weights + at * p->row_taps, &c, p);
    across(line, y + r * p->y_row, p);
  }
}
