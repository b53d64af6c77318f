# What scripts read: every key of docs' interface is there, with a value that makes sense.
. "$(dirname "$0")/lib.sh"

common=(--calibrate="$training" -q)
tool compile "$model" "${common[@]}" --board=stm32f746 --json -o out >stdout.json
diff stdout.json out/report.json || fail "compile --json prints the report"
tool inspect "$model" --json >inspect.json
tool run "$model" "${common[@]}" --inputs="$images" --limit=7 --json >run.json
tool validate "$model" "${common[@]}" --inputs="$images" --labels="$labels" --limit=20 --json >validate.json
"$python" "$O2M_SOURCE/tests/e2e/json_keys.py" out/report.json inspect.json run.json validate.json
