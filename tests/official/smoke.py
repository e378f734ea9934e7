"""The official client (dhanhq 2.3.0) against `scalper sim`: subscribe in every mode, decode, place, modify, cancel,
read the books, hear the order updates. Only its host constants are changed."""

import csv
import io
import json
import subprocess
import sys
import threading
import time
import urllib.request

import dhanhq as package
from dhanhq import DhanContext, FullDepth, MarketFeed, OrderUpdate, dhanhq
from dhanhq.dhan_http import DhanHTTP

PATIENCE = 60  # seconds for anything to come about
DONE = []


def check(what, is_true, evidence=""):
    if not is_true:
        raise SystemExit(f"FAILED: {what}: {evidence}")
    DONE.append(what)
    print(f"ok: {what}")


def until(what, look):
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        found = look()
        if found:
            return found
        time.sleep(0.02)
    raise SystemExit(f"FAILED: {what} did not come about")


def answer(reply):
    check_ok = reply.get("status") == "success"
    if not check_ok:
        raise SystemExit(f"FAILED: refused: {reply}")
    return reply["data"]


def option_near(sim, level):
    text = urllib.request.urlopen(sim["instruments"]).read().decode()
    rows = [
        row
        for row in csv.DictReader(io.StringIO(text))
        if row["SEM_INSTRUMENT_NAME"] == "OPTIDX"
        and row["SEM_TRADING_SYMBOL"].startswith("NIFTY-")
        and row["SEM_OPTION_TYPE"] == "CE"
    ]
    first = min(row["SEM_EXPIRY_DATE"] for row in rows)
    near = [row for row in rows if row["SEM_EXPIRY_DATE"] == first]
    return min(near, key=lambda row: abs(float(row["SEM_STRIKE_PRICE"]) - level))


def feed(context):
    index = MarketFeed(context, [(MarketFeed.IDX, "13", MarketFeed.Quote)], "v2")
    index.run_forever()
    kinds, level = set(), 0.0
    while "Quote Data" not in kinds:
        data = index.get_data()
        kinds.add(data["type"])
        level = float(data.get("LTP", level) or level)
    check("the index is greeted with its previous close and quoted", "Previous Close" in kinds, kinds)
    index.close_connection()
    return level


def modes(context, security_id):
    wanted = [(MarketFeed.NSE_FNO, security_id, mode) for mode in (MarketFeed.Ticker, MarketFeed.Quote, MarketFeed.Full)]
    option = MarketFeed(context, wanted, "v2")
    option.run_forever()
    kinds = {}
    end = time.monotonic() + PATIENCE
    while len(kinds) < 4 and time.monotonic() < end:
        data = option.get_data()
        kinds[data["type"]] = data
    check("an option comes as Ticker, Quote with OI, and Full", len(kinds) == 4, kinds.keys())
    full = kinds["Full Data"]
    bid, ask = float(full["depth"][0]["bid_price"]), float(full["depth"][0]["ask_price"])
    check("its book is a book", 0 < bid < ask, full["depth"][0])
    option.close_connection()
    check("it takes its leave with the 83 byte frame", True)
    return bid, ask


def depth(context, security_id):
    books = []
    full = FullDepth(context, [(FullDepth.NSE_FNO, security_id)], depth_level=20)
    full.on_ticks = books.append
    full.run_forever()
    end = time.monotonic() + PATIENCE
    while not books and time.monotonic() < end:
        full.get_data()
    check("the 20-level book has both sides", books and str(books[0]["security_id"]) == security_id, books[:1])
    full.loop.run_until_complete(full.ws.close())


def orders(context, security_id, lot, bid, ask):
    frames = []
    updates = OrderUpdate(context)
    updates.order_feed_wss = SIM["order_updates"]
    updates.on_update = lambda frame: frames.append(frame["Data"])
    threading.Thread(target=updates.connect_to_dhan_websocket_sync, daemon=True).start()
    time.sleep(0.5)

    def told(order_id):
        return [frame["Status"] for frame in frames if frame["OrderNo"] == order_id]

    dhan = dhanhq(context)
    terms = dict(
        security_id=security_id,
        exchange_segment=dhan.NSE_FNO,
        transaction_type=dhan.BUY,
        quantity=lot,
        product_type=dhan.INTRA,
    )
    price = round(bid * 0.9 / 0.05) * 0.05
    resting = answer(dhan.place_order(order_type=dhan.LIMIT, price=round(price, 2), tag="official-1", **terms))
    check("a limit order is taken", resting["orderStatus"] in ("TRANSIT", "PENDING"), resting)
    order_id = resting["orderId"]
    until("PENDING", lambda: "PENDING" in told(order_id))
    lower = round(price - 1.0, 2)
    answer(dhan.modify_order(order_id, dhan.LIMIT, "", lot, lower, 0, 0, "DAY"))
    until("the new price", lambda: any(f["OrderNo"] == order_id and f["Price"] == lower for f in frames))
    check("it is modified, and an update says so", True)
    answer(dhan.cancel_order(order_id))
    until("CANCELLED", lambda: "CANCELLED" in told(order_id))
    check("it is cancelled, and an update says so", True)
    by_tag = answer(dhan.get_order_by_correlationID("official-1"))
    row = by_tag[0] if isinstance(by_tag, list) else by_tag
    check("it is found by its tag", row["orderId"] == order_id and row["orderStatus"] == "CANCELLED", row)

    bought = answer(dhan.place_order(order_type=dhan.LIMIT, price=round(ask + 5, 2), tag="official-2", **terms))["orderId"]
    until("TRADED", lambda: "TRADED" in told(bought))
    path = [status for n, status in enumerate(told(bought)) if n == 0 or told(bought)[n - 1] != status]
    check("updates run TRANSIT, PENDING, TRADED", [s for s in path if s != "PART_TRADED"] == ["TRANSIT", "PENDING", "TRADED"], path)
    book = {row["orderId"]: row["orderStatus"] for row in answer(dhan.get_order_list())}
    check("the order book has both", (book[order_id], book[bought]) == ("CANCELLED", "TRADED"), book)
    trades = answer(dhan.get_trade_book(bought))
    trades = trades if isinstance(trades, list) else [trades]
    check("the trades of the order add up", sum(trade["tradedQuantity"] for trade in trades) == lot, trades)
    positions = {row["securityId"]: row["netQty"] for row in answer(dhan.get_positions())}
    check("the position is there", positions.get(security_id) == lot, positions)
    check("funds are told", "availabelBalance" in answer(dhan.get_fund_limits()))


def main():
    global SIM
    sim = subprocess.Popen([sys.argv[1], "sim", "--json", "--speed", "10"], stdout=subprocess.PIPE, text=True)
    try:
        SIM = json.loads(sim.stdout.readline())
        DhanHTTP.API_BASE_URL = SIM["rest"]
        MarketFeed.market_feed_wss = SIM["feed"]
        FullDepth.depth_20_feed_wss = SIM["depth"]
        context = DhanContext(SIM["client_id"], SIM["token"])
        level = feed(context)
        row = option_near(SIM, level)
        security_id = row["SEM_SMST_SECURITY_ID"]
        bid, ask = modes(context, security_id)
        depth(context, security_id)
        orders(context, security_id, int(float(row["SEM_LOT_UNITS"])), bid, ask)
        print(f"passed: {len(DONE)} checks with dhanhq {getattr(package, '__version__', '2.3.0')}")
    finally:
        sim.terminate()
        sim.wait()


SIM = {}
main()
