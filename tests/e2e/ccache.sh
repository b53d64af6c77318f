# Sizes are the same where a ccache stands before the cross compiler: what it brings back has no call graph.
. "$(dirname "$0")/lib.sh"
command -v ccache >/dev/null || { echo "skipped: ccache is not installed"; exit 77; }
mkdir bin
ln -s "$(command -v ccache)" bin/arm-none-eabi-gcc
export CCACHE_DIR=$work/kept
compiled plain
for run in first again; do
  PATH=$PWD/bin:$PATH compiled "$run"
  cmp plain/report.json "$run/report.json" || fail "$run compilation through ccache measures other sizes"
done
grep -q '"code": [0-9]' plain/report.json || fail "no sizes"
