# inspect answers within 2 s; a compile with 64 images takes at most 10 s.
. "$(dirname "$0")/lib.sh"

"$python" - "$training" <<'EOS'
import gzip, sys
import numpy as np
data = np.frombuffer(gzip.open(sys.argv[1]).read(16 + 64 * 784), np.uint8, offset=16)
np.save("calibration.npy", data.reshape(64, 28, 28))
EOS
seconds=$(fewest_seconds tool inspect "$model")
awk "BEGIN { exit !($seconds <= 2) }" || fail "inspect takes $seconds s"
seconds=$(fewest_seconds tool "$model" --board=stm32f746 --calibrate=calibration.npy -o out)
[ -s out/report.json ] || fail "no output"
awk "BEGIN { exit !($seconds <= 10) }" || fail "compiling takes $seconds s"
tool inspect "$model" >inspect.txt
grep -qE '^ +MACs +[0-9,]+$' inspect.txt && grep -qE '^ +blocks +4$' inspect.txt && grep -qE '^ +fits .*stm32f746' inspect.txt || fail "inspect: $(cat inspect.txt)"
