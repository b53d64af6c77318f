# The same input gives the same bytes: another folder, another name of the folder, other places, language and time zone.
. "$(dirname "$0")/lib.sh"

options=(--board=stm32f746 --calibrate="$training" --selftest --example)
compiled one "${options[@]}"
mkdir -p elsewhere/deep && cp "$model" elsewhere/deep/
cd elsewhere/deep
TZ=Asia/Tokyo LC_ALL=C COLUMNS=40 TMPDIR=/tmp tool "$(basename "$model")" -q -o two "${options[@]}" >/dev/null
diff -r "$work/here/one" two || fail "two runs differ"
cd "$work/here"
tool compile "$model" -q -o one "${options[@]}" >/dev/null || fail "its own folder cannot be replaced"
diff -r one elsewhere/deep/two || fail "a second run into the same folder differs"
! grep -rnE "$work|$O2M_SOURCE|$(hostname)|$(date +%Y-%m-%d)" one || fail "a place, a name or a date in the output"
[ "$(ls -A "$work/here" | sort | tr '\n' ' ')" = "elsewhere one one.txt " ] || fail "left behind: $(ls -A .)"
[ -z "$(ls -A "$work/tmp")" ] || fail "temporary files left: $(ls -A "$work/tmp")"
