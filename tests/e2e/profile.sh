# validate --profile: every kernel call of the schedule with its instructions, which add up to what was counted without
# marks; as JSON and as a table. The host, which is not emulated, is refused.
. "$(dirname "$0")/lib.sh"

common=("$model" --calibrate="$training" --inputs="$images" --limit=3 -q --profile)
tool compile "$model" --calibrate="$training" -q -o out
tool validate "${common[@]}" --json >profile.json
"$python" - out/report.json profile.json <<'EOS'
import json
import sys

report, validation = (json.load(open(path)) for path in sys.argv[1:])
rows = validation["profile"]
keys = ["stage", "kernel", "name", "calls", "instructions", "instructions_estimate", "cycles_estimate", "macs"]
assert all(list(row) == keys for row in rows), rows[0]
layers, rest = rows[:-1], rows[-1]
assert rest["stage"] is None and 0 < rest["instructions"] < 1000, rest
planned = sum(row["instructions_estimate"] for row in layers)
assert planned == report["instructions_estimate"], (planned, report["instructions_estimate"])
assert abs(planned / sum(row["instructions"] for row in rows) - 1) < 0.05, planned
large = [row for row in layers if row["instructions"] * 100 > planned]
assert all(abs(row["instructions_estimate"] / row["instructions"] - 1) < 0.1 for row in large), large
schedule = [(row["stage"], row["kernel"], row["name"], row["macs"]) for row in report["schedule"]]
assert [(row["stage"], row["kernel"], row["name"], row["macs"]) for row in layers] == schedule
assert all(row["calls"] > 0 and row["cycles_estimate"] >= row["instructions"] > row["calls"] for row in layers)
total, counted = sum(row["instructions"] for row in rows), validation["target_instructions"]
assert abs(total - counted) <= counted / 1000, (total, counted)  # marks may change what the compiler does around calls
assert validation["target_cycles_estimate"] > counted
EOS
tool validate "${common[@]}" --target=rv32imc >profile.txt
grep -q 'linear_s8' profile.txt && grep -q 'layers of one inference' profile.txt || fail "no table"
if tool validate "${common[@]}" --target=host >host.txt 2>&1; then fail "the host is not emulated"; fi
grep -q "'host' is not emulated; choose a core" host.txt || fail "what would work is not said"
