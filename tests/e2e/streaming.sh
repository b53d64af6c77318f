# Rows pushed one by one, three by three and all at once give the bytes of the whole image, under the sanitizers, in the
# arena that the whole image needs; misuse is refused. The trained model, and where they are present the exports whose
# stems differ: overlapping patches, convolutional stems, patches by reshape.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

checked=0
# streams FILE OPTIONS...: compiles, builds main.c around it and runs it.
streams() {
  local file=$1
  shift
  rm -rf out off
  tool compile "$file" -q -o out --target=host "$@" >out.txt || fail "compile $file $*"
  tool compile "$file" -q -o off --target=host --stream=off >off.txt || fail "compile $file --stream=off"
  if [ $# = 0 ]; then
    [ "$(grep -h _ARENA_BYTES out/*.h)" = "$(grep -h _ARENA_BYTES off/*.h)" ] || fail "$file: the band raises the arena"
  fi
  ! grep -q "_push_rows" off/*.[ch] || fail "--stream=off leaves functions"
  "$python" "$O2M_SOURCE/tests/e2e/streaming.py" out >main.c || fail "$file: main.c"
  gcc-12 -std=c11 -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all -I out main.c out/*.c -o program ||
    fail "$file: build"
  ./program >errors.txt 2>&1 || fail "$file: $(head -n 5 errors.txt)"
  checked=$((checked + 1))
}

streams "$model"
exports=${O2M_EXPORTS:-$O2M_SOURCE/../shared/models/exports}
if [ -d "$exports" ]; then
  for stem in plain patch_stack patch_unfold cct \
    $([ "${O2M_LARGE:-0}" = 0 ] || echo patch_linear timm_mobilevit timm_swin hf_vit_interpolate); do
    streams "$exports/${stem}__ts17.onnx"
  done
  streams "$exports/patch_split__ts17.onnx" --stream=on  # four convolutions read the image: one loop
  tool compile "$exports/series__ts17.onnx" -v -o series --target=host >series.txt 2>&1 || fail "series"
  grep -q "input in rows: no: .* does not walk along its rows" series.txt || fail "no word why not"
  ! grep -q "_push_rows" series/*.h || fail "functions that cannot work"
  ! tool compile "$exports/series__ts17.onnx" -q -o series --target=host --stream=on 2>error.txt || fail "--stream=on"
  grep -q "the input cannot be pushed in rows, since" error.txt || fail "$(cat error.txt)"
fi
echo "$checked models"
