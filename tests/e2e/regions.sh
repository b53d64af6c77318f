# --ram=8K+6K: the arena in two regions of RAM that are not one behind the other, where neither holds it: every buffer lies
# in one of them, whole, and the bytes are those of one region, on the host and on the emulated Cortex-M4, where the regions
# lie apart under memory protection. Three regions, streamed input and an image in the arena work alike. What fits one
# region is the program for that region.
. "$(dirname "$0")/lib.sh"
name=$(basename "$model" .onnx)
NAME=${name^^}
calibrated=(--calibrate="$training")
compiled one --target=host "${calibrated[@]}" --selftest --ram=64K --optimize=ram
compiled two --target=host "${calibrated[@]}" --selftest --example --ram=8K+6K --optimize=ram
compiled three --target=host "${calibrated[@]}" --selftest --ram=6K+4K+7K --optimize=ram
compiled image --target=host "${calibrated[@]}" --selftest --ram=8K+6K --optimize=ram --image-in-arena
grep -q "^void ${name}_run(void \*arena, void \*arena1, const uint8_t \*image" "two/$name.h" || fail "the prototype"
grep -q "^#define ${NAME}_ARENA1_BYTES [0-9]* .*in RAM1" "two/$name.h" || fail "the second size"
grep -q "^#define ${NAME}_IMAGE_ARENA [01] " "image/$name.h" || fail "which arena the image is in"
head -1 two/plan.csv | grep -q ',region$' || fail "plan.csv has no regions"
grep -q "RAM1 above" two/report.html || fail "report.html draws no boundary"
cat >check.py <<'EOS'
import json, sys
for folder, limits in (("two", (8192 - 1024, 6144)), ("three", (6144 - 1024, 4096, 7168)), ("image", (8192 - 1024, 6144))):
    r = json.load(open(f"{folder}/report.json"))
    arenas = r["arenas"]
    assert len(arenas) == len(limits), arenas
    assert all(a["bytes"] <= limit for a, limit in zip(arenas, limits)), arenas
    assert [a["name"] for a in arenas] == ["arena", "arena1", "arena2"][:len(arenas)], arenas
    assert r["arena_bytes"] == r["ram"]["arena"] == sum(a["bytes"] for a in arenas) >= r["arena_lower_bound_bytes"]
    used = [0] * len(arenas)
    for t in r["tensors"]:
        end = t["offset"] + t["bytes"]
        assert 0 <= t["offset"] and end <= arenas[t["arena"]]["bytes"], t
        used[t["arena"]] = max(used[t["arena"]], end)
    assert all(0 <= a["bytes"] - u < 16 for a, u in zip(arenas, used)), (arenas, used)
one = json.load(open("one/report.json"))
assert len(one["arenas"]) == 1 and all(t["arena"] == 0 for t in one["tensors"])
assert one["arena_bytes"] > 8192 - 1024, "it fits one region"
EOS
"$python" check.py || fail "report.json"
# the golden outputs do not depend on where things lie; each arena is memory of its own, to the byte
golden() { sed -n '/^static const .*case0_output0/,/;/p' "$1/${name}_selftest.c"; }
cat >main.c <<EOS
#include <stdlib.h>
#include "$name.h"
#ifndef ${NAME}_ARENA2_BYTES
#define ${NAME}_ARENA2_BYTES 16
#define arenas arena, arena1
#else
#define arenas arena, arena1, arena2
#endif
int main(void) {
  void *arena = aligned_alloc(16, ${NAME}_ARENA_BYTES);
  void *arena2 = aligned_alloc(16, (${NAME}_ARENA2_BYTES + 15) / 16 * 16);
  void *arena1 = aligned_alloc(16, (${NAME}_ARENA1_BYTES + 15) / 16 * 16);
  const int result = ${name}_selftest(arenas);
  free(arena), free(arena1), free(arena2);
  return result;
}
EOS
for folder in two three image; do
  diff <(golden one) <(golden "$folder") || fail "$folder: other golden outputs"
  gcc-12 "${warnings[@]}" -g -O1 -fsanitize=address,undefined -fno-sanitize-recover=all -I "$folder" main.c \
    $(ls "$folder"/*.c | grep -v /main.c) -o check
  ./check || fail "$folder: the selftest says $?"
done
# the example takes a whole image, or rows: the same answer
gcc-12 "${warnings[@]}" -g -O1 -fsanitize=address,undefined -fno-sanitize-recover=all -I two two/*.c -o example
head -c 784 /dev/urandom >pixels
[ "$(./example <pixels)" = "$(./example rows <pixels)" ] || fail "rows give another answer"
# as clang-format writes it; a board's program too, which finds what it checks in any arena
compiled serial --target=host "${calibrated[@]}" --example=serial --ram=6K+4K+7K --optimize=ram
gcc-12 "${warnings[@]}" -O1 -I serial -c serial/main.c -o serial.o
compiled plain --target=cortex-m4 --selftest --example --ram=8K+6K
clang-format-14 --dry-run -Werror $(ls plain/*.[ch] | grep -v '/o2m_') serial/main.c || fail "not as clang-format writes it"
# one region is enough: nothing changes but the list of what could have been
compiled enough --target=host "${calibrated[@]}" --selftest --ram=64K+64K --optimize=ram
diff "one/$name.c" "enough/$name.c" && diff "one/$name.h" "enough/$name.h" || fail "a second region changes what fits the first"
compiled board --board=stm32f427 --ram=all
grep -q '"region": "SRAM"' board/report.json || fail "the board's region has no name"
command -v qemu-system-arm >/dev/null || { echo "not emulated: qemu-system-arm is not installed"; exit 0; }
for options in --ram=8K+6K "--ram=6K+4K+7K --image-in-arena"; do
  tool validate "$model" -q --json --target=cortex-m4 "${calibrated[@]}" --inputs="$images" --limit=3 $options \
    --optimize=ram >validate.json || fail "validate $options"
  "$python" - <<'EOS' || fail "on cortex-m4, $options"
import json
v = json.load(open("validate.json"))
assert v["host_target_diff_bytes"] == 0 and v["guard_regions"] > 5, v
assert 8192 < v["ram_measured"]["arena"] <= 17408 and v["ram_measured"]["stack"] <= 1024, v["ram_measured"]
EOS
done
