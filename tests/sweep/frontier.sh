# Every schedule on the frontier of the trained network: tests/qemu/frontier_on_cortex_m4.sh with all of them.
export O2M_LARGE=1
. "$(dirname "$0")/../qemu/frontier_on_cortex_m4.sh"
