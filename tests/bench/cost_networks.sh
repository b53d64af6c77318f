# What the cost model predicts for whole networks, none of which it was fitted on, against what they take on emulated
# cores of every instruction set that has kernels.
cores=(--target=cortex-m0 --target=cortex-m3 --target=cortex-m4 --target=cortex-m55 --target=rv32imc)
FIT=$O2M_BUILD/bin/bench_fit "$O2M_SOURCE/bench/fit" --networks --most=5 "${cores[@]}"
