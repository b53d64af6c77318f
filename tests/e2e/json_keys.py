"""json_keys.py REPORT INSPECT RUN VALIDATE: the keys that scripts read, and what must hold between their values."""
import json
import sys

report, inspect, run, validate = (json.load(open(path)) for path in sys.argv[1:])


def need(where, value, keys):
    missing = set(keys.split()) - value.keys()
    assert not missing, f"{where}: {sorted(missing)} missing"


need("report", report, "schema_version model target onnx2mcu_version input outputs macs arena_bytes "
     "arena_lower_bound_bytes arena_optimal ram flash instructions_estimate schedule tensors quantization alternatives warnings")
need("input", report["input"], "shape dtype bytes")
need("output", report["outputs"][0], "shape dtype bytes scale zero_point")
need("ram", report["ram"], "arena data bss stack")
need("flash", report["flash"], "weights code constants")
need("quantization", report["quantization"], "method inputs residual")
assert report["schedule"] and report["tensors"] and report["alternatives"]
for row in report["schedule"]:
    need("schedule", row, "stage kernel rows macs instructions live_bytes")
for tensor in report["tensors"]:
    need("tensors", tensor, "name shape dtype offset bytes first_stage last_stage")
    assert 0 <= tensor["offset"] and tensor["offset"] + tensor["bytes"] <= report["arena_bytes"], tensor
    assert tensor["first_stage"] <= tensor["last_stage"], tensor
assert any("scale" in t and "zero_point" in t for t in report["tensors"])
assert report["arena_lower_bound_bytes"] <= report["arena_bytes"] == report["ram"]["arena"]
assert report["arena_optimal"] is True or report["arena_lower_bound_bytes"] < report["arena_bytes"]
assert max(row["live_bytes"] for row in report["schedule"]) <= report["arena_bytes"]
assert report["ram"]["data"] == report["ram"]["bss"] == 0
assert report["input"]["dtype"] == "u8" and report["input"]["bytes"] == 784
assert report["quantization"]["inputs"] > 0 and report["target"] == "cortex-m7"
points = [(a["arena_bytes"], a["instructions_estimate"], a["flash_bytes"]) for a in report["alternatives"]]
for a in report["alternatives"]:
    need("alternatives", a, "name exact cosine arena_bytes instructions_estimate flash_bytes flash_bytes_read chosen")
assert [a["chosen"] for a in report["alternatives"]] == [i == 0 for i in range(len(points))], "the chosen one comes first"
assert report["alternatives"][0]["flash_bytes_read"] == sum(row["flash_bytes_read"] for row in report["schedule"])
for i, a in enumerate(points):
    for j, b in enumerate(points):
        assert i == j or not all(x <= y for x, y in zip(a, b)), f"alternative {b} is dominated by {a}"
for name in ("weights", "code", "constants"):
    assert isinstance(report["flash"][name], int) and report["flash"][name] >= 0, f"flash.{name} is no number"

need("inspect", inspect, "model inputs outputs ops macs weights_bytes arena_bytes boards")
assert inspect["macs"] == report["macs"] and {"id", "nodes", "plugin"} <= inspect["ops"][0].keys()
assert "stm32f746" in inspect["boards"]
assert len(run) == 7 and all(len(top) == 5 and {"class", "value"} <= top[0].keys() for top in run)
assert all(top == sorted(top, key=lambda t: -t["value"]) for top in run)

need("validate", validate, "inputs float_top1 int8_top1 target_top1 agreement host_target_diff_bytes output_cosine "
     "output_sqnr_db tensors first_diverging target_instructions ram_measured flash_measured cos rmse mae l2r nse")
need("ram_measured", validate["ram_measured"], "arena data bss stack")
assert validate["inputs"] == 20 and validate["host_target_diff_bytes"] == 0 and validate["tensors"]
assert validate["int8_top1"] == validate["target_top1"] and 0.5 <= validate["float_top1"] <= 1
assert 0.9 < validate["output_cosine"] <= 1 and 0 <= validate["agreement"] <= 1
assert validate["ram_measured"]["stack"] <= 1024 and validate["ram_measured"]["data"] == 0
assert validate["target_instructions"] > 1e5
worst = [t["sqnr_db"] for t in validate["tensors"]]
assert worst == sorted(worst), "tensors are listed worst first"
