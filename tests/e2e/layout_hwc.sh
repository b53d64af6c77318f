# --layout=hwc: the same numbers from pixels whose channels lie side by side, whole, in the arena or in rows; refused where
# the input is no image, or channels and pixels are mixed by who reads it.
. "$(dirname "$0")/lib.sh"
"$python" - <<'EOS'
import numpy
import onnx
from onnx import TensorProto, helper, numpy_helper

random = numpy.random.default_rng(5)
def constant(name, *shape):
    return numpy_helper.from_array((random.normal(size=shape) / 8).astype(numpy.float32), name)
def save(name, shape, nodes, constants, y):
    graph = helper.make_graph(nodes, name, [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
                              [helper.make_tensor_value_info(y, TensorProto.FLOAT, None)], constants)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), name + ".onnx")
node = helper.make_node
save("colour", [1, 3, 12, 8],
     [node("Conv", ["x", "w", "b"], ["t"], kernel_shape=[4, 4], strides=[4, 4]), node("Relu", ["t"], ["r"]),
      node("ReduceMean", ["r"], ["m"], axes=[2, 3], keepdims=0), node("Gemm", ["m", "v"], ["y"])],
     [constant("w", 16, 3, 4, 4), constant("b", 16), constant("v", 16, 5)], "y")
save("flat", [1, 24], [node("Gemm", ["x", "v"], ["y"])], [constant("v", 24, 5)], "y")
shape = numpy_helper.from_array(numpy.array([1, 12, 24]), "shape")
save("mixed", [1, 3, 12, 8], [node("Reshape", ["x", "shape"], ["f"]), node("MatMul", ["f", "v"], ["y"])],
     [shape, constant("v", 24, 5)], "y")
numpy.save("images.npy", random.integers(0, 256, (6, 12, 8, 3), dtype=numpy.uint8))
EOS
options=(colour.onnx -q --inputs=images.npy --calibrate=images.npy --mean=100,110,120 --std=50,60,70)
tool run "${options[@]}" -o chw.npz >/dev/null
for more in "" --image-in-arena; do
  tool run "${options[@]}" --layout=hwc $more -o hwc.npz >/dev/null
  "$python" -c 'import numpy; assert numpy.array_equal(*(numpy.load(n + ".npz")["output_q"] for n in ("chw", "hwc")))' ||
    fail "other numbers $more"
  tool validate "${options[@]}" --json --layout=hwc $more >validate.json || fail "validate $more"
  "$python" -c 'import json; v = json.load(open("validate.json")); assert v["host_target_diff_bytes"] == 0, v' || fail "$more"
done
for layout in chw hwc; do
  tool compile "${options[@]:0:2}" "${options[@]:3}" --layout=$layout --stream=on --target=host -o $layout >/dev/null || fail "compile"
done
grep -qF '// u8 [12][8][3]' hwc/colour.h && grep -qF '// u8 [3][12][8]' chw/colour.h || fail "the header does not say"
grep -q 'colour_push_rows' hwc/colour.h || fail "no rows"
refused() {  # MODEL REGEX
  ! tool compile "$1.onnx" -q --layout=hwc -o no 2>error.txt || fail "$1 is accepted"
  grep -qE "$2" error.txt && [ ! -e no ] || fail "$1: $(cat error.txt)"
}
refused flat "input 'x' \[1,24\] is no image"
refused mixed "input 'x' \[1,3,12,8\] is read by node '.*' in an order that mixes channels and pixels; --layout=chw works"
