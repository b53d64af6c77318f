"""Writes main.c for a folder of generated C: noise, whole and in rows of 1, 3 and all at once, must give the same bytes.

The generated functions get an arena of exactly the bytes promised and one row (or as many as are pushed) in a block of
its own, so that the sanitizers see every byte too far. The rows are made from the whole input here, by the header's words.
"""

import json
import pathlib
import sys

folder = pathlib.Path(sys.argv[1])
report = json.loads((folder / "report.json").read_text())
name, shape = report["model"], [d for d in report["input"]["shape"]]
while len(shape) > 3 and shape[0] == 1:
    shape = shape[1:]
shape = [1] * (3 - len(shape)) + shape
rows = report["streaming"]["rows"]
assert rows in shape[:2], (rows, shape)
last = rows == shape[0] and rows != shape[1]  # [H, W, C]
channels, width = (shape[2], shape[1]) if last else (shape[0], shape[2])
size = {"u8": 1, "s8": 1, "s16": 2}
element = size[report["input"]["dtype"]]
upper = name.upper()
outputs = [f"out{i}" for i in range(len(report["outputs"]))]
macros = [f"{upper}_OUTPUT{i or ''}_COUNT" for i in range(len(outputs))]
types = {"s8": "int8_t", "s16": "int16_t", "s32": "int32_t", "u8": "uint8_t"}
ctypes = [types[o["dtype"]] for o in report["outputs"]]
declare = "".join(f"  static {t} {o}[{m}], same_{o}[{m}];\n" for t, o, m in zip(ctypes, outputs, macros))
call = "".join(f", {o}" for o in outputs)
same = "".join(f", same_{o}" for o in outputs)
differ = " || ".join(f"memcmp({o}, same_{o}, sizeof {o})" for o in outputs)
spoil = "".join(f"    memset(same_{o}, 0x5a, sizeof same_{o});\n" for o in outputs)
place = "(y * W + x) * C + c" if last or report["input"]["layout"] == "hwc" else "(c * H + y) * W + x"
print(f"""
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "{name}.h"
enum {{ H = {rows}, W = {width}, C = {channels}, SIZE = {element}, ROW = W * C * SIZE }};
static unsigned char whole[H * ROW], in_rows[H * ROW];
static int fail(const char *what, int n) {{ return printf("%s (%d)\\n", what, n), 1; }}
int main(void) {{
{declare}  if ({upper}_INPUT_ROWS != H || {upper}_INPUT_ROW_BYTES != ROW || {upper}_INPUT_BYTES != H * ROW) return fail("sizes", 0);
  for (int round = 0; round < 3; round++) {{
    for (int i = 0; i < H * ROW; i++) whole[i] = (unsigned char)(rand() >> 7);
    for (int y = 0; y < H; y++)
      for (int x = 0; x < W; x++)
        for (int c = 0; c < C; c++) memcpy(in_rows + ((y * W + x) * C + c) * SIZE, whole + ({place}) * SIZE, SIZE);
    void *arena = aligned_alloc(16, ({upper}_ARENA_BYTES + 15) / 16 * 16);
    memset(arena, round * 85, {upper}_ARENA_BYTES);
    {name}_run(arena, (const void *)whole{call});
    const int counts[] = {{1, 3, H}};
    for (int k = 0; k < 3; k++) {{
{spoil}      memset(arena, 255 - k, {upper}_ARENA_BYTES);
      {name}_begin(arena);
      for (int y = 0; y < H;) {{
        const int count = counts[k] < H - y ? counts[k] : H - y;
        unsigned char *rows = malloc((size_t)count * ROW);
        memcpy(rows, in_rows + y * ROW, (size_t)count * ROW);
        if ({name}_end(arena{same}) != 1) return fail("an early end", y);
        if ({name}_push_rows(arena, (const void *)rows, H - y + 1) != 1) return fail("too many rows", y);
        if ({name}_push_rows(arena, (const void *)rows, -1) != 1) return fail("minus one row", y);
        if ({name}_push_rows(arena, (const void *)rows, count) != 0) return fail("rows refused", y);
        free(rows);
        y += count;
      }}
      if ({name}_push_rows(arena, (const void *)in_rows, 1) != 1) return fail("a row after the last", k);
      if ({name}_end(arena{same}) != 0) return fail("the end refused", k);
      if ({differ}) return fail("other bytes than the whole image", counts[k]);
    }}
    memset(arena, 0x33 * round, {upper}_ARENA_BYTES);  // without begin: an error or wrong numbers, in the arena
    for (int y = 0; y < H + 2; y++) {name}_push_rows(arena, (const void *)in_rows, 1);
    {name}_end(arena{same});
    free(arena);
  }}
  return 0;
}}
""")
