"""Today's onnx2mcu_op.h against the one that major 1 began with (abi/onnx2mcu_op_1_0.h): every constant has its value,
every field its place and size, structs without struct_size have not grown at all, and those with it only at their end.
The compiler says where fields lie. The comparison is tried on headers with planted breaks."""
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
TODAY = Path(os.environ.get("O2M_SOURCE", HERE.parents[1])) / "ops" / "onnx2mcu_op.h"
FIRST = HERE / "abi" / "onnx2mcu_op_1_0.h"
sys.path.insert(0, str(HERE / "abi"))
import next_minor  # noqa: E402


def without_comments(text):
    return re.sub(r"/\*.*?\*/", "", text, flags=re.S)


def fields(body):
    """Names of a struct's fields, in order."""
    names = []
    for statement in filter(None, (s.strip() for s in body.split(";"))):
        function = re.search(r"\(\s*\*\s*(\w+)\s*\)\s*\(", statement)
        names += [function[1]] if function else [re.search(r"(\w+)\s*(\[[^]]*\]\s*)*$", part)[1] for part in statement.split(",")]
    return names


def declarations(text):
    """{struct: its fields' declarations}, and that of the entry point, one space between words."""
    text = " ".join(without_comments(text).split())
    entry = re.search(r"O2M_EXPORT const .*?;", text)[0]
    return {name: body.strip() for body, name in re.findall(r"typedef struct \w+ \{(.*?)\} (\w+);", text)} | {"entry": entry}


def inventory(text):
    """(constants, {struct: [field]}) that the text declares."""
    text = without_comments(text)
    constants = [m for body in re.findall(r"\benum \{(.*?)\}", text, re.S) for m in re.findall(r"(\w+)\s*=", body)]
    constants += [m for m in re.findall(r"#define (O2M_\w+) \d", text)]
    structs = {name: fields(body) for body, name in re.findall(r"typedef struct \w+ \{(.*?)\} (\w+);", text, re.S)}
    return constants, structs


def layout(text, of):
    """What a compiler makes of the header, for the names that `of` declares: {name: number}."""
    constants, structs = inventory(of)
    lines = [f'  printf("{c} %lld\\n", (long long)({c}));' for c in constants]
    for struct, names in structs.items():
        lines.append(f'  printf("sizeof {struct} %zu\\n", sizeof({struct}));')
        for f in names:
            lines.append(f'  printf("{struct}.{f} %zu\\n", offsetof({struct}, {f}));')
            lines.append(f'  printf("sizeof {struct}.{f} %zu\\n", sizeof((({struct} *)0)->{f}));')
    with tempfile.TemporaryDirectory() as work:
        (Path(work) / "onnx2mcu_op.h").write_text(text, encoding="utf-8")
        (Path(work) / "layout.c").write_text(
            '#include <stdio.h>\n#include "onnx2mcu_op.h"\nint main(void) {\n' + "\n".join(lines) + "\n}\n", encoding="utf-8")
        done = subprocess.run(["cc", "-std=c11", "-o", f"{work}/layout", f"{work}/layout.c"], capture_output=True, text=True)
        if done.returncode:
            return {"does not compile": done.stderr}
        out = subprocess.run([f"{work}/layout"], capture_output=True, text=True, check=True).stdout
    return {key: int(value) for key, value in (line.rsplit(" ", 1) for line in out.splitlines())}


def breaks(first, today):
    """What a plugin built against `first` would stumble over with a host of `today`."""
    old, new = layout(first, first), layout(today, first)
    if "does not compile" in new:
        return ["a name is gone: " + new["does not compile"]]
    _, structs = inventory(first)
    may_grow = {f"sizeof {name}" for name, names in structs.items() if names[0] == "struct_size"}
    found = []
    for key, value in old.items():
        grew = key in may_grow and new[key] > value
        if new[key] != value and not grew and key != "O2M_ABI_MINOR":
            found.append(f"{key} was {value}, is {new[key]}")
    written = declarations(today)
    # what a function takes and a pointer points to
    return found + [f"{name} is declared otherwise" for name, body in declarations(first).items()
                    if not written.get(name, "").startswith(body)]


def planted(first):
    """(what, header) that must be found; each replaces text of the first header."""
    swaps = {"a field moved": ("int32_t layout, axis, step, extent, before;",
                               "int32_t layout, axis, step, before, extent;"), "removed": ("  int64_t scratch_bytes;", "  "),
             "inserted": ("  const char *id;                   /* \"cortex-m4\" */", "  int32_t one_more; const char *id;"),
             "widened": ("int32_t layout, axis, step, extent, before;", "int64_t layout, axis, step, extent, before;"),
             "a frozen struct grown": ("int32_t x, weights, bias;", "int32_t x, weights, bias, more;"),
             "another value": ("O2M_S16 = 3, O2M_S32 = 4", "O2M_S16 = 4, O2M_S32 = 3"),
             "a parameter more": ("o2m_status (*projection)(const o2m_node *, o2m_projection *);",
                                  "o2m_status (*projection)(const o2m_node *, o2m_projection *, int32_t);"),
             "another entry": ("onnx2mcu_plugin(uint32_t host_abi_major)", "onnx2mcu_plugin(uint64_t host_abi_major)"),
             "another major": ("#define O2M_ABI_MAJOR 1", "#define O2M_ABI_MAJOR 2")}
    for what, (old, new) in swaps.items():
        assert first.count(old) == 1, (what, old)
        yield what, first.replace(old, new)


def main():
    first, today = FIRST.read_text(encoding="utf-8"), TODAY.read_text(encoding="utf-8")
    constants, structs = inventory(first)
    assert len(constants) > 30 and len(structs) > 30, (len(constants), len(structs))
    found = breaks(first, today)
    assert not found, "ABI 1 is broken:\n" + "\n".join(found)
    assert not breaks(first, next_minor.grown(first)), "fields appended at the end are no break"
    for what, header in planted(first):
        assert breaks(first, header), f"not found: {what}"
    print(f"{len(constants)} constants and {len(structs)} structs are as in ABI 1.0")


if __name__ == "__main__":
    main()
