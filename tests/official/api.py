"""A daemon in sim mode and Schemathesis against its API; see api.sh."""

import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

SCALPER, SCHEMATHESIS, EXAMPLES, SEED = sys.argv[1:]
# The daemon runs in a folder of its own.
SCALPER, SCHEMATHESIS = map(os.path.abspath, (SCALPER, SCHEMATHESIS))
PATIENCE = 120  # seconds for anything to come about
# What a valid question may meet all the same (409, 412, 422: as things stand it cannot be done) is described in the
# document, so accepting every valid question is no property of this API.
WITHOUT = "positive_data_acceptance"
# It ends the daemon; called once below, after everything else.
STOP = "/api/v2/control/stop"


def until(what, look, daemon):
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        found = look()
        if found:
            return found
        if daemon.poll() is not None:
            raise SystemExit(f"FAILED: the daemon ended before {what}")
        time.sleep(0.1)
    raise SystemExit(f"FAILED: no {what} in {PATIENCE} s")


def call(base, token, path, body=None, headers=None):
    headers = {"Authorization": f"Bearer {token}", **(headers or {})}
    data = None
    if body is not None:
        data = json.dumps(body).encode()
        headers["Content-Type"] = "application/json"
    request = urllib.request.Request(base + path, data, headers)
    with urllib.request.urlopen(request, timeout=10) as reply:
        return json.load(reply)


def main():
    with tempfile.TemporaryDirectory() as folder:
        data = os.path.join(folder, "data")
        made = [SCALPER, "api-token", "create", "--name", "schemathesis", "--role", "admin", "--data-dir", data]
        token = subprocess.run(made, check=True, capture_output=True, text=True).stdout.strip()
        log_path = os.path.join(folder, "log")
        run = [SCALPER, "run", "--listen", "127.0.0.1:0", "--api-rate", "1000", "--data-dir", data]
        with open(log_path, "w") as log:
            daemon = subprocess.Popen(run, cwd=folder, stdout=subprocess.DEVNULL, stderr=log)
        try:
            attack(daemon, data, token, folder, log_path)
        except BaseException:
            with open(log_path) as log:
                print("".join(log.readlines()[-60:]), file=sys.stderr)
            raise
        finally:
            daemon.kill()
            daemon.wait()


def address(log_path):
    with open(log_path) as log:
        lines = [line for line in log if line.startswith("API: ")]
    return lines[0].split()[1].split("/api/")[0] if lines else None


def attack(daemon, data, token, folder, log_path):
    base = until("address", lambda: address(log_path), daemon)
    until("readiness", lambda: call(base, token, "/api/v2/status")["ready"]["exits"], daemon)
    # A command that adds risk and names no version is told so: 428 (RFC 6585).
    config = os.path.join(folder, "schemathesis.toml")
    with open(config, "w") as file:
        file.write("[checks.missing_required_header]\n")
        file.write("expected-statuses = [400, 401, 403, 406, 415, 422, 428]\n")
    command = [
        SCHEMATHESIS, "--config-file", config, "run", f"{base}/api/v2/openapi.json",
        "--header", f"Authorization: Bearer {token}",
        "--exclude-checks", WITHOUT, "--exclude-path", STOP,
        "--max-examples", EXAMPLES, "--seed", SEED, "--request-timeout", "15",
        "--generation-database", "none", "--no-color", "--warnings", "off",
    ]
    begun = time.monotonic()
    status = subprocess.run(command, cwd=folder).returncode
    print(f"schemathesis took {time.monotonic() - begun:.0f} s")
    if status != 0:
        raise SystemExit(f"FAILED: schemathesis found something (exit {status})")
    if daemon.poll() is not None:
        raise SystemExit("FAILED: the daemon did not outlive it")
    acts = call(base, token, "/api/v2/admin/audit")["total"]
    if acts == 0:
        raise SystemExit("FAILED: nothing is in the audit trail")
    reason = {"confirm": "stop", "reason": "the test is over"}
    print(call(base, token, STOP, reason, {"Idempotency-Key": "over"}))
    if daemon.wait(PATIENCE) != 0:
        raise SystemExit("FAILED: the daemon did not end in order")
    subprocess.run([SCALPER, "db", "verify", "--data-dir", data], check=True)
    with open(log_path) as log:
        if token in log.read():
            raise SystemExit("FAILED: the token is in the log")
    print(f"passed: {acts} acts in the audit trail before the last")


main()
