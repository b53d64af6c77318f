# A board sets core, budgets and clock; the summary holds the figures against it.
. "$(dirname "$0")/lib.sh"

for board in stm32f427:cortex-m4:180 stm32f746:cortex-m7:216 stm32h743:cortex-m7:480 stm32l476:cortex-m4:80; do
  IFS=: read -r id core clock <<<"$board"
  compiled "$id" --board="$id"
  grep -qE "^$id: .* for $core on $id\$" "$id.txt" || fail "$id: $(head -n 1 "$id.txt")"
  grep -qE "TOTAL flash .* % of [0-9,]+ KiB" "$id.txt" || fail "$id: flash is not compared with the board"
  grep -qE "TOTAL RAM .* % of [0-9,]+ KiB \(stack [0-9]+ B included\)" "$id.txt" || fail "$id: RAM is not compared"
  grep -qE "instructions per inference; [0-9.]+ ms at $clock MHz .*estimate" "$id.txt" || fail "$id: no time"
  arena=$(grep -oE '"arena_bytes": [0-9]+' "$id/report.json" | head -n 1 | tr -dc 0-9)
  grep -qE "^ +activations +$(printf "%'d" "$arena" | tr -d ,| sed -E ':a;s/([0-9])([0-9]{3})(,|$)/\1,\2\3/;ta') B" "$id.txt" ||
    fail "$id: summary and report differ in the arena"
done
# a budget makes the planner save RAM: with what the least schedule needs, it fits
compiled free
compiled least --optimize=ram
least=$(grep -oE '"arena_bytes": [0-9]+' least/report.json | head -n 1 | tr -dc 0-9)
free=$(grep -oE '"arena_bytes": [0-9]+' free/report.json | head -n 1 | tr -dc 0-9)
[ "$least" -le "$free" ] || fail "--optimize=ram takes more ($least B) than balanced ($free B)"
compiled tight --ram=$((least + 1024))
