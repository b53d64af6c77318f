# All stems whose input is pushed in rows: tests/e2e/streaming.sh with the exports that it leaves out.
export O2M_LARGE=1
. "$(dirname "$0")/../e2e/streaming.sh"
