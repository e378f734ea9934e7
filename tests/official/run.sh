#!/bin/sh
# The broker's official Python client, unmodified apart from its host constants, against `scalper sim`; then a day of
# `scalper run` there against the books that client reads. OFFICIAL_SPEED: how fast that day is (default 200).
# usage: tests/official/run.sh PATH-TO-SCALPER
# Exit 0: passed. 3: SKIPPED because the client could not be installed. Anything else: failed.
set -eu
scalper=${1:?usage: tests/official/run.sh PATH-TO-SCALPER}
here=$(dirname "$0")
venv=${CARGO_TARGET_DIR:-target}/official/venv
if ! { [ -x "$venv/bin/python" ] || python3 -m venv "$venv"; } ||
    ! "$venv/bin/python" -c 'import dhanhq' 2>/dev/null && ! timeout 180 "$venv/bin/pip" --quiet install dhanhq==2.3.0
then
    echo "SKIPPED: dhanhq 2.3.0 cannot be installed here; the official client was NOT tried" >&2
    exit 3
fi
export NO_PROXY=127.0.0.1 no_proxy=127.0.0.1
"$venv/bin/python" "$here/smoke.py" "$scalper"
"$venv/bin/python" "$here/books.py" "$scalper" "${OFFICIAL_SPEED:-200}"
