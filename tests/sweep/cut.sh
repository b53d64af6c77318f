# A trained ViT is cut to half of its flash and 70 % of its arena, as compiled, for at most 3 points, without labels; two
# minutes of training leave at most 1.2, and more than 0.5 to what naive slices have then. O2M_SEEDS=1,2,3 and
# O2M_MINUTES=2,10 are the whole of docs/cut_fmnist.md, an hour and a half of processor time.
set -euo pipefail
: "${O2M_SOURCE:?}"
"$O2M_SOURCE/bench/cut" --check
[ -x "${O2M_BUILD:-$O2M_SOURCE/build}/bin/cut_tuned" ] || { echo "skipped: this build cannot train"; exit 77; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$O2M_SOURCE/bench/cut" --tune="$work" --minutes="${O2M_MINUTES:-2}" --seeds="${O2M_SEEDS:-1}" --check
