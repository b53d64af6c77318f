# No tracked file, binary ones included, names a package registry or a folder of the machine it was made on.
. "$(dirname "$0")/lib.sh"

# the brackets keep this file from finding itself
registries='pypi[.]org|pythonhosted[.]org|download[.]pytorch[.]org|deb[.]debian[.]org|huggingface[.]co|npmjs[.]|crates[.]io'
folders='/[w]ork/|/[r]oot/|/[h]ome/[a-ln-z]|/[o]pt/wheels|/[o]pt/pypi'
mapfile -t files < <(tracked '*')
report "registry hosts" "$(grep -naoE ".{0,40}($registries)" "${files[@]}" | tr -d '\000')"
report "absolute folders" "$(grep -naoE ".{0,40}($folders).{0,20}" "${files[@]}" | tr -d '\000')"
verdict
