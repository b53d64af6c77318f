# DeiT-Tiny, DeiT-Small and ViT-Base on emulated boards; the table goes to docs/big_models.md when O2M_WRITE_DOCS is set.
# Needs 6 GB of memory: the compiler for the target reads 400 MB of weights as C. Skipped without torch.
. "$(dirname "$0")/../e2e/lib.sh"

"$python" -c 'import torch' 2>/dev/null || { echo "skipped: torch is not installed (scripts/setup train)"; exit 77; }
table=$work/big_models.md
[ -z "${O2M_WRITE_DOCS:-}" ] || table=$O2M_SOURCE/docs/big_models.md
"$python" "$O2M_SOURCE/tests/sweep/big_models.py" "$ONNX2MCU" "$O2M_SOURCE" --table "$table"
