# Zeros in the weights are found: a model pruned in blocks takes fewer instructions and less flash, with the bytes of
# dense weights (what the Cortex-M55 takes by time). --optimize=flash takes whatever is smallest.
. "$(dirname "$0")/lib.sh"

prune=$O2M_SOURCE/tests/e2e/prune.py
"$python" "$prune" "$model" pruned.onnx 0.75
"$python" "$prune" "$model" two_of_four.onnx 0.5 2:4
for name in pruned two_of_four; do
  tool run $name.onnx -q --inputs="$images" --limit=40 --target=cortex-m55 -o dense.npz >/dev/null
  tool run $name.onnx -q --inputs="$images" --limit=40 -o m4.npz >/dev/null
  tool run $name.onnx -q --inputs="$images" --limit=40 --target=cortex-m0 --optimize=flash -o flash.npz >/dev/null
  "$python" - dense.npz m4.npz flash.npz <<'EOS' || fail "$name: other bytes than with dense weights"
import sys, numpy as np
dense, *others = (np.load(path)["output_q"] for path in sys.argv[1:])
assert all((dense == other).all() for other in others)
EOS
done
tool compile "$model" -q -o dense >/dev/null
tool compile pruned.onnx -q -o sparse >sparse.txt
tool compile two_of_four.onnx -q --optimize=flash -o nm >/dev/null
grep -qE 'weights .* B .* of [0-9]+ layers [0-9]+ sparse_1x4' sparse.txt || fail "the summary does not tell: $(cat sparse.txt)"
for target in cortex-m4 cortex-m3 rv32imc; do
  tool validate "$model" -q --json --inputs="$images" --limit=2 --target=$target >dense_$target.json
  tool validate pruned.onnx -q --json --inputs="$images" --limit=2 --target=$target >sparse_$target.json
done
# two rows a call, for which the sparse form that is quicker for all at once is 2.5 times slower
for name in dense sparse; do
  file=$model
  [ $name = dense ] || file=pruned.onnx
  tool validate "$file" -q --json --inputs="$images" --limit=1 --target=cortex-m3 --residual=s16 >${name}_wide.json
done
"$python" - <<'EOS'
import json
load = lambda path: json.load(open(path))
dense, sparse, nm = (load(f"{name}/report.json") for name in ("dense", "sparse", "nm"))
variants = lambda report: [row["variant"] for row in report["schedule"] if row["variant"]]
assert set(variants(dense)) == {"dense"}, variants(dense)
assert variants(sparse).count("sparse_1x4") >= 16, variants(sparse)
assert variants(nm).count("nonzeros") >= 16, variants(nm)
assert sparse["flash"]["weights"] < 0.5 * dense["flash"]["weights"]
assert nm["flash"]["weights"] < 0.75 * dense["flash"]["weights"]
assert sparse["arena_bytes"] <= 1.06 * dense["arena_bytes"]
for target, most in ("cortex-m4", 0.8), ("cortex-m3", 1.005), ("rv32imc", 0.95), ("wide", 1.005):
    a, b = load(f"dense_{target}.json"), load(f"sparse_{target}.json")
    assert b["host_target_diff_bytes"] == 0, target
    print(target, a["target_instructions"], b["target_instructions"])
    assert b["target_instructions"] < most * a["target_instructions"], (target, a["target_instructions"], b["target_instructions"])
EOS
