# Every op's tests, 10,000 random cases and the worst cases among them, with plugin and kernels built under the
# address and undefined behaviour sanitizers: no overflow, no shift out of range, no byte outside of scratch.
# O2M_OPS: names of some ops.
. "$(dirname "$0")/../e2e/lib.sh"

flags="-O1 -g1 -fsanitize=address,undefined -fno-sanitize=vptr -fno-sanitize-recover=all -fno-omit-frame-pointer"

# kernels_of FOLDER: scalar ones, its own and those that its CMakeLists.txt takes from other folders, as ../OP/FILE
kernels_of() {
  (cd "$1" && realpath -q $(ls o2m_*.c $(grep -shoE '\.\./[a-z_]+/o2m_[a-z0-9_*]+\.c' CMakeLists.txt) 2>/dev/null)) |
    grep -vE '_(mve|dsp|rv32|armv7m|armv6m)\.c$'
}

sanitized() { # OP
  local op=$1 folder=$O2M_SOURCE/ops/$1 kernels=() objects=() tests=()
  mapfile -t kernels < <(kernels_of "$folder")
  local includes="-I$O2M_SOURCE -I$O2M_SOURCE/ops $(printf -- '-I%s ' "$O2M_SOURCE"/ops/*/) -I$O2M_BUILD/op_$op.generated"
  [ -d "$O2M_BUILD/op_$op.generated" ] || includes+=" -I$O2M_BUILD/ops/$op/op_$op.generated"
  for file in "${kernels[@]}"; do
    cc -std=c11 $flags -fPIC $includes -c "$file" -o "$op.$(basename "$file").o"
    objects+=("$op.$(basename "$file").o")
  done
  c++ -std=c++20 $flags -fPIC -shared $includes "$folder/$op.cc" "${objects[@]}" -o "$op.so"
  for file in "$folder"/*_test.cc; do
    c++ -std=c++20 $flags $includes -DO2M_PLUGIN="\"$PWD/$op.so\"" -c "$file" -o "$(basename "$file").o"
    tests+=("$(basename "$file").o")
  done
  c++ -std=c++20 $flags "${tests[@]}" "${objects[@]}" -o "$op.test" -lgtest -lgtest_main -lgmock -ldl -pthread
  "./$op.test" >"$op.txt" 2>&1 || { grep -E 'runtime error|ERROR|Failure' "$op.txt" | head -n 3; return 1; }
  tail -n 1 "$op.txt"
}

for op in ${O2M_OPS:-$(cd "$O2M_SOURCE/ops" && for op in */; do echo "${op%/}"; done)}; do
  echo "$op"
  sanitized "$op" || fail "$op under the sanitizers"
done
