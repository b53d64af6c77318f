# The generated C: no warning from gcc or clang, C++17 too, no writable data, formatted.
. "$(dirname "$0")/lib.sh"

name=$(basename "$model" .onnx)
compiled out --selftest --example
cd out
for compiler in gcc-12 clang-14; do
  for level in -O0 -O3; do $compiler "${warnings[@]}" -pedantic $level -c ./*.c || fail "$compiler $level"; done
done
for compiler in g++-12 clang++-14; do
  for file in *.c; do
    [ "$file" = main.c ] || $compiler -x c++ -std=c++17 -Wall -Wextra -Wshadow -Werror -c "$file" -o /dev/null || fail "$file"
  done
done
arm-none-eabi-gcc -mcpu=cortex-m4 -mthumb "${warnings[@]}" -O2 -I "$runtime" -c $(ls ./*.c | grep -v main.c) || fail "arm"
rm -f main.o
arm-none-eabi-nm ./*.o >symbols.txt
no symbols.txt ' [DdBbCcSs] ' "writable data"
arm-none-eabi-size -A ./*.o | awk '$1 ~ /^\.(data|bss)/ && $2 > 0 { print; bad = 1 } END { exit bad }' || fail ".data or .bss"
awk '$2 == "T" || $2 == "R" { print $3 }' symbols.txt | grep -vE "^${name}(_|\$)" && fail "a name without the model's prefix"
clang-format-14 --dry-run -Werror $(ls ./*.[ch] | grep -v '^./o2m_') || fail "not as clang-format writes it"
