"""A generated day lived through by `scalper run` at `scalper sim`, against the books: what the daemon says it earned must be, to the paisa, what the
broker's trade book says, read through the official client and added up here by a table of charges of this file's own.

usage: books.py PATH-TO-SCALPER [SPEED]
"""

import csv
import io
import json
import pathlib
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections import defaultdict
from fractions import Fraction

from dhanhq import DhanContext, dhanhq
from dhanhq.dhan_http import DhanHTTP

SCALPER = sys.argv[1]
SPEED = sys.argv[2] if len(sys.argv) > 2 else "200"
PATIENCE = 120 + 24_000 / float(SPEED)  # seconds for a day of 22,560 session seconds and its start

# Index options from October 2024 to March 2026, as shares of the premium turnover of an order.
EXCHANGE = {"NSE_FNO": Fraction("0.0003503"), "BSE_FNO": Fraction("0.000325")}
IPFT = {"NSE_FNO": Fraction("0.000005"), "BSE_FNO": Fraction(0)}
SEBI, STT, STAMP, GST = Fraction("0.000001"), Fraction("0.001"), Fraction("0.00003"), Fraction("0.18")
BROKERAGE = 2_000  # paise an order


def paise(amount):
    """Rounded half up to a whole paisa; amounts here are never negative."""
    return int(amount + Fraction(1, 2))


def charges(segment, side, turnover):
    exchange, ipft, sebi = turnover * EXCHANGE[segment], turnover * IPFT[segment], turnover * SEBI
    stt = turnover * STT if side == "SELL" else Fraction(0)
    stamp = turnover * STAMP if side == "BUY" else Fraction(0)
    gst = (BROKERAGE + exchange + ipft + sebi) * GST
    return BROKERAGE + sum(paise(head) for head in (exchange, ipft, sebi, stt, stamp, gst))


def ask(read):
    for _ in range(20):
        reply = read()
        if reply["status"] == "success":
            return reply["data"]
        # The daemon's last reads count against the same limits.
        time.sleep(0.5)
    raise SystemExit(f"FAILED: refused: {reply}")


def of_rupees(number):
    return int(Fraction(str(number)) * 100)


def expiring(instruments, day):
    text = urllib.request.urlopen(instruments).read().decode()
    rows = csv.DictReader(io.StringIO(text))
    return {row["SEM_SMST_SECURITY_ID"] for row in rows if row["SEM_EXPIRY_DATE"].startswith(day)}


def books(dhan, instruments, day):
    """Net result, charges and number of buying orders of the day, by the trade book. What expired in our hands is not
    in it: the broker's cash says what that was worth."""
    turnover, units = defaultdict(int), defaultdict(int)
    for row in ask(dhan.get_trade_book):
        value = row["tradedQuantity"] * of_rupees(row["tradedPrice"])
        turnover[row["orderId"], row["exchangeSegment"], row["transactionType"]] += value
        units[row["securityId"]] += row["tradedQuantity"] * (1 if row["transactionType"] == "BUY" else -1)
    gross = sum(value if side == "SELL" else -value for (_, _, side), value in turnover.items())
    cost = sum(charges(segment, side, value) for (_, segment, side), value in turnover.items())
    funds = ask(dhan.get_fund_limits)
    earned = of_rupees(funds["availabelBalance"]) - of_rupees(funds["sodLimit"])
    settled = earned - (gross - cost)
    left = {security_id for security_id, held in units.items() if held}
    assert left <= expiring(instruments, day), f"held over the day: {dict(units)}"
    assert settled >= 0 if left else settled == 0, f"cash moved by {earned}, the trade book by {gross - cost}"
    if left:
        print(f"expired in our hands: {len(left)} contracts, worth {settled} paise")
    return earned, cost, sum(side == "BUY" for _, _, side in turnover)


def main():
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        command = [SCALPER, "demo", "--save-tape", str(folder / "tape"), "--out", str(folder / "report.html")]
        subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
        days = sorted(day.name for day in (folder / "tape").iterdir() if day.name[:2] == "20")
        # Three days to warm up with come first.
        command = [SCALPER, "sim", "--json", "--speed", SPEED, "--tape", str(folder / "tape"), "--day", days[3]]
        sim = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        try:
            line = sim.stdout.readline()
            access = folder / "sim.json"
            access.write_text(line)
            at = json.loads(line)
            command = [SCALPER, "run", "--json", "--preset", "demo", "--simulator", str(access)]
            command += ["--data-dir", str(folder / "data"), "--listen", "127.0.0.1:0"]
            with open(folder / "log", "w") as log:
                day = subprocess.run(command, stdout=subprocess.PIPE, stderr=log, text=True, timeout=PATIENCE)
            log = (folder / "log").read_text()
            assert day.returncode == 0, f"the daemon ended with {day.returncode}:\n{log[-4000:]}"
            status = json.loads(day.stdout)
            DhanHTTP.API_BASE_URL = at["rest"]
            net, cost, bought = books(dhanhq(DhanContext(at["client_id"], at["token"])), at["instruments"], days[3])
        finally:
            sim.terminate()
            sim.wait()
    money = status["money"]
    told = (money["realised_paise"], money["charges_paise"], money["trades"])
    found = (net, cost, bought)
    print(f"daemon: net {told[0]} paise, charges {told[1]}, {told[2]} trades, {len(status['orders'])} orders")
    print(f"books:  net {found[0]} paise, charges {found[1]}, {found[2]} trades")
    assert status["positions"] == [] and money["open_paise"] == 0 and status["in_doubt"] == 0, f"{status}\n{log[-3000:]}"
    assert bought > 0, f"nothing was traded: {status}"
    assert told == found, f"{told} is not {found}\n{log[-2000:]}"
    print(f"passed: the day of the daemon equals the books to the paisa, {bought} trades at {SPEED}x")


main()
