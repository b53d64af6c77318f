# DeiT-Tiny/224 at its real size, one whole inference on the emulated Cortex-M7, weights in 16 MiB of external flash: not a
# byte differs from the host. Skipped where torch, which exports it, is not installed.
. "$(dirname "$0")/lib.sh"

"$python" -c 'import importlib.util as u; exit(u.find_spec("torch") is None)' || { echo "skipped: torch is not installed (scripts/setup train)"; exit 77; }
"$python" "$O2M_SOURCE/models/export_vit.py" deit_tiny deit_tiny.onnx >/dev/null 2>&1 || fail "the export"
"$python" -c 'import numpy; numpy.save("x.npy", numpy.random.default_rng(1).standard_normal((2, 3, 224, 224), "float32"))'
SECONDS=0
tool validate deit_tiny.onnx -q --json --residual=s8 --target=cortex-m7 --flash=16M --calibrate=x.npy --inputs=x.npy \
  --limit=1 >validate.json || fail "validate"
"$python" - "$SECONDS" <<'EOS' || fail "cortex-m7"
import json, sys
v = json.load(open("validate.json"))
ram, flash = v["ram_measured"], v["flash_measured"]
assert v["inputs"] == 1 and v["host_target_diff_bytes"] == 0, v["host_target_diff_bytes"]
assert v["output_cosine"] > 0.9 and v["target_instructions"] > 1e9 and v["guard_regions"] > 4, v
assert ram["data"] == ram["bss"] == 0 and ram["total"] <= ram["arena"] + 2048, ram
assert 5.5e6 < flash["weights"] < 16 << 20, flash
print(f"arena {ram['arena']:,} B, total RAM {ram['total']:,} B, {v['target_instructions']:,} instructions, {sys.argv[1]} s")
EOS
