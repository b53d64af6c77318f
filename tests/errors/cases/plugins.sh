# Plugins that are not there, not ours, or wrong.
case_plugin_missing() { refused 'my_op\.so' 'no such file' '.' compiling sound --plugin=my_op.so; }
case_plugin_is_text() { echo hello >my_op.so; refused 'my_op\.so' 'not a shared object' 'build' compiling sound --plugin=my_op.so; }
case_plugin_truncated() {
  head -c 9000 "$(module no_ops)" >my_op.so
  refused 'my_op\.so' 'truncated|not a shared object' 'build' compiling sound --plugin=my_op.so
}
case_plugin_of_another_abi() {
  refused 'another_abi\.so' 'ABI 8\..*this is 1\.' 'rebuild' compiling sound --plugin="$(module another_abi)"
}
case_plugin_serves_nobody() { refused 'serves_nobody\.so' 'cannot serve' 'rebuild' compiling sound --plugin="$(module serves_nobody)"; }
case_plugin_exports_nothing() {
  refused 'exports_nothing\.so' 'no symbol onnx2mcu_plugin' 'O2M_EXPORT' compiling sound --plugin="$(module exports_nothing)"
}
case_plugin_without_ops() { refused 'no_ops\.so' 'no ops' 'at least one' compiling sound --plugin="$(module no_ops)"; }
case_plugin_without_run() { refused 'no_run\.so' 'no run\(\)' 'required' compiling sound --plugin="$(module no_run)"; }
case_plugin_lists_an_op_twice() {
  refused 'duplicate_id\.so' 'test\.scale twice' 'id of its own' compiling sound --plugin="$(module duplicate_id)"
}
case_plugin_takes_a_taken_id() {
  plugin takes_relu && cp takes_relu.so again.so
  refused 'again\.so' 'com\.example\.relu is taken by .*takes_relu\.so' 'one of the two' \
    compiling sound --plugin=./takes_relu.so --plugin=./again.so
}
case_plugin_fails_in_infer() {
  plugin takes_relu
  refused "node 'act'" 'input 0 has the wrong colour' 'blue would work' compiling sound --plugin=./takes_relu.so
}
case_plugin_fails_check_in_infer() {
  may_print=1
  refused 'fails_in_infer\.so' 'breaks the contract' 'clause' tool check "$(module fails_in_infer)"
  grep -q 'wrong colour' "$log/out" || fail "the plugin's own reason expected"
}
case_plugin_to_check_missing() { refused 'my_op\.so' 'no such file' '.' tool check my_op.so; }
case_plugin_refused_is_listed() {  # in a folder that is searched, a bad plugin stops nobody and is told by `ops`
  mkdir found && cp "$(module another_abi)" found/
  ONNX2MCU_PLUGIN_PATH=$PWD/found tool ops >"$log/out" 2>"$log/err" || fail "exit code 0 expected"
  grep -qE 'refused: .*another_abi\.so: built for ABI 8\.' "$log/out" || fail "the reason expected"
  ONNX2MCU_PLUGIN_PATH=$PWD/found compiling sound >"$log/out" 2>"$log/err" || fail "the other plugins are whole"
}
case_no_plugins() {  # one sentence, not a list of all nodes
  mkdir alone && cp "$ONNX2MCU" alone/
  tool() { alone/onnx2mcu "$@"; }
  refused 'sound\.onnx' 'no operator plugin is loaded' '--plugin' compiling sound
}
