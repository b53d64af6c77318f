"""The header as a next minor version may make it: next_minor.py HEADER OUT. Every struct that may grow (it opens with
struct_size) gets two more fields at its end, and the minor version is one more."""
import re
import sys
from pathlib import Path

ADDED = "  uint64_t added_in_the_next_minor; void (*added_too)(void);\n"


def grown(text):
    def grow(struct):
        return struct[1] + ADDED + struct[2]

    text, count = re.subn(r"(typedef struct \w+ \{[^\n]*\n  uint32_t struct_size;.*?)(\} \w+;)", grow, text, flags=re.S)
    assert count == len(re.findall(r"^  uint32_t struct_size;", text, re.M)) > 5, count
    return re.sub(r"(#define O2M_ABI_MINOR )(\d+)", lambda m: m[1] + str(int(m[2]) + 1), text)


if __name__ == "__main__":
    out = Path(sys.argv[2])
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(grown(Path(sys.argv[1]).read_text(encoding="utf-8")), encoding="utf-8")
