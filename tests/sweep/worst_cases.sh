# The worst cases of all ops on the cores that tests/bench leaves out, and of linear layers in each form of their weights.
set -euo pipefail
: "${O2M_BUILD:?}"
for core in cortex-m0 cortex-m3 cortex-m7 cortex-m33 cortex-m55 rv32imc; do
  run=("$O2M_BUILD/bin/random_cases" --plugins="$O2M_BUILD/bin/plugins" --target="$core" --worst)
  case $core in cortex-m55 | rv32imc) ;; *) "${run[@]}" ;; esac
  for variant in 1 2 3; do "${run[@]}" --op=linear --variant="$variant"; done
done
