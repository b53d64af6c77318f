# Every C and C++ file is as clang-format 14 writes it (.clang-format in the root).
# The interface header, laid out by hand as a table, says so in its first line.
. "$(dirname "$0")/lib.sh"

clang-format --version 2>/dev/null | grep -q 'version 14\.' || { echo "skipped: clang-format 14 is not installed"; exit 77; }
mapfile -t files < <(tracked '*.cc' '*.h' '*.hpp' '*.c')
[ ${#files[@]} -gt 0 ] || { echo "no sources found"; exit 1; }
report "run clang-format -i on" "$(clang-format --dry-run "${files[@]}" 2>&1 | grep -oE '^[^ :]+:[0-9]+' | sort -u -t: -k1,1)"
verdict
