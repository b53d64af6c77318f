# DeiT-Tiny/224 at its real size: time, host memory and arena. Skipped where torch, which exports it, is not installed.
. "$(dirname "$0")/lib.sh"

"$python" -c 'import importlib.util as u; exit(u.find_spec("torch") is None)' || { echo "skipped: torch is not installed (scripts/setup train)"; exit 77; }
"$python" "$O2M_SOURCE/models/export_vit.py" deit_tiny deit_tiny.onnx >/dev/null 2>&1 || fail "the export"
"$python" -c 'import numpy; numpy.save("x.npy", numpy.random.default_rng(1).standard_normal((32, 3, 224, 224), "float32"))'
compile_deit() { "$ONNX2MCU" deit_tiny.onnx --residual=s8 -q "$@"; }
seconds=$(fewest_seconds compile_deit -o plain)
awk "BEGIN { exit !($seconds <= 20) }" || fail "compiling without images takes $seconds s"
seconds=$(fewest_seconds compile_deit --calibrate=x.npy -o calibrated)
awk "BEGIN { exit !($seconds <= 60) }" || fail "compiling with 32 images takes $seconds s"
peak=$("$python" - "$ONNX2MCU" <<'EOS'
import resource, subprocess, sys
subprocess.run([sys.argv[1], "deit_tiny.onnx", "--residual=s8", "-q", "-o", "again"], check=True, stdout=subprocess.DEVNULL)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
EOS
)
[ "$peak" -le $((2 * 1024 * 1024)) ] || fail "$peak KiB of host memory"
arena=$("$python" -c 'import json; print(json.load(open("calibrated/report.json"))["arena_bytes"])')
[ "$arena" -le 125000 ] || fail "arena of $arena B"
echo "arena $arena B, peak $peak KiB, $seconds s with 32 images"
