# Three trained networks over 10,000 images, in float, in integers and in ONNX Runtime's static quantisation.
. "$(dirname "$0")/../e2e/lib.sh"

table=$work/accuracy.md
[ -z "${O2M_WRITE_DOCS:-}" ] || table=$O2M_SOURCE/docs/accuracy.md
"$O2M_SOURCE/bench/accuracy" --table="$table"
