# What a well-formed file may not hold.
case_opset_unknown() { refused 'opset_unknown\.onnx' 'opset 99 is not known' 'opset 11 to 2[0-9]' compiling opset_unknown; }
case_opset_ancient() { refused 'opset_ancient\.onnx' 'opset 6 is older' 'opset_version' compiling opset_ancient; }
case_opset_none() { refused 'opset_none\.onnx' 'names no opset' 'export with opset' compiling opset_none; }
case_op_unknown() { refused "node 'act' \(Gelux, opset 17\)" 'no such operator' 'Gelu' compiling unknown_op; }
case_op_name_of_two_lines() { refused "node 'two" 'no such operator' 'Gelu' compiling newline_name; }
case_op_of_another_domain() {
  refused "node 'act' \(com\.microsoft\.LayerNormalisation" 'no such operator' 'LayerNormalization' \
    compiling unknown_contrib_op
}
case_ops_all_listed() {
  refused 'unsupported_ops\.onnx' "'act' \(com\.example\.Frobnicate.*'second' \(com\.example\.Quuxify" '[A-Z][a-z]+' \
    compiling unsupported_ops
}
case_op_with_too_few_inputs() { refused "node 'fc2' \(MatMul" 'input' 'export' compiling too_few_inputs; }
case_op_without_attribute() { refused "node 'act' \(Cast" "attribute.*to" 'export' compiling missing_attribute; }
case_op_control_flow() { refused "node 'choice' \(If" 'control flow' 'fixed shapes' compiling control_flow; }
case_external_missing() {
  refused "tensor 'w1'" "'not_there\.data' is missing" 'beside the model' compiling external_missing
}
case_external_leaves_the_folder() {
  refused "tensor 'w1'" "'\.\./outside\.data' leaves" 'beside the model' compiling external_leaves
}
case_external_absolute() { refused "tensor 'w1'" "leaves" 'beside the model' compiling external_absolute; }
case_external_symlink() { refused "tensor 'w1'" "leaves" 'beside the model' compiling external_symlink; }
case_external_short() {
  refused "tensor 'w1'" 'ends after 100 bytes.*2048' 'copy the file again' compiling external_short
}
case_dynamic_tokens() {
  refused "input 'x' axis 1" "dynamic \('tokens'\)" 'fixed size' compiling dynamic_tokens
}
case_dynamic_by_value() { refused "node 'find' \(NonZero" "values of 'x'" 'static shapes' compiling dynamic_reshape; }
case_cycle() { refused "node '(act|fc2)'" 'cycle' 'export' compiling cycle; }
case_cycle_of_one() { refused "node 'act'" 'cycle' 'export' compiling self_cycle; }
case_weight_nan() { refused "tensor 'w1'" 'element 101 is NaN' 'again' compiling nan_weight; }
case_weight_infinite() { refused "tensor 'w1'" 'element 101 is infinite' 'again' compiling inf_weight; }
case_weight_of_wrong_size() { refused "tensor 'w1'" '100 bytes.*2048' 'export' compiling short_weight; }
case_weight_of_wrong_shape() { refused "node 'fc1' \(MatMul" '16.*17' '.' compiling wrong_weight_shape; }
case_weight_huge() { refused "tensor 'w1'" '2\^31 elements' 'export' compiling huge_weight; }
case_weight_of_negative_size() { refused "tensor 'w1'" 'dimension -16' 'fixed' compiling negative_weight; }
case_weight_of_size_zero() { refused "tensor 'w1'" 'size 0' 'non-empty' compiling zero_weight; }
case_input_of_size_zero() { refused "input 'x' axis 1" 'size 0' 'export' compiling zero_input; }
case_input_of_strings() { refused "input 'x'" 'string' 'float' compiling string_input; }
case_input_is_a_sequence() { refused "input 'x'" 'not a tensor' 'tensor inputs' compiling sequence_input; }
case_input_without_shape() { refused "input 'x'" 'no shape' 'sample' compiling no_shape; }
case_no_input() { refused 'no_input\.onnx' 'no input' 'sample' compiling no_input; }
case_no_nodes() { refused 'no_nodes\.onnx' 'no nodes' 'export' compiling no_nodes; }
case_value_defined_twice() { refused "node 'fc2'" "'h'.*already" 'unique' compiling defined_twice; }
case_value_undefined() { refused "node 'fc2'" "'w3'.*nothing defines" 'export' compiling undefined_input; }
case_output_undefined() { refused "output 'nothing'" 'no node' 'export' compiling undefined_output; }
