# For the lint tests: sources under version control, and a collected verdict.
cd "${O2M_SOURCE:-$(dirname "${BASH_SOURCE[0]}")/../..}" || exit 1
problems=0

# tracked GLOB...: files under version control that exist; all files where this is not a git checkout.
tracked() {
  if git -c safe.directory='*' rev-parse --git-dir >/dev/null 2>&1; then
    git -c safe.directory='*' ls-files -- "$@"
  else
    find . -path ./.venv -prune -o -path ./.cache -prune -o -path './build*' -prune -o -type f -print | sed 's|^\./||' |
      while read -r file; do
        for glob in "$@"; do
          # shellcheck disable=SC2053
          [[ $file == $glob ]] && echo "$file"
        done
      done
  fi | while read -r file; do [ -f "$file" ] && echo "$file"; done
}

# report TEXT: prints the offending lines, if any, and remembers them.
report() {
  [ -z "$2" ] && return
  echo "$1:"
  sed 's/^/  /' <<<"$2"
  problems=1
}

verdict() { exit $problems; }
