# The instances called More of parameterised tests: further cores, further shards.
set -euo pipefail
: "${O2M_BUILD:?}"
for tests in "$O2M_BUILD"/tests/test_*; do
  [ ! -f "$tests" ] || "$tests" --gtest_brief=1 --gtest_filter='More/*'
done
