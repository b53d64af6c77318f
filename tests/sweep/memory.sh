# docs/memory.md is what bench/memory says today; O2M_WRITE_DOCS writes it. Skipped where torch, which exports the models
# of published size, is not installed.
. "$(dirname "$0")/../e2e/lib.sh"

"$python" -c 'import torch' 2>/dev/null || { echo "skipped: torch is not installed (scripts/setup train)"; exit 77; }
MEMORY_TABLE=$O2M_BUILD/bin/memory_table MODELS=$O2M_BUILD/models "$O2M_SOURCE/bench/memory" >table.md ||
  fail "bench/memory"
[ "$(grep -c '^| ' table.md)" = 6 ] || fail "a header and five models expected: $(cat table.md)"
page=$O2M_SOURCE/docs/memory.md
if [ -n "${O2M_WRITE_DOCS:-}" ]; then
  commit=$(git -C "$O2M_SOURCE" rev-parse --short=12 HEAD)
  cat - table.md >"$page" <<EOS
# Arenas against what they are measured by

Made by \`O2M_WRITE_DOCS=1 ctest --test-dir build -R sweep/memory\` at commit $commit (\`bench/memory\` prints the table for
any models). Bytes; N tokens, E dim, P head dim; \`--residual=s8\` unless said. The input and the outputs are the caller's, in
every column.

- *op by op, greedy*: what interpreters do. Every tensor of the imported graph whole, an int8 each value, each op alone, bias
  and reshaping for nothing; placed greedily by size (Pisarchyk, Lee 2020; TensorFlow Lite Micro).
- *eq. 5*: MCUFormer's account, max over layers of weights + max(in, out), in SRAM.
- *floor*: what remains with weights in flash and no recomputation: the residual stream (NE), the results of all heads but
  the last, K and V of one head (2NP). Scratch and tiles come on top. With s16, the residual stream takes 2NE.
- *over its bound*: the arena against the lower bound of its own schedule, max over time of live bytes; in parentheses,
  the arena against the floor.

EOS
fi
[ -f "$page" ] || fail "docs/memory.md is missing; O2M_WRITE_DOCS=1 makes it"
grep '^|' "$page" | diff - table.md || fail "docs/memory.md is stale; O2M_WRITE_DOCS=1 makes it again"
