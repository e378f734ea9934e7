//! One test per rule of the venue.

use super::*;
use crate::domain::ids::InstanceTag;
use crate::domain::tick::DEPTH;
use crate::domain::{
    Age, BookLevel, Direction, InstrumentKind, LotSize, OrderPurpose, PositionId, Right, Segment, SignalId, Strike,
    TickSource, TimeOfDay,
};
use crate::domain::{Bps, calendar::Window};

const CONTRACT: InstrumentId = InstrumentId(1);
const LOT: i64 = 75;

fn day() -> NaiveDate {
    NaiveDate::from_ymd_opt(2026, 1, 12).unwrap()
}

fn expiry() -> NaiveDate {
    NaiveDate::from_ymd_opt(2026, 1, 13).unwrap()
}

fn hours(day: NaiveDate) -> SessionHours {
    let hm = |h, m| TimeOfDay::hm(h, m).unwrap();
    SessionHours {
        day,
        windows: vec![Window { open: hm(9, 15), close: hm(15, 30) }],
        index_continuous_close: hm(15, 30),
        cutoffs: crate::domain::Cutoffs {
            no_new_entry: hm(14, 45),
            expiry_force_exit: hm(15, 0),
            square_off_start: hm(15, 5),
            square_off_deadline: hm(15, 12),
            broker_square_off: hm(15, 19),
        },
    }
}

/// Milliseconds after ten o'clock.
fn ms(millis: i64) -> Instant {
    Instant::from_ist(day(), TimeOfDay::hm(10, 0).unwrap()) + Age::from_millis(millis)
}

/// A price from rupees, e.g. `p("100.05")`.
fn p(text: &str) -> Premium {
    let (rupees, paise) = text.split_once('.').unwrap_or((text, "0"));
    let paise: i64 = format!("{paise:0<2}").parse().unwrap();
    Premium::from_paise(rupees.parse::<i64>().unwrap() * 100 + paise)
}

fn limit(price: &str) -> OrderType {
    OrderType::Limit { price: p(price) }
}

fn stop(trigger: &str, price: &str) -> OrderType {
    OrderType::StopLimit { trigger: p(trigger), price: p(price) }
}

fn contract(expiry: NaiveDate) -> Instrument {
    Instrument {
        id: CONTRACT,
        segment: Segment::NseFno,
        security_id: 4711,
        symbol: "NIFTY 2026-01-13 25650 CE".to_owned(),
        kind: InstrumentKind::Option(OptionContract {
            underlying: Underlying::Nifty,
            expiry,
            strike: Strike::from_points(25_650),
            right: Right::Call,
            lot: LotSize::new(LOT).unwrap(),
            tick: p("0.05"),
            max_order_qty: Qty::new(24 * LOT),
        }),
    }
}

fn levels(levels: &[(&str, i64)]) -> [BookLevel; DEPTH] {
    let mut book = [BookLevel::default(); DEPTH];
    for (slot, (price, lots)) in book.iter_mut().zip(levels) {
        *slot = BookLevel::new(p(price), Qty::new(lots * LOT));
    }
    book
}

fn last(at: i64, price: &str) -> Tick {
    Tick::last_price(CONTRACT, ms(at), ms(at), p(price).paise(), TickSource::Feed)
}

fn book(at: i64, price: &str, bids: &[(&str, i64)], asks: &[(&str, i64)]) -> Tick {
    Tick { bids: levels(bids), asks: levels(asks), ..last(at, price) }
}

/// A book of one deep level on each side, last price in the middle or wherever given.
fn touch(at: i64, price: &str, bid: &str, ask: &str) -> Tick {
    book(at, price, &[(bid, 1_000)], &[(ask, 1_000)])
}

fn point(at: i64, price: &str, flags: TickFlags) -> Tick {
    Tick { flags: TickFlags::SYNTHESISED.with(flags), source: TickSource::Bar, ..last(at, price) }
}

struct Bench {
    venue: VenueSim,
    out: Vec<VenueOutput>,
    ids: u64,
}

impl Bench {
    fn new(kind: FillModelKind) -> Bench {
        let mut venue = VenueSim::new(FillModel::named(kind));
        venue.open_session(&hours(day()));
        venue.list(&contract(expiry()));
        Bench { venue, out: Vec::new(), ids: 0 }
    }

    fn spec(&mut self, side: OrderSide, lots: i64, order_type: OrderType) -> OrderSpec {
        self.ids += 1;
        let position = PositionId(self.ids);
        let signal = SignalId { underlying: Underlying::Nifty, bar_start: ms(0), direction: Direction::Up };
        let purpose = if side == OrderSide::Buy { OrderPurpose::Entry } else { OrderPurpose::Protection };
        let tag = InstanceTag::new("T1").unwrap();
        let id = ClientOrderId::derive(tag, day(), &signal, position, purpose, 0, 1);
        OrderSpec { id, position, instrument: CONTRACT, purpose, side, qty: Qty::new(lots * LOT), order_type }
    }

    fn send(&mut self, at: i64, spec: OrderSpec) -> ClientOrderId {
        self.venue.submit(ms(at), Command::Place(spec));
        spec.id
    }

    fn buy(&mut self, at: i64, lots: i64, order_type: OrderType) -> ClientOrderId {
        let spec = self.spec(OrderSide::Buy, lots, order_type);
        self.send(at, spec)
    }

    fn sell(&mut self, at: i64, lots: i64, order_type: OrderType) -> ClientOrderId {
        let spec = self.spec(OrderSide::Sell, lots, order_type);
        self.send(at, spec)
    }

    fn modify(&mut self, at: i64, id: ClientOrderId, version: u8, lots: i64, order_type: OrderType) {
        let qty = Qty::new(lots * LOT);
        self.venue.submit(ms(at), Command::Modify { id, instrument: CONTRACT, version, order_type, qty });
    }

    fn cancel(&mut self, at: i64, id: ClientOrderId) {
        self.venue.submit(ms(at), Command::Cancel { id, instrument: CONTRACT });
    }

    fn tick(&mut self, tick: Tick) {
        self.venue.on_tick(&tick, &mut self.out);
    }

    fn until(&mut self, at: i64) {
        self.venue.advance(ms(at), &mut self.out);
    }

    /// What was said since the last call, as short words: `accepted`, `75@100.05`, `rejected TickSize`, ...
    fn said(&mut self) -> Vec<String> {
        self.out
            .drain(..)
            .map(|output| match output.event.report {
                OrderReport::Accepted => "accepted".to_owned(),
                OrderReport::Triggered => "triggered".to_owned(),
                OrderReport::Filled(fill) => format!("{}@{}", fill.qty.get() / LOT, fill.price),
                OrderReport::Modified { version, .. } => format!("modified {version}"),
                OrderReport::ModifyRefused { version, refusal } => format!("modify {version} refused {refusal}"),
                OrderReport::Cancelled { filled } => format!("cancelled {}", filled.get() / LOT),
                OrderReport::CancelRefused { refusal } => format!("cancel refused {refusal}"),
                OrderReport::Rejected { refusal } => format!("rejected {refusal}"),
                other => panic!("a venue does not say {other:?}"),
            })
            .collect()
    }
}

const BASE: FillModelKind = FillModelKind::Base;

#[test]
fn a_decision_never_meets_a_book_from_before_its_arrival() {
    // P25, P26, F-90: base takes 150 ms; the book of the decision and one at 149 ms are too old.
    let mut bench = Bench::new(BASE);
    bench.tick(touch(0, "100", "99.95", "100.05"));
    bench.buy(0, 1, limit("105"));
    bench.tick(touch(149, "100", "99.95", "100.05"));
    assert_eq!(bench.said(), [""; 0]);
    assert_eq!(bench.venue.wake_at(), Some(ms(150)));
    bench.until(400);
    assert_eq!(bench.said(), ["accepted"], "acceptance is not a fill (F-15)");
    bench.tick(touch(401, "102", "101.95", "102.05"));
    assert_eq!(bench.said(), ["1@102.05"]);
}

#[test]
fn an_order_may_trade_on_the_tick_received_as_it_arrives() {
    let mut bench = Bench::new(BASE);
    bench.buy(0, 1, limit("105"));
    // The driver forgot to call `advance`; the tick itself lets the order arrive first.
    bench.tick(touch(150, "100", "99.95", "100.05"));
    assert_eq!(bench.said(), ["accepted", "1@100.05"]);
}

#[test]
fn reports_are_heard_after_the_report_latency_and_name_their_tick() {
    let mut bench = Bench::new(BASE);
    bench.buy(0, 1, limit("105"));
    bench.tick(touch(200, "100", "99.95", "100.05"));
    assert_eq!(bench.out[0].deliver_at, ms(200), "accepted at 150, heard 50 later");
    assert_eq!(bench.out[0].tick, None);
    assert_eq!(bench.out[1].deliver_at, ms(250));
    assert_eq!(bench.out[1].tick, Some(FillContext { ltp: p("100"), synthesised: false }));
    let OrderReport::Filled(fill) = &bench.out[1].event.report else { panic!("a fill") };
    assert_eq!(fill.at, ms(200));
}

#[test]
fn ticks_that_may_not_drive_decisions_never_fill_trigger_or_set_a_price() {
    // P22, P23.
    for flag in [TickFlags::STALE, TickFlags::OUT_OF_SESSION, TickFlags::OUT_OF_ORDER] {
        let mut bench = Bench::new(BASE);
        bench.buy(0, 1, limit("105"));
        bench.sell(0, 1, stop("99", "98"));
        bench.until(150);
        bench.said();
        bench.tick(Tick { flags: flag, ..touch(300, "90", "89.95", "90.05") });
        assert_eq!(bench.said(), [""; 0]);
        // Had 90 become the last price, this stop would be refused.
        bench.sell(301, 1, stop("95", "94"));
        bench.until(500);
        assert_eq!(bench.said(), ["accepted"]);
    }
}

#[test]
fn nothing_trades_on_a_tick_received_after_the_close() {
    let mut bench = Bench::new(BASE);
    bench.buy(0, 1, limit("105"));
    bench.until(150);
    bench.said();
    let close = hours(day()).close_at();
    bench.tick(Tick { received_at: close, ..touch(300, "100", "99.95", "100.05") });
    assert_eq!(bench.said(), [""; 0]);
}

#[test]
fn a_buy_walks_five_levels_and_the_rest_stays_in_the_book() {
    let mut bench = Bench::new(BASE);
    let asks = [("100.05", 1), ("100.10", 2), ("100.15", 1), ("100.25", 1), ("100.30", 1)];
    let id = bench.buy(0, 8, limit("105"));
    bench.tick(book(150, "100", &[("100", 5)], &asks));
    assert_eq!(bench.said(), ["accepted", "1@100.05", "2@100.10", "1@100.15", "1@100.25", "1@100.30"]);
    bench.cancel(200, id);
    bench.until(350);
    assert_eq!(bench.said(), ["cancelled 6"], "F-39: the cancellation counts what was executed");
}

#[test]
fn a_sell_walks_the_bids_down_to_its_limit() {
    let mut bench = Bench::new(BASE);
    bench.sell(0, 4, limit("99.90"));
    bench.tick(book(150, "100", &[("100", 1), ("99.90", 1), ("99.85", 9)], &[("100.05", 5)]));
    assert_eq!(bench.said(), ["accepted", "1@100.00", "1@99.90"]);
}

#[test]
fn what_we_took_from_a_level_is_offered_again_only_when_the_level_changes() {
    let mut bench = Bench::new(BASE);
    bench.buy(0, 6, limit("100.05"));
    bench.tick(book(150, "100", &[("100", 5)], &[("100.05", 2)]));
    bench.tick(book(300, "100", &[("100", 4)], &[("100.05", 2)]));
    assert_eq!(bench.said(), ["accepted", "2@100.05"], "the same two lots are shown twice, not sold twice");
    bench.tick(book(400, "100", &[("100", 4)], &[("100.05", 3)]));
    assert_eq!(bench.said(), ["3@100.05"], "a changed quantity is a new offer");
}

#[test]
fn two_orders_share_one_level_in_order_of_arrival() {
    let mut bench = Bench::new(BASE);
    let first = bench.buy(0, 2, limit("101"));
    bench.buy(1, 2, limit("102"));
    bench.tick(book(160, "100", &[("100", 5)], &[("100.05", 3)]));
    let fills: Vec<_> = bench.out.iter().filter(|o| matches!(o.event.report, OrderReport::Filled(_))).collect();
    assert_eq!(fills[0].event.id, first);
    assert_eq!(bench.said(), ["accepted", "accepted", "2@100.05", "1@100.05"]);
}

#[test]
fn worse_models_take_a_smaller_share_in_whole_lots_but_never_less_than_one() {
    let takeable = |kind, lots| FillModel::named(kind).takeable(Qty::new(lots * LOT), LotSize::new(LOT).unwrap());
    assert_eq!(takeable(BASE, 10), Qty::new(10 * LOT));
    assert_eq!(takeable(FillModelKind::Pessimistic, 9), Qty::new(4 * LOT));
    assert_eq!(takeable(FillModelKind::Stressed, 10), Qty::new(2 * LOT));
    assert_eq!(takeable(FillModelKind::Stressed, 1), Qty::new(LOT));
    assert_eq!(FillModel::named(BASE).takeable(Qty::new(LOT - 1), LotSize::new(LOT).unwrap()), Qty::ZERO);
}

#[test]
fn a_resting_limit_fills_at_its_own_price() {
    let mut bench = Bench::new(BASE);
    bench.buy(0, 1, limit("99"));
    bench.tick(touch(200, "100", "99.95", "100.05"));
    bench.tick(touch(300, "98", "97.95", "98.05"));
    assert_eq!(bench.said(), ["accepted", "1@99.00"], "not at 98.05: the sellers came to us");
}

#[test]
fn base_fills_a_resting_limit_on_touch_and_pessimistic_only_when_traded_through() {
    for (kind, filled) in [(BASE, true), (FillModelKind::Pessimistic, false), (FillModelKind::Stressed, false)] {
        let mut bench = Bench::new(kind);
        bench.buy(0, 1, limit("99"));
        bench.tick(touch(1_000, "100", "99.95", "100.05"));
        bench.said();
        bench.tick(touch(1_100, "99", "98.95", "99"));
        assert_eq!(bench.said().len() == 1, filled, "{kind}");
        bench.tick(touch(1_200, "99", "98.85", "98.90"));
        assert_eq!(bench.said().len() == 1, !filled, "{kind}");
    }
}

#[test]
fn the_market_coming_our_way_while_the_order_travels_is_not_counted() {
    let mut bench = Bench::new(FillModelKind::Stressed);
    bench.buy(0, 1, limit("105"));
    bench.tick(touch(100, "102", "101.95", "102.05"));
    bench.tick(touch(900, "100", "99.95", "100.05"));
    assert_eq!(bench.said(), ["accepted", "1@102.15"], "two ticks beyond the worst ask since the decision");
}

#[test]
fn without_a_book_the_last_price_stands_in_the_middle_of_a_spread() {
    let prices = |kind, price| {
        let mut bench = Bench::new(kind);
        bench.buy(0, 1, limit("500"));
        bench.sell(0, 1, limit("0.05"));
        bench.tick(last(950, price));
        bench.said()[2..].to_vec()
    };
    // 10, 20, 20 and 40 bps of 200, plus 0, 0, 1 and 2 ticks.
    assert_eq!(prices(FillModelKind::Optimistic, "200"), ["1@200.20", "1@199.80"]);
    assert_eq!(prices(BASE, "200"), ["1@200.40", "1@199.60"]);
    assert_eq!(prices(FillModelKind::Pessimistic, "200"), ["1@200.45", "1@199.55"]);
    assert_eq!(prices(FillModelKind::Stressed, "200"), ["1@200.90", "1@199.10"]);
    // 20 bps of 133.35 are 26.67 paise: 30, rounded up to the tick.
    assert_eq!(prices(BASE, "133.35"), ["1@133.65", "1@133.05"]);
    // Small prices: at least two ticks, and never below one.
    assert_eq!(prices(BASE, "10"), ["1@10.10", "1@9.90"]);
    assert_eq!(prices(FillModelKind::Stressed, "0.05"), ["1@0.35", "1@0.05"]);
}

#[test]
fn without_a_book_the_size_is_bounded_and_comes_back_only_with_another_trade() {
    let mut bench = Bench::new(FillModelKind::Stressed);
    bench.buy(0, 12, limit("105"));
    bench.tick(last(900, "100"));
    bench.tick(last(1_000, "100"));
    assert_eq!(bench.said(), ["accepted", "5@100.50"], "a quarter of twenty lots, once");
    bench.tick(last(1_100, "99"));
    assert_eq!(bench.said(), ["5@100.50"], "a cheaper price later is not ours");
    bench.tick(Tick { volume: 7, ..last(1_200, "99") });
    assert_eq!(bench.said(), ["2@100.50"]);
}

#[test]
fn a_tick_without_any_price_trades_nothing() {
    let mut bench = Bench::new(BASE);
    bench.buy(0, 1, limit("105"));
    bench.tick(Tick { ltp_paise: 0, ..last(200, "100") });
    bench.tick(book(300, "100", &[("100", 5)], &[]));
    assert_eq!(bench.said(), ["accepted"], "no trade yet; then buyers only: nobody sells");
}

#[test]
fn a_crossed_book_is_priced_from_its_worse_side() {
    let mut bench = Bench::new(BASE);
    bench.buy(0, 1, limit("105"));
    bench.sell(0, 1, limit("95"));
    bench.tick(touch(200, "100", "100.50", "99.50"));
    assert_eq!(bench.said()[2..], ["1@100.50", "1@99.50"]);
}

#[test]
fn a_level_listed_twice_is_offered_once() {
    let mut bench = Bench::new(BASE);
    bench.buy(0, 9, limit("105"));
    bench.tick(book(200, "100", &[("100", 5)], &[("100.05", 2), ("100.05", 2), ("100", 3), ("100.10", 1)]));
    assert_eq!(bench.said(), ["accepted", "2@100.05", "1@100.10"]);
}

#[test]
fn commands_arrive_one_by_one_at_their_own_time() {
    let mut bench = Bench::new(BASE);
    let id = bench.buy(0, 1, limit("90"));
    bench.modify(100, id, 1, 2, limit("91"));
    bench.until(249);
    assert_eq!(bench.said(), ["accepted"]);
    assert_eq!(bench.venue.wake_at(), Some(ms(250)));
    bench.until(250);
    assert_eq!(bench.said(), ["modified 1"]);
    assert_eq!(bench.venue.wake_at(), None);
}

#[test]
fn an_order_that_arrived_ahead_of_a_tick_still_does_not_meet_an_older_one() {
    // P25, even when the driver advances further than its ticks.
    let mut bench = Bench::new(BASE);
    bench.buy(0, 1, limit("105"));
    bench.until(1_000);
    bench.tick(touch(149, "100", "99.95", "100.05"));
    assert_eq!(bench.said(), ["accepted"]);
    bench.tick(touch(151, "100", "99.95", "100.05"));
    assert_eq!(bench.said(), ["1@100.05"]);
}

#[test]
fn an_instrument_without_orders_is_left_alone_again_after_each_kind_of_end() {
    let mut bench = Bench::new(BASE);
    let live = |bench: &Bench| bench.venue.slots[CONTRACT.slot()].live;
    bench.buy(0, 1, limit("105"));
    bench.buy(0, 1, limit("100.02"));
    assert_eq!(live(&bench), 2);
    bench.tick(touch(200, "100", "99.95", "100.05"));
    assert_eq!(live(&bench), 0, "filled and refused");
    let id = bench.buy(200, 1, limit("99"));
    bench.until(400);
    assert_eq!(live(&bench), 1);
    bench.cancel(400, id);
    bench.until(600);
    assert_eq!(live(&bench), 0, "cancelled");
    bench.buy(600, 1, limit("99"));
    bench.until(800);
    bench.venue.settle(Underlying::Nifty, expiry(), ms(800), &mut bench.out);
    assert_eq!(live(&bench), 0, "settled");
    bench.venue.list(&contract(day()));
    bench.buy(900, 1, limit("99"));
    bench.until(1_100);
    bench.buy(1_100, 1, limit("99"));
    assert_eq!(live(&bench), 2);
    bench.venue.close_session(ms(1_150), &mut bench.out);
    assert_eq!(live(&bench), 0, "lapsed and never arrived");
}

#[test]
fn inside_a_bar_sells_are_priced_from_its_low_and_buys_from_its_high_so_far() {
    let mut bench = Bench::new(BASE);
    bench.tick(point(0, "100", TickFlags::BAR_OPEN));
    bench.tick(point(15_000, "110", TickFlags::NONE));
    bench.tick(point(30_000, "90", TickFlags::NONE));
    bench.buy(30_000, 1, limit("120"));
    bench.sell(30_000, 1, limit("60"));
    bench.tick(point(59_000, "100", TickFlags::BAR_CLOSE));
    assert_eq!(bench.said()[2..], ["1@110.25", "1@89.80"], "20 bps of 110 and of 90, in ticks");
    // The next bar starts afresh.
    bench.buy(59_000, 1, limit("120"));
    bench.sell(59_000, 1, limit("60"));
    bench.tick(point(60_000, "101", TickFlags::BAR_OPEN));
    assert_eq!(bench.said()[2..], ["1@101.25", "1@100.75"]);
}

#[test]
fn every_model_meets_the_next_bars_opening_point_after_a_decision_at_a_bars_end() {
    for kind in FillModelKind::ALL {
        assert!(FillModel::named(kind).order_latency < Age::from_secs(1), "{kind}");
        let mut bench = Bench::new(kind);
        bench.tick(point(59_000, "100", TickFlags::BAR_CLOSE));
        bench.buy(59_000, 1, limit("120"));
        bench.tick(point(60_000, "101", TickFlags::BAR_OPEN));
        assert_eq!(bench.said().len(), 2, "{kind}: accepted and filled");
    }
}

#[test]
fn a_stop_triggers_on_the_last_price_and_then_sells_at_the_bid() {
    let mut bench = Bench::new(BASE);
    bench.tick(touch(0, "100", "99.95", "100.05"));
    bench.sell(0, 2, stop("95", "93"));
    bench.tick(touch(200, "95.05", "94.50", "95.05"));
    assert_eq!(bench.said(), ["accepted"], "a bid under the trigger is a quote, not a trade");
    bench.tick(touch(300, "95", "94.90", "95"));
    assert_eq!(bench.said(), ["triggered", "2@94.90"]);
}

#[test]
fn a_buy_stop_mirrors_a_sell_stop() {
    let mut bench = Bench::new(BASE);
    bench.tick(touch(0, "100", "99.95", "100.05"));
    bench.buy(0, 1, stop("105", "107"));
    bench.tick(touch(200, "104.95", "104.90", "105.10"));
    bench.tick(touch(300, "105", "104.95", "105.10"));
    assert_eq!(bench.said(), ["accepted", "triggered", "1@105.10"]);
}

#[test]
fn a_stop_that_the_market_jumped_over_rests_until_it_is_priced_again() {
    // S1-17, P14: the engine hears Triggered, sees no fill and chases by modification.
    let mut bench = Bench::new(BASE);
    bench.tick(touch(0, "100", "99.95", "100.05"));
    let id = bench.sell(0, 2, stop("95", "93"));
    bench.tick(touch(200, "90", "89.90", "90.10"));
    bench.tick(touch(300, "91", "90.90", "91.10"));
    assert_eq!(bench.said(), ["accepted", "triggered"]);
    bench.modify(300, id, 1, 2, limit("88"));
    bench.tick(touch(400, "91", "90.90", "91.10"));
    bench.tick(touch(500, "90.50", "90.40", "90.60"));
    assert_eq!(bench.said(), ["modified 1", "2@90.40"]);
}

#[test]
fn an_untriggered_stop_becomes_a_marketable_limit_by_modification() {
    let mut bench = Bench::new(BASE);
    bench.tick(touch(0, "100", "99.95", "100.05"));
    let id = bench.sell(0, 2, stop("80", "78"));
    bench.until(150);
    bench.modify(200, id, 1, 3, stop("85", "83"));
    bench.until(400);
    assert_eq!(bench.said(), ["accepted", "modified 1"], "trigger raised, quantity raised to three lots");
    bench.modify(400, id, 2, 3, limit("97"));
    bench.tick(touch(600, "99", "98.95", "99.05"));
    assert_eq!(bench.said(), ["modified 2", "3@98.95"]);
}

#[test]
fn a_stop_whose_trigger_was_passed_on_its_way_is_refused() {
    let mut bench = Bench::new(BASE);
    bench.tick(touch(0, "100", "99.95", "100.05"));
    bench.sell(0, 1, stop("95", "93"));
    bench.tick(touch(50, "94.95", "94.90", "95.10"));
    bench.tick(touch(100, "96", "95.90", "96.10"));
    bench.until(150);
    assert_eq!(bench.said(), ["rejected TriggerSide"]);
}

#[test]
fn refusals_are_typed() {
    // F-40 (freeze on both sides), I22, dhan-v2.md 8.2.
    let refusal = |side, qty, order_type| {
        let mut bench = Bench::new(BASE);
        bench.tick(touch(0, "100", "99.95", "100.05"));
        let spec = OrderSpec { qty: Qty::new(qty), ..bench.spec(side, 1, order_type) };
        bench.send(0, spec);
        bench.until(150);
        bench.said().join(" ")
    };
    let (buy, sell) = (OrderSide::Buy, OrderSide::Sell);
    assert_eq!(refusal(buy, LOT, limit("100.02")), "rejected TickSize");
    assert_eq!(refusal(buy, LOT, limit("0")), "rejected TickSize");
    assert_eq!(refusal(sell, LOT, stop("95.01", "93")), "rejected TickSize");
    assert_eq!(refusal(buy, LOT - 1, limit("100")), "rejected LotSize");
    assert_eq!(refusal(sell, 0, limit("100")), "rejected LotSize");
    for side in [buy, sell] {
        assert_eq!(refusal(side, 24 * LOT, limit("100")), "accepted");
        assert_eq!(refusal(side, 25 * LOT, limit("100")), "rejected FreezeQuantity");
    }
    // 40 % beyond the touch: 140.07 and 59.97.
    assert_eq!(refusal(buy, LOT, limit("140.05")), "accepted");
    assert_eq!(refusal(buy, LOT, limit("140.10")), "rejected PriceBand");
    assert_eq!(refusal(sell, LOT, limit("60")), "accepted");
    assert_eq!(refusal(sell, LOT, limit("59.95")), "rejected PriceBand");
    assert_eq!(refusal(sell, LOT, limit("300")), "accepted", "passive prices are free");
    assert_eq!(refusal(sell, LOT, stop("50", "48")), "accepted", "a stop is measured from its trigger");
    assert_eq!(refusal(sell, LOT, stop("90", "49.95")), "rejected PriceBand");
    assert_eq!(refusal(sell, LOT, stop("100", "98")), "accepted", "trigger at the last price");
    assert_eq!(refusal(sell, LOT, stop("100.05", "98")), "rejected TriggerSide");
    assert_eq!(refusal(sell, LOT, stop("95", "95.05")), "rejected TriggerSide");
    assert_eq!(refusal(buy, LOT, stop("99.95", "102")), "rejected TriggerSide");
    assert_eq!(refusal(buy, LOT, stop("105", "104.95")), "rejected TriggerSide");
}

#[test]
fn under_fifty_rupees_the_band_is_twenty_rupees_and_it_follows_the_market() {
    let band = PriceBand::default();
    assert_eq!(band.edge(OrderSide::Sell, p("30")), p("10"));
    assert_eq!(band.edge(OrderSide::Buy, p("50")), p("70"));
    assert_eq!(band.edge(OrderSide::Buy, p("100")), p("140"));
    // An option that opened at 200 and fell to 60 can be sold at 55 (L7: exits are not locked in).
    let mut bench = Bench::new(BASE);
    bench.tick(touch(0, "200", "199.95", "200.05"));
    bench.tick(touch(1_000, "60", "59.95", "60.05"));
    bench.sell(1_000, 1, limit("55"));
    bench.until(1_150);
    assert_eq!(bench.said(), ["accepted"]);
    // A stale last price does not lock an exit in either: the bid counts too.
    bench.tick(touch(2_000, "60", "20", "20.50"));
    bench.sell(2_000, 1, limit("19"));
    bench.until(2_150);
    assert_eq!(bench.said(), ["accepted"]);
    let narrow = VenueSim::new(FillModel::named(BASE))
        .with_price_band(PriceBand { share: Bps::from_percent(1), least: p("0.05") });
    let mut bench = Bench { venue: narrow, out: Vec::new(), ids: 0 };
    bench.venue.open_session(&hours(day()));
    bench.venue.list(&contract(expiry()));
    bench.tick(touch(0, "100", "99.95", "100.05"));
    bench.buy(0, 1, limit("101.10"));
    bench.until(150);
    assert_eq!(bench.said(), ["rejected PriceBand"]);
}

#[test]
fn an_id_is_taken_once() {
    let mut bench = Bench::new(BASE);
    let spec = bench.spec(OrderSide::Buy, 1, limit("100"));
    bench.send(0, spec);
    bench.send(1, spec);
    bench.until(151);
    assert_eq!(bench.said(), ["accepted", "rejected DuplicateId"]);
    assert_eq!(bench.venue.working_orders(), 1);
}

#[test]
fn changes_to_an_order_that_is_not_open_are_refused() {
    // F-90: a cancellation does not always succeed; L2: an order filled first.
    let mut bench = Bench::new(BASE);
    let id = bench.buy(0, 1, limit("105"));
    bench.tick(touch(200, "100", "99.95", "100.05"));
    bench.modify(210, id, 1, 2, limit("106"));
    bench.cancel(220, id);
    let unknown = bench.spec(OrderSide::Buy, 1, limit("100")).id;
    bench.cancel(230, unknown);
    bench.until(400);
    assert_eq!(
        bench.said(),
        ["accepted", "1@100.05", "modify 1 refused NotOpen", "cancel refused NotOpen", "cancel refused NotOpen"]
    );
}

#[test]
fn a_refused_modification_leaves_the_order_as_it_was() {
    let mut bench = Bench::new(BASE);
    bench.tick(touch(0, "100", "99.95", "100.05"));
    let id = bench.sell(0, 2, stop("95", "93"));
    bench.modify(1, id, 1, 2, stop("101", "99"));
    bench.modify(2, id, 1, 2, stop("96.02", "93"));
    bench.modify(3, id, 1, 30, stop("96", "94"));
    bench.modify(4, id, 2, 2, stop("96", "94"));
    bench.modify(5, id, 2, 2, stop("97", "94"));
    bench.until(200);
    assert_eq!(
        bench.said(),
        [
            "accepted",
            "modify 1 refused TriggerSide",
            "modify 1 refused TickSize",
            "modify 1 refused FreezeQuantity",
            "modified 2",
            "modify 2 refused modification 2 after 2",
        ]
    );
    bench.tick(touch(300, "96", "95.90", "96.10"));
    assert_eq!(bench.said(), ["triggered", "2@95.90"]);
}

#[test]
fn a_triggered_stop_can_only_become_a_limit_and_no_total_falls_to_what_is_executed() {
    let mut bench = Bench::new(BASE);
    bench.tick(touch(0, "100", "99.95", "100.05"));
    let id = bench.sell(0, 4, stop("95", "93"));
    bench.tick(book(200, "95", &[("94.50", 2)], &[("95", 5)]));
    bench.modify(201, id, 1, 4, stop("95", "90"));
    bench.modify(202, id, 2, 2, limit("90"));
    bench.until(400);
    assert_eq!(
        bench.said(),
        [
            "accepted",
            "triggered",
            "2@94.50",
            "modify 1 refused the stop has triggered; only a limit can follow",
            "modify 2 refused total quantity 150 with 150 executed",
        ]
    );
}

#[test]
fn the_twenty_sixth_modification_is_refused() {
    // I16, dhan-v2.md 5.3.
    let mut bench = Bench::new(BASE);
    bench.tick(touch(0, "100", "99.95", "100.05"));
    let id = bench.sell(0, 1, stop("70", "68"));
    for version in 1..=26 {
        bench.modify(i64::from(version), id, version, 1, stop("70", "68"));
    }
    bench.until(500);
    let said = bench.said();
    assert_eq!(said[25..], ["modified 25", "modify 26 refused ModificationLimit"]);
}

#[test]
fn day_orders_lapse_at_the_close_and_late_commands_are_refused() {
    let mut bench = Bench::new(BASE);
    let id = bench.buy(0, 4, limit("100.05"));
    bench.tick(book(200, "100", &[("100", 5)], &[("100.05", 3)]));
    let close = hours(day()).close_at();
    bench.said();
    let late = bench.spec(OrderSide::Buy, 1, limit("100"));
    bench.venue.submit(close - Age::from_millis(10), Command::Place(late));
    bench.venue.submit(close - Age::from_millis(10), Command::Cancel { id, instrument: CONTRACT });
    bench.venue.close_session(close, &mut bench.out);
    assert!(bench.out.iter().all(|o| o.deliver_at == close + bench.venue.model().report_latency));
    assert_eq!(bench.said(), ["rejected MarketClosed", "cancel refused MarketClosed", "cancelled 3"]);
    assert_eq!((bench.venue.working_orders(), bench.venue.wake_at()), (0, None));
    let after = bench.spec(OrderSide::Buy, 1, limit("100"));
    bench.venue.submit(close + Age::from_secs(5), Command::Place(after));
    bench.venue.advance(close + Age::from_secs(6), &mut bench.out);
    assert_eq!(bench.said(), ["rejected MarketClosed"]);
}

#[test]
fn a_settled_or_expired_series_takes_no_orders() {
    // P30: the whole series in one step.
    let mut bench = Bench::new(BASE);
    bench.buy(0, 1, limit("90"));
    bench.until(150);
    bench.said();
    bench.venue.settle(Underlying::Nifty, expiry(), ms(200), &mut bench.out);
    bench.buy(200, 1, limit("90"));
    bench.until(400);
    assert_eq!(bench.said(), ["cancelled 0", "rejected Expired"]);
    let mut bench = Bench::new(BASE);
    bench.venue.list(&contract(day().pred_opt().unwrap()));
    bench.buy(0, 1, limit("90"));
    bench.until(150);
    assert_eq!(bench.said(), ["rejected Expired"]);
}

#[test]
fn what_is_not_an_option_listed_here_cannot_be_traded() {
    let mut bench = Bench::new(BASE);
    let mut index = contract(expiry());
    index.id = InstrumentId(0);
    index.kind = InstrumentKind::Index { underlying: Underlying::Nifty };
    bench.venue.list(&index);
    for instrument in [InstrumentId(0), InstrumentId(9)] {
        let spec = OrderSpec { instrument, ..bench.spec(OrderSide::Buy, 1, limit("90")) };
        bench.send(0, spec);
        bench.tick(Tick { instrument, ..last(100, "90") });
        bench.until(150);
        assert_eq!(bench.said(), [format!("rejected no tradable contract in slot {}", instrument.0)]);
    }
}

#[test]
fn a_new_session_knows_no_price_of_the_day_before_and_goes_on_numbering_trades() {
    // P23: a weeks-old price neither fills nor refuses.
    let mut bench = Bench::new(BASE);
    bench.buy(0, 1, limit("105"));
    bench.tick(touch(200, "100", "99.95", "100.05"));
    let trade = |out: &[VenueOutput]| match &out.last().unwrap().event.report {
        OrderReport::Filled(fill) => fill.trade,
        other => panic!("{other:?}"),
    };
    let first = trade(&bench.out);
    assert_eq!(first, TradeId(20_260_112_000_000_001));
    bench.venue.close_session(hours(day()).close_at(), &mut bench.out);
    bench.said();
    let tomorrow = expiry();
    bench.venue.open_session(&hours(tomorrow));
    let at = |millis| Instant::from_ist(tomorrow, TimeOfDay::hm(10, 0).unwrap()) + Age::from_millis(millis);
    // With yesterday's 100 remembered this stop would be on the wrong side, and this limit out of band.
    let order = bench.spec(OrderSide::Sell, 1, stop("300", "298"));
    bench.venue.submit(at(0), Command::Place(order));
    let order = bench.spec(OrderSide::Buy, 1, limit("310"));
    bench.venue.submit(at(0), Command::Place(order));
    bench.venue.advance(at(150), &mut bench.out);
    assert_eq!(bench.said(), ["accepted", "accepted"]);
    bench.tick(Tick { received_at: at(200), ..touch(0, "305", "304.95", "305.05") });
    assert!(trade(&bench.out) > first);
}

#[test]
#[should_panic(expected = "the session before was not closed")]
fn a_session_cannot_open_over_orders_of_the_one_before() {
    let mut bench = Bench::new(BASE);
    bench.buy(0, 1, limit("100"));
    bench.venue.open_session(&hours(expiry()));
}

#[test]
fn the_named_models_get_worse_in_every_number() {
    // N9.
    for pair in FillModelKind::ALL.windows(2) {
        let (better, worse) = (FillModel::named(pair[0]), FillModel::named(pair[1]));
        assert!(better.kind < worse.kind);
        assert!(better.order_latency < worse.order_latency);
        assert!(better.report_latency < worse.report_latency);
        assert!(better.half_spread <= worse.half_spread);
        assert!(better.half_spread_min_ticks <= worse.half_spread_min_ticks);
        assert!(better.slippage_ticks <= worse.slippage_ticks);
        assert!(better.displayed_share >= worse.displayed_share);
        assert!(better.synthetic_level >= worse.synthetic_level);
        let at = |m: &FillModel| m.half_spread_at(p("150"), p("0.05")).paise() + m.slippage_ticks * 5;
        assert!(at(&better) < at(&worse), "{} costs less than {}", better.kind, worse.kind);
    }
    for kind in FillModelKind::ALL {
        assert_eq!(FillModelKind::from_name(kind.name()), Some(kind));
        assert_eq!(FillModel::named(kind).assumptions()[0].1, kind.name());
    }
    assert_eq!(FillModelKind::from_name("realistic"), None);
}
