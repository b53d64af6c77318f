# A camera's bytes as the input: --input-format, --input-size, --crop, --resize and --channels. The integers are those of the
# same network on planes that numpy made by the definition, and the emulated core gives the bytes of the host.
. "$(dirname "$0")/lib.sh"
camera() { "$python" "$O2M_SOURCE/tests/e2e/camera.py" "$@"; }
camera make

normal=(--mean=0.4,0.45,0.5 --std=0.2,0.25,0.3)
# same MODEL CHANNELS PICTURES FORMAT CROP FULL OPTIONS...
same() {
  local model=$1 channels=$2 pictures=$3 format=$4 crop=$5 full=$6 pixels=("${normal[@]}")
  shift 6
  [ "$channels" = 3 ] || pixels=(--mean=0.4 --std=0.3)
  local given=("$model.onnx" -q "${pixels[@]}" --input-format="$format" "$@")
  camera planes "$pictures" "$format" "$crop" "$full" "$channels"
  tool run "$model.onnx" -q "${pixels[@]}" --inputs=planes.npy --calibrate=planes.npy -o planes.npz >/dev/null
  tool run "${given[@]}" --inputs="$pictures" --calibrate="$pictures" -o camera.npz >/dev/null || fail "run $format $*"
  local order=same
  [ "$format" != bgr ] || order=other
  camera equal planes.npz camera.npz $order || fail "$model $format $* is not what the definition says"
  tool validate "${given[@]}" --inputs="$pictures" --calibrate="$pictures" --limit=3 --json >validate.json || fail "validate"
  "$python" -c 'import json; v = json.load(open("validate.json")); assert v["host_target_diff_bytes"] == 0, v' ||
    fail "$model $format $*: the core computes something else"
  echo "$model $format $*: as defined"
}
same colour 3 small.npy rgb same same
same colour 3 small.npy bgr same same
same padded 3 small.npy bgr same same
same colour 3 small.npy rgb565 same same
same colour 3 small.npy rgb565be same same --image-in-arena
same grey 1 small.npy rgb same same
same colour 3 large.npy bgr 16x12 same --input-size=40x27 --crop=16x12
same colour 3 large.npy rgb565 same 16x12 --input-size=40x27
same colour 3 double.npy rgb same 16x12 --input-size=32x24
same colour 3 large.npy rgb 36x27 20x15 --input-size=40x27 --crop=36x27 --resize=15
same grey 1 large.npy rgb565be same 17x13 --input-size=40x27 --resize=17x13

# A model whose channels are blue, green, red: the planes the other way round.
"$python" -c 'import numpy; x = numpy.load("small.npy"); numpy.save("reversed.npy", x[..., ::-1])'
for format in rgb bgr rgb565; do
  tool run colour.onnx -q "${normal[@]}" --input-format=$format --channels=bgr --inputs=small.npy --calibrate=small.npy -o a.npz >/dev/null
  [ $format = rgb565 ] ||
    tool run colour.onnx -q "${normal[@]}" --inputs=reversed.npy --calibrate=reversed.npy -o b.npz >/dev/null
  [ $format = rgb565 ] || camera equal a.npz b.npz other || fail "--channels=bgr --input-format=$format"
done

# Grey for a model in colour: as three equal planes, to float accuracy.
"$python" - <<'EOS'
import numpy
grey = numpy.load("small.npy")[..., 1]
numpy.save("one.npy", grey)
numpy.save("three.npy", numpy.stack([grey] * 3, 1))
EOS
for name in colour padded; do
  tool run $name.onnx -q "${normal[@]}" --input-format=gray --inputs=one.npy --engine=float -o one.npz >/dev/null
  tool run $name.onnx -q "${normal[@]}" --inputs=three.npy --engine=float -o three.npz >/dev/null
  "$python" -c 'import numpy; a, b = (numpy.load(n)["output"] for n in ("one.npz", "three.npz"))
assert abs(a - b).max() < 1e-5 * abs(b).max(), (a, b)' || fail "grey for $name"
done
tool compile colour.onnx -q "${normal[@]}" --input-format=gray --calibrate=one.npy --target=host -o gray >/dev/null
[ "$(grep -c o2m_conv gray/colour.c)" -le 1 ] && ! ls gray | grep -q camera || fail "grey is not in the first layer"

# Folders of images: of the camera's size, and of others, which are scaled to it. A plain one stays what it is.
camera folders
for folder in pictures plain; do
  array=$([ $folder = plain ] && echo plain.npy || echo large.npy)
  given=(colour.onnx -q "${normal[@]}" --input-format=rgb565 --input-size=40x27)
  tool run "${given[@]}" --calibrate="$folder" --inputs="$folder" -o a.npz >/dev/null || fail "$folder"
  tool run "${given[@]}" --calibrate="$array" --inputs="$array" -o b.npz >/dev/null || fail "$array"
  camera equal a.npz b.npz || fail "$folder differs from $array"
done

# What a camera wrote: packed pixels as they are.
"$python" - <<'EOS'
import numpy
word = (lambda p: p[..., 0] >> 3 << 11 | p[..., 1] >> 2 << 5 | p[..., 2] >> 3)(numpy.load("small.npy").astype(numpy.uint16))
numpy.save("frames.npy", numpy.stack([word & 255, word >> 8], -1).astype(numpy.uint8))
EOS
for inputs in frames small; do
  tool run colour.onnx -q "${normal[@]}" --input-format=rgb565 --calibrate=$inputs.npy --inputs=$inputs.npy -o $inputs.npz >/dev/null
done
camera equal frames.npz small.npz || fail "packed frames"

# Rows of packed pixels, of the model's size and twice that, pushed one by one: the bytes of the whole image.
rows_of() {  # PICTURES OPTIONS...
  rm -rf rows
  tool compile colour.onnx -q "${normal[@]}" --input-format=rgb565 --calibrate="$1" "${@:2}" --stream=on --target=host -o rows >/dev/null ||
    fail "rows of $*"
  "$python" "$O2M_SOURCE/tests/e2e/streaming.py" rows >main.c
  gcc-12 -std=c11 -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all -I rows main.c rows/*.c -o program || fail "build"
  ./program >errors.txt 2>&1 || fail "rows of $*: $(head -n 5 errors.txt)"
}
rows_of double.npy --input-size=32x24
rows_of small.npy
grep -q '// u8 \[12\]\[16\]\[2\]' rows/colour.h && grep -q 'RGB565, low byte first' rows/colour.h || fail "the header does not say"

# A QVGA camera before the trained model of 28 x 28: not a byte more of arena.
"$python" -c 'import numpy; numpy.save("qvga.npy", numpy.random.default_rng(7).integers(0, 256, (2, 240, 320, 3), dtype=numpy.uint8))'
options=(--residual=s8 --target=cortex-m4)
compiled qvga "${options[@]}" --input-format=rgb565 --input-size=320x240 --crop=240x240 --calibrate=qvga.npy
compiled plain_vit "${options[@]}" --calibrate="$images"
arena() { awk '/define .*_ARENA_BYTES/ { print $3 }' "$1"/*.h; }
[ "$(arena qvga)" = "$(arena plain_vit)" ] || fail "the arena is $(arena qvga) bytes, without a camera $(arena plain_vit)"
echo "arena $(arena qvga) bytes, with a camera as without"
