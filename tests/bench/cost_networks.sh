# What the cost model predicts for whole networks, none of which it was fitted on, against what they take on emulated
# cores; tests/sweep/bench.sh takes every instruction set that has kernels.
cores=(--target=cortex-m4 --target=cortex-m55)
FIT=$O2M_BUILD/bin/bench_fit "$O2M_SOURCE/bench/fit" --networks --most=5 "${cores[@]}"
