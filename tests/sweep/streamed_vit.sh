# The same stems on the emulated Cortex-M4: tests/qemu/streamed_vit_on_cortex_m4.sh with the exports that it leaves out.
export O2M_LARGE=1
. "$(dirname "$0")/../qemu/streamed_vit_on_cortex_m4.sh"
