# A type of our namespace is defined in one file: two of one name are one to the linker, whichever it takes.
set -euo pipefail
cd "${O2M_SOURCE:-$(dirname "$0")/../..}"
twice=$(find importer planner codegen nas plugins bench -name '*.h' -o -name '*.cc' | grep -v '^plugins/examples/' | sort | xargs awk '
  FNR == 1 { unnamed = 0 }
  /^namespace \{/ { unnamed = 1 }
  /^}  \/\/ namespace$/ { unnamed = 0 }
  !unnamed && /^(struct|class|enum|enum class) [A-Za-z0-9_]+( : [a-z0-9_:]+| final)? \{/ {
    name = $2 == "class" ? $3 : $2
    if (name in file && file[name] != FILENAME) print name ": " file[name] ", " FILENAME
    file[name] = FILENAME
  }')
[ -z "$twice" ] || { echo "$twice"; echo "FAILED: types of one name in two files"; exit 1; }
