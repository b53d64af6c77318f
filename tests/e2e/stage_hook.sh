# --stage-hook: every stage once and in order, from NAME_run and from rows alike; the bytes are those without it; it links
# with a hook of the caller's and with none.
. "$(dirname "$0")/lib.sh"
name=$(basename "$model" .onnx)
compiled plain --target=host --calibrate="$training" --selftest
compiled out --target=host --calibrate="$training" --selftest --stage-hook
stages=$("$python" -c 'import json; print(1 + max(r["stage"] for r in json.load(open("out/report.json"))["schedule"]))')
diff plain/report.json out/report.json || fail "the plan differs"
cat >main.c <<EOS
#include <stdio.h>
#include "$name.h"
static _Alignas(16) unsigned char arena[${name^^}_ARENA_BYTES];
static unsigned char image[${name^^}_INPUT_BYTES];
static signed char output[${name^^}_OUTPUT_COUNT];
#ifdef HOOK
void ${name}_on_stage(int stage) { printf("%d\n", stage); }
#endif
int main(void) {
  ${name}_run(arena, image, output);
  puts("rows");
  ${name}_begin(arena);
  if (${name}_push_rows(arena, image, ${name^^}_INPUT_ROWS) || ${name}_end(arena, output)) return 9;
  puts("selftest");
  return ${name}_selftest(arena);
}
EOS
gcc-12 "${warnings[@]}" -O1 -I out -DHOOK main.c out/*.c -o hooked && ./hooked >hooked.txt || fail "with a hook: $?"
seq 0 $((stages - 1)) >all.txt
sed '/rows/,$d' hooked.txt | diff all.txt - || fail "NAME_run: other stages"
sed -n '/rows/,/selftest/p' hooked.txt | grep '[0-9]' | diff all.txt - || fail "rows: other stages"
gcc-12 "${warnings[@]}" -O1 -I out main.c out/*.c -o bare && [ "$(./bare)" = $'rows\nselftest' ] || fail "without a hook"
