# planner/code_table.inc, which prices code, is what bench_code measures with this compiler.
exec "$O2M_BUILD/bin/bench_code" "$O2M_SOURCE/planner/code_table.inc" --check
