# `ops` names every plugin that was built and refuses none of them; `targets` knows every core and board.
. "$(dirname "$0")/lib.sh"

tool ops >ops.txt
no ops.txt '^refused' "a built-in plugin is refused"
for plugin in "$O2M_BUILD"/bin/plugins/*.so; do
  grep -q "/$(basename "$plugin")\$" ops.txt || fail "$(basename "$plugin") serves no op"
done
[ "$(wc -l <ops.txt)" -ge 10 ] || fail "ten ops at least"
tool ops --onnx >onnx.txt
grep -qE '^ +(Softmax|LayerNormalization)$' onnx.txt || fail "ops --onnx lists no Softmax"
grep -qE '^ +Softmax +-> o2m.softmax$' onnx.txt || fail "ops --onnx does not say what Softmax becomes"
tool targets >targets.txt
for id in host cortex-m0 cortex-m3 cortex-m4 cortex-m7 cortex-m33 cortex-m55 rv32imc \
          stm32f427 stm32f746 stm32h743 stm32l476 nrf52840 rp2040 rp2350 esp32c3; do
  grep -qE "^ +$id " targets.txt || fail "targets: no $id"
done
grep -qE 'stm32f746 .*cortex-m7 .*216 MHz .*1024 KiB.*QSPI 16384 KiB .*320 KiB' targets.txt || fail "targets: stm32f746's figures"
tool ops --json >ops.json
tool targets --json >targets.json
"$python" - <<'EOS' || fail "JSON"
import json
ops, targets = json.load(open("ops.json")), json.load(open("targets.json"))
assert len(ops["ops"]) >= 10 and ops["refused"] == []
assert all({"id", "plugin", "version", "file"} <= op.keys() and "/" not in op["file"] for op in ops["ops"])
assert len({op["id"] for op in ops["ops"]}) == len(ops["ops"])
assert len(targets["targets"]) >= 8 and len(targets["boards"]) >= 4
assert all(b["ram"] and b["flash"] > 0 and b["clock_hz"] > 0 for b in targets["boards"])
EOS
