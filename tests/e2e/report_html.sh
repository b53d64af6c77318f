# report.html in headless Chromium without a network: every buffer is drawn where it lies, nothing is asked from outside.
. "$(dirname "$0")/lib.sh"

command -v chromium >/dev/null || fail "chromium is missing; scripts/setup test installs it"
# The page after its script has run, and what the browser logs meanwhile.
browse() {
  HOME=$work/tmp timeout 120 chromium --headless=new --no-sandbox --disable-gpu --user-data-dir="$work/tmp/browser" \
    --disable-background-networking --host-resolver-rules='MAP * ~NOTFOUND' --proxy-server=127.0.0.1:9 \
    --enable-logging=stderr --dump-dom "file://$1" >"$2.dom" 2>"$2.log" || fail "chromium: $(tail -n 3 "$2.log")"
  ! grep 'CONSOLE' "$2.log" || fail "$1: the console is not silent"
}
check() { "$python" "$O2M_SOURCE/tests/e2e/report_html.py" "$@" || fail "report.html of $1"; }

compiled plain --board=stm32f746
compiled tight --optimize=ram
for folder in plain tight; do
  browse "$work/here/$folder/report.html" "$folder"
  check "$folder" "$folder.dom"
done
# names that would break out of the page, were they not escaped
"$python" - "$model" <<'EOS'
import sys
import onnx
proto = onnx.load(sys.argv[1])
for i, node in enumerate(proto.graph.node):
    node.name = f'</script></svg><img src="http://example.com/{i}" onerror="document.title=1">&{node.name}'
onnx.save(proto, "hostile.onnx")
EOS
tool hostile.onnx -q -o hostile >/dev/null || fail "the model with hostile names"
browse "$work/here/hostile/report.html" hostile
check hostile hostile.dom --names-are-urls
# an error of a script would be seen
sed 's,</header>,</header><script>nothing();</script>,' plain/report.html >broken.html
if (browse "$work/here/broken.html" broken) >/dev/null; then fail "a script's error goes unseen"; fi
grep -q 'CONSOLE.*nothing is not defined' broken.log || fail "chromium failed for another reason"
