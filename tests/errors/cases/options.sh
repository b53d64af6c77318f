# The command line.
case_target_unknown() { refused "cortex-m44" 'no such core' "cortex-m4'" compiling sound --target=cortex-m44; }
case_board_unknown() { refused "stm32f74" 'no such board' "stm32f746'" compiling sound --board=stm32f74; }
case_option_unknown() { refused 'compile' "unknown option '--calibrat'" '--calibrate' compiling sound --calibrat=x; }
case_option_of_another_verb() { refused 'inspect' "unknown option '--selftest'" '--' tool inspect "$MODELS/sound.onnx" --selftest; }
case_verb_unknown() { refused "'validat'" 'is neither a verb' "'validate'" tool validat; }
case_argument_too_many() { refused 'compile' "'more' is one argument too many" 'help' compiling sound more; }
case_model_not_named() { refused 'compile' 'MODEL' 'help' tool compile; }
case_inputs_not_named() { refused 'run' 'inputs' 'help' tool run "$MODELS/sound.onnx"; }
case_engine_unknown() {
  refused 'run' 'int9' 'float.*int8.*emulator|help' tool run "$MODELS/sound.onnx" --inputs=x.npy --engine=int9
}
case_value_unknown() { refused 'compile' 's99.*s16' 'help' compiling sound --residual=s99; }
case_weights_unknown() { refused 'compile' 's5.*s8' 'help' compiling sound --weights=s5; }
case_weights_that_no_layer_has() {
  refused 'no_weights\.onnx' '--weights=s4.*no layer' '--weights=s8' compiling no_weights --weights=s4
}
case_value_missing() { refused 'compile' '--board' 'help' compiling sound --board; }
case_rows_zero() { refused 'compile' '--rows' 'help' compiling sound --rows=0; }
case_rows_not_a_number() { refused 'compile' '--rows' 'help' compiling sound --rows=few; }
case_dump_unknown() { refused 'dump=quantise' 'no such pass' "'quantize'" compiling sound --dump=quantise; }
case_ram_not_a_size() { refused '--ram' "'320Q' is not a size" '320K' compiling sound --ram=320Q; }
case_ram_negative() { refused '--ram' "'-5K' is not a size" '320K' compiling sound --ram=-5K; }
case_flash_zero() { refused '--flash' "'0' is not a size" '320K' compiling sound --flash=0; }
case_mean_not_a_number() { refused '--mean' "'grey'" 'one per channel' compiling image --mean=grey; }
case_mean_and_std_differ() { refused '--mean' '2.*--std.* 3' 'one of each' compiling image --mean=0,0 --std=1,1,1; }
pixels() { compiling image --mean=0.5 --std=0.25 "$@"; }
case_input_format_unknown() { refused '--input-format' "'rgb556'" "nearest is 'rgb565'" pixels --input-format=rgb556; }
case_input_format_unnormalised() {
  refused '--input-format=rgb565' 'not known' '--mean and --std' compiling image --input-format=rgb565
}
case_channels_unknown() { refused '--channels' "'grb'" 'rgb and bgr' pixels --channels=grb; }
case_crop_outside() { refused '--crop' 'does not lie within' '--input-size' pixels --input-format=gray --crop=4000x2; }
case_crop_of_planes() { refused '--crop' 'how a pixel lies' 'give --input-format' pixels --crop=2x2; }
case_resize_not_a_size() { refused '--resize' "'half'" '320x240' pixels --input-format=gray --resize=half; }
case_resize_too_small() { refused '--resize' "smaller than the model's" 'or more' pixels --input-format=gray --resize=1; }
case_std_zero() { refused '--std' 'not positive' 'divides|positive' compiling image --std=0; }
case_ram_below_the_stack() { refused 'sound\.onnx' '512 B.*stack' '--ram more' compiling sound --ram=512; }
case_ram_region_missing() {
  refused '--ram' "'192K\+': '' is not the size of a region" '192K\+64K' compiling sound --ram=192K+
}
case_ram_region_not_a_size() {
  refused '--ram' "'64K\+CCM': 'CCM' is not the size" '192K\+64K' compiling sound --ram=64K+CCM
}
case_ram_regions_too_many() { refused '--ram' 'has 4 regions' 'at most 3' compiling sound --ram=4K+4K+4K+4K; }
case_ram_region_of_nothing() { refused '--ram' 'a region of 8 B' 'at least 16 B' compiling sound --ram=64K+8; }
case_ram_all_of_no_board() { refused '--ram=all' 'which board' '--board' compiling sound --ram=all; }
case_ram_first_region_below_the_stack() {
  refused 'sound\.onnx' '512 B.*stack' '--ram more.*first region' compiling sound --ram=512+64K
}
case_ram_regions_too_small() {
  refused 'sound\.onnx' 'not fit its 2 regions of RAM: RAM is to hold .*, RAM1 is to hold [0-9,]+ B of 16: [0-9,]+ B short' \
    'try .*a larger region' compiling sound --ram=1056+16
}
case_ram_too_small() {
  refused 'sound\.onnx' "arena.*exceeds the budget.*largest: .*(fc1|fc2|act|bias)" 'try' compiling sound --ram=1040
}
case_ram_too_small_says_how_much() {  # the budget that the message names is enough
  exits 1 compiling sound --ram=1040
  local bytes
  bytes=$(grep -oE 'budget of [0-9,]+ B' "$log/err" | tr -dc 0-9)
  [ -n "$bytes" ] || fail "no budget named"
  compiling sound --ram=$((bytes + 1024)) >"$log/out" 2>"$log/err" || fail "$bytes + 1024 bytes are not enough"
}
case_flash_too_small() { refused 'sound\.onnx' "weights.*exceed.*largest: 'fc1'" 'smaller|low-rank' compiling sound --flash=600; }
case_flash_too_small_for_code() { refused 'sound\.onnx' 'flash .*exceeds' 'smaller|more flash' compiling sound --flash=2000; }

case_section_that_is_no_name() {
  refused '--section-weights' "'a b' is no section" 'letters' compiling sound --section-weights='a b'
  refused '--section-weights' 'section of the code too' 'sections of their own' \
    compiling sound --section-weights=.fast --section-code=.fast
}
case_example_unknown() { refused '--example' "'usb' is no kind" 'plain and serial' compiling sound --example=usb; }
case_engine_of_validate_unknown() {
  refused '--engine' "'board' is no engine" 'serial port' tool validate "$MODELS/sound.onnx" --inputs=x.npy --engine=board
}
case_prefetch_not_a_size() { refused '--prefetch' "'few' is not a size" '320K' compiling sound --prefetch=few; }
case_option_s16_of_no_tensor() { refused 'sound\.onnx: --s16=hiden' 'no such tensor' 'did you mean|validate' compiling sound --s16=hiden; }
