#!/bin/sh
# Schemathesis against the API of a running daemon: everything its own OpenAPI document promises, asked with right and wrong
# questions. Then the daemon is stopped through the API and its journal and audit trail are proved.
# API_EXAMPLES: questions per endpoint and phase (default 25); API_SEED: another set of them (default 1).
# usage: tests/official/api.sh PATH-TO-SCALPER
# Exit 0: passed. 3: SKIPPED because Schemathesis could not be installed. Anything else: failed.
set -eu
scalper=${1:?usage: tests/official/api.sh PATH-TO-SCALPER}
here=$(dirname "$0")
venv=${CARGO_TARGET_DIR:-target}/official/schemathesis
version=4.32.5
if ! { [ -x "$venv/bin/python" ] || python3 -m venv "$venv"; } ||
    ! "$venv/bin/python" -c 'import schemathesis' 2>/dev/null &&
    ! timeout 180 "$venv/bin/pip" --quiet install "schemathesis==$version"
then
    echo "SKIPPED: schemathesis $version cannot be installed here; the API was NOT tried with it" >&2
    exit 3
fi
export NO_PROXY=127.0.0.1 no_proxy=127.0.0.1
"$venv/bin/python" "$here/api.py" "$scalper" "$venv/bin/schemathesis" "${API_EXAMPLES:-25}" "${API_SEED:-1}"
