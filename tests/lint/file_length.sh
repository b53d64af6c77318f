# A source file has at most 500 lines.
. "$(dirname "$0")/lib.sh"

mapfile -t files < <(tracked '*.cc' '*.h' '*.hpp' '*.c' '*.py' '*.sh' '*.cmake' 'CMakeLists.txt' 'scripts/*')
[ ${#files[@]} -gt 0 ] || { echo "no sources found"; exit 1; }
report "over 500 lines" "$(wc -l "${files[@]}" | awk '$1 > 500 && $2 != "total" { print $2 ": " $1 }')"
verdict
