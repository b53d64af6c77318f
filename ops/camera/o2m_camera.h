/* o2m_camera.h - rows of an image out of what a camera writes: other formats, another size, grey for colour.
 *
 *   5 and 6 bits become 8 by repeating their high ones; grey = (19595 red + 38470 green + 7471 blue + 2^15) >> 16
 *   scaled, columns first:  line[j] = (sum over t of row_weights[t] * pixel[row_first + t][j] + 2^5) >> 6
 *                           y[i] = (sum over t of column_weights[t] * line[column_first + t] + 2^21) >> 22
 *
 * Weights of a place sum to 2^14, so nothing saturates. x and y may have any strides. */
#ifndef O2M_CAMERA_H_
#define O2M_CAMERA_H_
#include <stdint.h>

#include "o2m_sym.h"
#ifdef __cplusplus
extern "C" {
#endif

enum { O2M_CAMERA_GRAY = 0, O2M_CAMERA_RGB = 1, O2M_CAMERA_BGR = 2, O2M_CAMERA_RGB565 = 3, O2M_CAMERA_RGB565BE = 4 };

typedef struct o2m_camera_params {
  int32_t format;                  /* O2M_CAMERA_... */
  int32_t planes;                  /* of y: 3, or 1: grey */
  int32_t reversed;                /* 1: y's are blue, green, red */
  int32_t x_w, y_w;                /* pixels of a row */
  int32_t x_row, x_column, x_byte; /* strides */
  int32_t y_row, y_column, y_plane;
  int32_t row_step, row_before;                 /* of the rows of x that scaling takes */
  int32_t row_taps, column_taps;                /* 0: one pixel is one pixel */
  const int16_t *row_first, *row_weights;       /* [rows of y], [rows of y][row_taps] */
  const int16_t *column_first, *column_weights; /* [y_w], [y_w][column_taps] */
} o2m_camera_params;

/* Output rows [first, first + rows). Scaled: x points at row max(0, first * row_step - row_before) of the image,
 * line[x_w * planes] is scratch. Else x points at row `first`, and line is not touched. y points at output row `first`.
 */
void O2M_SYM(o2m_camera)(const uint8_t *x, uint8_t *y, int32_t first, int32_t rows, uint16_t *line,
                         const o2m_camera_params *p);

#ifdef __cplusplus
}
#endif
#endif
