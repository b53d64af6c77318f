# Integerised models of the Deeploy project give their golden outputs, on the host and on emulated cores. Skipped where the
# collection of models is not beside the repository.
. "$(dirname "$0")/lib.sh"

models=${O2M_INTEGER_MODELS:-$O2M_SOURCE/../shared/models/integer}
[ -d "$models" ] || { echo "skipped: no $models"; exit 77; }
for path in "$models"/*/network.onnx; do
  folder=$(dirname "$path")
  for options in --engine=float --engine=int8 "--engine=emulator --target=cortex-m4" "--engine=emulator --target=cortex-m7"; do
    # shellcheck disable=SC2086
    tool run "$path" -q --inputs="$folder/inputs.npz" $options -o out.npz >/dev/null || fail "$folder $options"
    "$python" - "$folder/outputs.npz" <<'EOS' || fail "$folder $options"
import sys
import numpy as np
out, golden = np.load("out.npz"), np.load(sys.argv[1])
for i, name in enumerate(golden.files):
    got = out[f"output{i}" if i else "output"].ravel()
    assert np.array_equal(got, golden[name].ravel()), (name, got[:10], golden[name].ravel()[:10])
EOS
  done
  echo "$(basename "$folder"): golden"
done
