# Objects for cores without a floating point unit call integer helpers and copies only: any float would show.
. "$(dirname "$0")/lib.sh"

allowed='^(memcpy|memset|memmove|__aeabi_(u?idiv|u?idivmod|u?ldivmod|lmul|llsl|llsr|lasr|lcmp|ulcmp|memcpy[48]?|memset[48]?|'\
'memclr[48]?|memmove[48]?)|__gnu_thumb1_case_(uqi|sqi|uhi|shi|si)|__(u?divdi3|u?moddi3|muldi3|ashldi3|ashrdi3|lshrdi3|clz[sd]i2))$'
name=$(basename "$model" .onnx)
# objects COMPILER FLAGS...: compiles the folder and prints the names that it needs from elsewhere.
objects() {
  local compiler=$1
  shift
  rm -f ./*.o
  "$compiler-gcc" "$@" -std=c11 -O2 -I "$runtime" -c ./*.c || fail "$compiler $*"
  "$compiler-nm" ./*.o | awk 'NF > 1 && $(NF - 1) == "U" { print $NF }' | grep -vE "^${name}_" | sort -u
}
for target in cortex-m0 cortex-m4 rv32imc; do
  compiled $target --target=$target --selftest
  cd $target
  case $target in
    cortex-m0) objects arm-none-eabi -mcpu=cortex-m0 -mthumb -mfloat-abi=soft >needed.txt ;;
    cortex-m4) objects arm-none-eabi -mcpu=cortex-m4+nofp -mthumb -mfloat-abi=soft >needed.txt ;;
    rv32imc) objects riscv64-unknown-elf -march=rv32imc -mabi=ilp32 >needed.txt ;;
  esac
  grep -vE "$allowed|^memcmp\$" needed.txt && fail "$target needs these"
  ! grep -nE '\b(float|double)\b' ./*.c || fail "$target: float in the code"
  cd ..
done
