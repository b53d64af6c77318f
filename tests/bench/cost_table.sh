# The compiler's table is what the counts in the tree give, and every case that ops have now was counted.
FIT=$O2M_BUILD/bin/bench_fit "$O2M_SOURCE/bench/fit" --check || {
  echo "FAILED: bench/fit makes the table again; bench/fit --measure counts first, where cases or kernels are new"
  exit 1
}
