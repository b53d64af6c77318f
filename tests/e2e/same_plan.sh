# The trained models in other spellings: the same plan to the byte.
. "$(dirname "$0")/lib.sh"

"$python" "$O2M_SOURCE/tests/e2e/same_plan.py" "$(dirname "$model")"/vit_fmnist*.onnx || fail "plans depend on the spelling"
