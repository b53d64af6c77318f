# Every exported model in other spellings: the same plan to the byte. Models that no compile takes are named and left out.
. "$(dirname "$0")/../e2e/lib.sh"

exports=${O2M_EXPORTS:-$O2M_SOURCE/../shared/models/exports}
[ -d "$exports" ] || { echo "skipped: no exported models; O2M_EXPORTS names their folder"; exit 77; }
taken=()
while read -r file; do
  if tool inspect "$file" -q >inspect.txt 2>&1; then taken+=("$file"); else echo "left out: $(head -n 1 inspect.txt)"; fi
done < <(find "$exports" -name '*.onnx' | sort)
[ ${#taken[@]} -gt 0 ] || fail "no model is taken"
"$python" "$O2M_SOURCE/tests/e2e/same_plan.py" "${taken[@]}" || fail "plans depend on the spelling"
