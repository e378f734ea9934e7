"""Counts what `scalper plan` should count, from the instrument list alone and without any of its code.

usage: plan_count.py LIST.csv[.gz] DAY '{"NIFTY": {"price": 25935.15, "each": 10, "expiries": 4}, ...}'
Prints {name: {expiry: instruments}}: for each name the nearest expiries, for each of them the listed calls and puts of
the strikes around the one nearest to the price (the higher of two), `each` on either side.
"""

import csv
import gzip
import json
import sys
from collections import defaultdict
from decimal import Decimal


def main(path, day, wanted):
    opened = gzip.open(path, "rt") if path.endswith(".gz") else open(path)
    ids = defaultdict(lambda: defaultdict(lambda: defaultdict(set)))
    with opened as lines:
        for row in csv.DictReader(lines):
            kind, symbol = row["SEM_INSTRUMENT_NAME"], row["SEM_TRADING_SYMBOL"]
            venue = (row["SEM_EXM_EXCH_ID"], row["SEM_SEGMENT"])
            on_feed = venue in {("NSE", "D"), ("BSE", "D"), ("MCX", "M")}
            expiry = row["SEM_EXPIRY_DATE"][:10]
            if kind not in ("OPTIDX", "OPTFUT") or not on_feed or expiry < day or "NSETEST" in symbol:
                continue
            name = symbol.rsplit("-", 3)[0]
            if name in wanted:
                strike = Decimal(row["SEM_STRIKE_PRICE"])
                ids[name][expiry][strike].add((venue, row["SEM_SMST_SECURITY_ID"]))
    counts = {}
    for name, wish in wanted.items():
        price = Decimal(str(wish["price"]))
        counts[name] = {}
        for expiry in sorted(ids[name])[: wish["expiries"]]:
            strikes = sorted(ids[name][expiry])
            money = min(range(len(strikes)), key=lambda i: (abs(strikes[i] - price), -strikes[i]))
            window = strikes[max(0, money - wish["each"]) : money + wish["each"] + 1]
            counts[name][expiry] = sum(len(ids[name][expiry][strike]) for strike in window)
    print(json.dumps(counts))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], json.loads(sys.argv[3]))
