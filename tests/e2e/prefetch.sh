# --prefetch: weights come into the arena a stage ahead, within the plan; the bytes are those without it on the host and on
# the emulated Cortex-M4; a transfer that ends as late as it may, and fills its buffer with rubbish until then, changes
# nothing; what does not fit is read in place.
. "$(dirname "$0")/lib.sh"
name=$(basename "$model" .onnx)
compiled plain --target=host --calibrate="$training" --selftest --stream=off
compiled out --target=host --calibrate="$training" --selftest --prefetch=20K
grep -q "_prefetch(void \*to" "out/$name.h" || fail "no prototype"
diff <(sed -n '/case0_output0/,/;/p' "plain/${name}_selftest.c") <(sed -n '/case0_output0/,/;/p' "out/${name}_selftest.c") ||
  fail "other golden outputs"
cat >main.c <<EOS
#include <stdlib.h>
#include <string.h>
#include "$name.h"
#ifdef LATE
static struct { void *to; const void *from; uint32_t bytes; } started[64];
static int count;
void ${name}_prefetch(void *to, const void *from, uint32_t bytes) {
  if (count == 64) abort();
  memset(to, 0x5a, bytes);
  started[count].to = to, started[count].from = from, started[count++].bytes = bytes;
}
void ${name}_prefetch_wait(void) {
  if (count == 0) abort();
  while (count > 0) --count, memcpy(started[count].to, started[count].from, started[count].bytes);
}
#endif
int main(void) {
  void *arena = aligned_alloc(16, (${name^^}_ARENA_BYTES + 15) / 16 * 16);
  const int result = ${name}_selftest(arena);
  free(arena);
  return result;
}
EOS
for define in -DNOW -DLATE; do
  gcc-12 "${warnings[@]}" -g -O1 -fsanitize=address,undefined -fno-sanitize-recover=all $define -I out main.c out/*.c -o check
  ./check || fail "the selftest says $? ($define)"
done
cat >sizes.py <<'EOS'
import json
a, b = (json.load(open(f"{name}/report.json")) for name in ("out", "plain"))
p = a["prefetch"]
assert p["arrays"] > 8 and p["bytes"] > p["bytes_in_place"] > 0, p
assert b["prefetch"]["arrays"] == 0 and b["arena_bytes"] < a["arena_bytes"] <= b["arena_bytes"] + 40 * 1024 + 4096
assert sum(t["bytes"] for t in a["tensors"] if t["dtype"] == "prefetch") == p["bytes"]
assert a["streaming"]["possible"] is False and "prefetch" in a["streaming"]["why_not"]
EOS
"$python" sizes.py || fail "sizes"
tool validate "$model" -q --json --target=cortex-m4 --calibrate="$training" --inputs="$images" --limit=3 --prefetch=20K \
  >validate.json || fail "validate"
# parameters that point into the arena are on the stack, one call at a time
"$python" -c 'import json; v = json.load(open("validate.json")); assert v["host_target_diff_bytes"] == 0; assert v["ram_measured"]["stack"] <= 1024, v' ||
  fail "on cortex-m4"
# A budget of RAM comes first.
ram=$(($("$python" -c 'import json; print(json.load(open("plain/report.json"))["arena_bytes"])') + 1024 + 6000))
tool compile "$model" --target=host --calibrate="$training" --prefetch=20K --ram=$ram -o tight >tight.txt 2>warnings.txt ||
  fail "with little RAM"
grep -q "prefetch=20480: .* B of weights are read in place" warnings.txt || fail "no warning"
"$python" - $ram <<'EOS' || fail "the budget"
import json, sys
t = json.load(open("tight/report.json"))
assert t["arena_bytes"] + 1024 <= int(sys.argv[1]), t["arena_bytes"]
EOS
! tool compile "$model" -q --target=host --stream=on --prefetch=1K -o no 2>error.txt || fail "--stream=on"
grep -q "does not work with --prefetch" error.txt || fail "$(cat error.txt)"
