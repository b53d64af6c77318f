# Every schedule on the frontier of the trained network runs on the emulated Cortex-M4: at least five, none dominated, the
# target like the host to the byte. The host run of every exact one gives the same bytes; numeric ones, which need less RAM
# than any exact one, give those of their own graph. Both ends and one between run here, all with O2M_LARGE
# (tests/sweep/frontier.sh).
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

tool inspect "$model" -q --residual=s8 --pareto --json --calibrate="$training" >frontier.json || fail "inspect"
arenas=$("$python" - <<'EOS'
import json, os
frontier = sorted(json.load(open("frontier.json"))["alternatives"], key=lambda a: a["arena_bytes"])
assert len(frontier) >= 5, len(frontier)
for a, b in zip(frontier, frontier[1:]):
    assert a["arena_bytes"] < b["arena_bytes"] and a["instructions_estimate"] > b["instructions_estimate"], (a, b)
kinds = [a["exact"] for a in frontier]
assert kinds == sorted(kinds) and kinds.count(True) >= 5 and kinds.count(False) >= 1, kinds
arenas = [a["arena_bytes"] for a in frontier]
few = [arenas[i * (len(arenas) - 1) // 2] for i in range(3)]
print(*(arenas if os.environ.get("O2M_LARGE", "0") == "1" else few))
EOS
)
for arena in $arenas; do
  options=(-q --residual=s8 --calibrate="$training" --ram=$((arena + 1024)))  # the stack's allowance
  tool validate "$model" "${options[@]}" --json --target=cortex-m4 --inputs="$images" --limit=2 >"$arena.json" ||
    fail "validate with an arena of $arena B"
  tool run "$model" "${options[@]}" --inputs="$images" --limit=20 -o "$arena.npz" >/dev/null || fail "run"
done
"$python" - $arenas <<'EOS' || fail "the frontier"
import json, sys
import numpy
exact = {str(a["arena_bytes"]): a["exact"] for a in json.load(open("frontier.json"))["alternatives"]}
last = numpy.load(sys.argv[-1] + ".npz")["output_q"]
for arena in sys.argv[1:]:
    v = json.load(open(arena + ".json"))
    assert v["ram_measured"]["arena"] == int(arena), (arena, v["ram_measured"])
    assert v["inputs"] == 2 and v["host_target_diff_bytes"] == 0, (arena, v["host_target_diff_bytes"])
    assert not exact[arena] or numpy.array_equal(numpy.load(arena + ".npz")["output_q"], last), arena
    print(f"arena {arena} B: {v['target_instructions']} instructions")
EOS
