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
