# Calibration samples, inputs, labels.
calibrating() { compiling sound --calibrate="$1"; }
image() { compiling image --calibrate="$1" --mean=0.5 --std=0.25; }
validating() { tool validate "$MODELS/sound.onnx" --target=host --inputs="$MODELS/x.npy" --labels="$1"; }

case_inputs_missing() { refused 'none\.npy' 'cannot be read|no such file' '.' calibrating none.npy; }
case_inputs_of_wrong_shape() {
  refused 'x_wrong_shape\.npy' '\[1,8,16\].*\[4,8,12\]' 'give \[n, \.\.\.\]' calibrating "$MODELS/x_wrong_shape.npy"
}
case_inputs_of_wrong_dtype() { refused 'x_complex\.npy' "'<c8'" 'float32' calibrating "$MODELS/x_complex.npy"; }
case_inputs_of_text() { refused 'x_text\.npy' "'<U3'" 'float32' calibrating "$MODELS/x_text.npy"; }
case_inputs_in_fortran_order() { refused 'x_fortran\.npy' 'Fortran' 'write it again' calibrating "$MODELS/x_fortran.npy"; }
case_inputs_with_nan() { refused 'x_nan\.npy' 'NaN' 'remove' calibrating "$MODELS/x_nan.npy"; }
case_inputs_empty() { refused 'x_none\.npy' 'no sample' 'at least one' calibrating "$MODELS/x_none.npy"; }
case_inputs_cut_off() { refused 'x_cut\.npy' 'cut off' 'write it again' calibrating "$MODELS/x_cut.npy"; }
case_inputs_npz_cut_off() { refused 'x_cut\.npz' '.' 'write it again' calibrating "$MODELS/x_cut.npz"; }
case_inputs_npz_without_a_fit() { refused 'x\.npz' 'no array fits.*left.*right' 'npz:key' calibrating "$MODELS/x.npz"; }
case_inputs_npz_of_wrong_key() { refused 'x\.npz' 'no array' 'npz:key' calibrating "$MODELS/x.npz:middle"; }
case_inputs_not_an_array() { refused 'sound\.onnx' 'not a \.npy' 'numpy\.save' calibrating "$MODELS/sound.onnx"; }
case_inputs_second_missing() {
  refused 'two_inputs\.onnx' "no samples for input 'b'" 'b=FILE' compiling two_inputs --calibrate="a=$MODELS/a.npy"
}
case_inputs_of_an_unknown_name() {
  refused 'c=' '.' "'?a'?.*'?b'?|a=" compiling two_inputs --calibrate="c=$MODELS/a.npy" --calibrate="b=$MODELS/a.npy"
}
case_pixels_without_normalisation() {
  refused 'pixels\.npy' 'normalised' '--mean and --std' compiling image --calibrate="$MODELS/pixels.npy"
}
case_images_of_wrong_size() { refused 'pixels_wide\.npy' '8,8.*8,9' 'give' image "$MODELS/pixels_wide.npy"; }
case_images_unreadable() {
  mkdir photos && printf '\x89PNG\r\n\x1a\nnot really' >photos/a.png
  refused 'photos/a\.png' 'not a readable PNG or JPEG' 'replace' image photos
}
case_images_none_in_folder() { mkdir photos && touch photos/notes.txt; refused 'photos' 'no PNG or JPEG' 'sub-folders' image photos; }
case_images_of_another_size() {
  mkdir photos && "$O2M_SOURCE/.venv/bin/python" - <<'PYTHON' || exit 1
import struct, zlib
def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
rows = b"".join(b"\0" + bytes(9) for _ in range(8))
open("photos/a.png", "wb").write(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 9, 8, 8, 0, 0, 0, 0))
                                 + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))
PYTHON
  refused 'photos/a\.png' '9 x 8.*8 x 8' 'resize' image photos
}
case_images_for_no_image_input() { mkdir photos; refused 'photos' '\[1,16\]' 'array' compiling two_inputs --calibrate=a=photos; }
case_labels_of_another_length() { refused 'labels_3\.npy' '3 labels for 4' 'one integer per input' validating "$MODELS/labels_3.npy"; }
case_labels_not_integers() { printf '1\ncat\n3\n4\n' >y.txt; refused 'y\.txt' "'cat' is not a label" 'integer' validating y.txt; }
case_labels_missing() { refused 'y\.npy' 'cannot be read|no such file' '.' validating y.npy; }
case_labels_out_of_range() { printf '1\n2\n3\n10\n' >y.txt; refused 'y\.txt' '10' '0 to 9|0\.\.9|10 classes' validating y.txt; }
