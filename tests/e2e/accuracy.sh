# int8 over all 10,000 test images, on the host, within 0.3 points of float; float at 90.5 % or more.
. "$(dirname "$0")/lib.sh"

for engine in float int8; do
  tool run "$model" -q --target=host --calibrate="$training" --inputs="$images" --engine=$engine -o $engine.npz >/dev/null
done
"$python" - "$labels" <<'EOS'
import gzip, sys
import numpy as np
labels = np.frombuffer(gzip.open(sys.argv[1]).read(), np.uint8, offset=8)
top1 = {name: (np.load(name + ".npz")["output"].reshape(10000, 10).argmax(1) == labels).mean() * 100
        for name in ("float", "int8")}
print(top1)
assert top1["float"] >= 90.5 and top1["int8"] >= top1["float"] - 0.3, top1
EOS
