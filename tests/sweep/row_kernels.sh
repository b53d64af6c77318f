# The row-wise kernels for one instruction set give the bytes of the scalar ones on an emulated core, over 10,000 random
# shapes of each op, odd tails included; a planted off-by-one in any of their files does not.
. "$(dirname "$0")/../e2e/lib.sh"
here=$O2M_SOURCE/tests/qemu/row_kernels ops=$O2M_SOURCE/ops

scalar_adds=()
for file in "$ops"/add/o2m_add_s*.c; do [[ $file = *_mve.c ]] || scalar_adds+=("$file"); done

# build VARIANT ELF ROUNDS FILE...: the check with these kernels.
build() {
  local variant=$1 elf=$2 rounds=$3
  shift 3
  local flags=(-mcpu=cortex-m4) ram=0x20000000 add=()
  if [ "$variant" = mve ]; then flags=(-mcpu=cortex-m55 -mfloat-abi=hard) ram=0x01000000 add=(-DHAS_ADD); fi
  arm-none-eabi-gcc "${flags[@]}" -mthumb -std=c11 -O2 -ffreestanding -nostdlib -isystem "$runtime" -I"$ops" \
    -I"$ops/layer_norm" -I"$ops/softmax" -I"$ops/add" "-DVARIANT=$variant" "-DROUNDS=$rounds" ${add[@]+"${add[@]}"} \
    "$runtime/harness_start_arm.c" "$runtime/libc.c" -fno-tree-loop-distribute-patterns "$here/row_kernels.c" \
    "$ops"/layer_norm/o2m_layer_norm_s{8,16}.c "$ops/softmax/o2m_softmax_s8.c" "${scalar_adds[@]}" "$@" \
    -Wl,--defsym=ram=$ram -T "$here/row_kernels.ld" -lgcc -o "$elf" 2>build.txt || { cat build.txt; fail "build $elf"; }
}
# verdict VARIANT ELF: what the check says.
verdict() {
  local machine=mps2-an386
  [ "$1" = dsp ] || machine=mps3-an547
  timeout 600 qemu-system-arm -M $machine -display none -monitor none -serial none \
    -semihosting-config enable=on,target=native -kernel "$2" 2>&1 </dev/null || true
}

for variant in dsp mve; do
  files=("$ops"/layer_norm/o2m_layer_norm_s{8,16}_$variant.c "$ops/softmax/o2m_softmax_s8_$variant.c")
  [ $variant = dsp ] || files+=("$ops"/add/o2m_add_s{8,16}_mve.c)
  build $variant $variant.elf 10000 "${files[@]}"
  [ "$(verdict $variant $variant.elf)" = same ] || fail "$variant: $(verdict $variant $variant.elf)"

  for file in "${files[@]}"; do
    planted=$(basename "$file")
    sed -E 's/x \+ (p->features|c|n),/x + \1 - 1,/; s/"r"\((p->features|c|n)\)/"r"(\1 - 1)/
            s/= eights; i < p->features;/= eights; i < p->features - 1;/' "$file" >"$planted"
    ! cmp -s "$file" "$planted" || sed 's/"r"(p->count)/"r"(p->count - 1)/' "$ops/add/o2m_add_mve.h" >o2m_add_mve.h
    others=()
    for other in "${files[@]}"; do [ "$other" = "$file" ] || others+=("$other"); done
    build $variant planted.elf 50 -I. "$planted" "${others[@]}"
    [ "$(verdict $variant planted.elf)" != same ] || fail "$planted: an off-by-one goes unseen"
    rm -f o2m_add_mve.h
  done
done
