# The promised arenas of DeiT-Small/224 and ViT-Base/224 as well: tests/e2e/memory_floor.sh with the large ones.
export O2M_LARGE=1
. "$(dirname "$0")/../e2e/memory_floor.sh"
