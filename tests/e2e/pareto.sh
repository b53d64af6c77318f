# --pareto: the schedules that no other one beats, the chosen one marked; compile and inspect agree, and so does the JSON.
. "$(dirname "$0")/lib.sh"

tool compile "$model" -q --pareto -o out >compile.txt
tool inspect "$model" -q --pareto >inspect.txt
tool inspect "$model" -q --pareto --json >inspect.json
tool inspect "$model" -q --json >plain.json
table() { sed -n '/^ *arena B /,$p' "$1"; }
table compile.txt >table.txt
[ "$(wc -l <table.txt)" -ge 3 ] || fail "no frontier: $(cat compile.txt)"
table inspect.txt | diff table.txt - || fail "compile and inspect differ"
! grep -q alternatives plain.json || fail "inspect --json lists schedules nobody asked for"
"$python" - table.txt out/report.json inspect.json <<'EOS'
import json, re, sys
rows = []
for line in open(sys.argv[1]).read().splitlines()[1:]:
    chosen, arena, _, instructions, reads, exact, name = re.fullmatch(
        r"  (\*?) +([\d,]+) +([\d.]+) +([\d,]+) +([\d,]+)  (exact|numeric) +(.*)", line).groups()
    number = lambda text: int(text.replace(",", ""))
    rows.append((number(arena), number(instructions), number(reads), exact == "exact", chosen == "*", name))
assert sum(row[4] for row in rows) == 1, "one is chosen"
assert rows == sorted(rows), "by arena"
for a, b in zip(rows, rows[1:]):
    assert a[0] < b[0] and a[1] > b[1], f"{b} is dominated by {a}"
keys = ("arena_bytes", "instructions_estimate", "flash_bytes_read", "exact", "chosen", "name")
report, inspect = json.load(open(sys.argv[2])), json.load(open(sys.argv[3]))
for where, alternatives in ("report.json", report["alternatives"]), ("inspect --json", inspect["alternatives"]):
    assert sorted(tuple(a[k] for k in keys) for a in alternatives) == rows, where
chosen = next(row for row in rows if row[4])
assert chosen[0] == report["arena_bytes"] == inspect["arena_bytes"] and chosen[1] == report["instructions_estimate"]
assert chosen[2] == sum(row["flash_bytes_read"] for row in report["schedule"]) > 0
EOS

# Inspect counts weights as the program holds them: a node that a schedule repeats has them once.
# With calibration inputs the table ends in what another rounding costs, and the JSON has it by schedule.
tool compile "$model" -q --pareto --residual=s8 --calibrate="$training" -o measured >measured.txt
grep -qE '^  numeric schedules: SQNR [0-9.]+ dB instead of [0-9.]+, top-1 .* of 64 inputs' measured.txt || fail "no cost of rounding"
"$python" - out/report.json inspect.json measured/report.json <<'EOS'
import json, sys
report, inspect, measured = (json.load(open(path)) for path in sys.argv[1:])
assert inspect["weights_bytes"] == report["flash"]["weights"], (inspect["weights_bytes"], report["flash"]["weights"])
assert len({a["name"] for a in measured["alternatives"]}) == len(measured["alternatives"]), "names are shared"
numeric = [a for a in measured["alternatives"] if not a["exact"]]
assert numeric and all(0.99 < a["cosine"] < 1 and a["agreement"] > 0.9 for a in numeric), numeric
assert {a["cosine"] for a in measured["alternatives"] if a["exact"]} == {1.0}
exact = next(a for a in measured["alternatives"] if a["exact"])
assert abs(exact["sqnr_db"] - numeric[0]["sqnr_db"]) < 3 and exact["sqnr_db"] != numeric[0]["sqnr_db"]
EOS
