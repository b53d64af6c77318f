# Includes may only go left: ops < plugins < importer (with importer/ir) < planner < codegen; nas: planner and what is
# left of it. Tests are free. Only the ONNX reader and writer see protobuf; codegen may use its text printer.
. "$(dirname "$0")/lib.sh"

# check FILES-GLOB FORBIDDEN-REGEX: no file may include a header whose path starts so.
check() {
  local files
  files=$(tracked "$1" | grep -E '\.(cc|h|hpp|c)$' | grep -Ev '_test\.cc$' | grep -Ev "${3:-^$}")
  [ -n "$files" ] || return 0
  # shellcheck disable=SC2086
  report "$1 must not include these" "$(grep -nE "#include [\"<]($2)" $files /dev/null)"
}

onnx_files='importer/onnx_(reader|writer)[a-z_]*\.(cc|h)'
check 'ops/*' '(plugins|importer|planner|codegen|nas|tests)/'
check 'plugins/*' '(importer|planner|codegen|nas|tests)/'
check 'importer/ir/*' '(planner|codegen|nas|tests)/|importer/([^i]|i[^r])'
check 'importer/*' '(planner|codegen|nas|tests)/'
check 'planner/*' '(codegen|nas|tests)/'
check 'codegen/*' '(nas|tests)/'
check 'nas/*' '(codegen|tests)/'
check '*' 'onnx/|[^">]*\.pb\.h' "^($onnx_files|tests/)"
check '*' 'google/protobuf/' "^($onnx_files|codegen/|tests/)"
check 'codegen/*' 'google/protobuf/([^i]|i[^o])'
report "the interface stands alone" \
  "$(grep -nE '^ *#include' ops/onnx2mcu_op.h | grep -vE '<(stddef|stdint)\.h>')"
verdict
