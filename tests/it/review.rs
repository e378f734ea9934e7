//! Hostile little markets against the whole money path: thin, one-sided and vanishing books, gaps, silence, breaks.
//! Every replay reconciles the account with the records at each day's end; here an oracle that shares no code with
//! the engine adds the fills up again.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use scalper::backtest::memory_feed::{MemoryDay, MemoryFeed};
use scalper::backtest::result::BacktestResult;
use scalper::backtest::run::{BacktestRequest, run};
use scalper::config;
use scalper_decide::domain::calendar::{HoursRegime, SpecialDay, Window};
use scalper_decide::domain::{
    Age, BookLevel, Bps, ChargeHeads, DayKind, Exchange, ExitReason, IndexPrice, Instant, Instrument, InstrumentId,
    InstrumentKind, LotSize, Lots, Money, OptionContract, OrderPurpose, OrderSide, Premium, Qty, Right, Segment,
    SessionCalendar, Strike, Tick, TickSource, TimeOfDay, Underlying,
};
use scalper_decide::params::{
    CapitalBand, QuoteAgeLimits, SignalTrigger, StopDistance, SupertrendParams, Timeframe, TrailParams,
};
use scalper_decide::venue_sim::FillModelKind;

use crate::support;

const LOT: i64 = 65;
const SPOT: i64 = 25_000;

fn date(text: &str) -> NaiveDate {
    text.parse().expect("a date")
}

fn clock(day: NaiveDate, text: &str) -> Instant {
    Instant::from_ist(day, TimeOfDay::try_from(text.to_owned()).expect("a time"))
}

/// The index and a call and a put at each of three strikes.
fn instruments(expiry: NaiveDate) -> Vec<Instrument> {
    let index = Instrument {
        id: InstrumentId(0),
        segment: Segment::IdxI,
        security_id: 13,
        symbol: "NIFTY".into(),
        kind: InstrumentKind::Index { underlying: Underlying::Nifty },
    };
    let mut all = vec![index];
    for points in [SPOT - 100, SPOT - 50, SPOT, SPOT + 50, SPOT + 100] {
        for right in [Right::Call, Right::Put] {
            all.push(Instrument {
                id: InstrumentId(0),
                segment: Segment::NseFno,
                security_id: 1_000 + all.len() as u32,
                symbol: format!("NIFTY {points} {right}"),
                kind: InstrumentKind::Option(OptionContract {
                    underlying: Underlying::Nifty,
                    expiry,
                    strike: Strike::from_points(points),
                    right,
                    lot: LotSize::new(LOT).expect("above zero"),
                    tick: Premium::from_paise(5),
                    max_order_qty: Qty::new(2 * LOT),
                }),
            });
        }
    }
    all
}

/// A random day: each stretch `from..to` has a tick of every instrument every second or so.
fn wild_day(rng: &mut ChaCha8Rng, day: NaiveDate, expiry: NaiveDate, stretches: &[(&str, &str)]) -> MemoryDay {
    let instruments = instruments(expiry);
    let mut ticks = Vec::new();
    let (mut spot, mut noise) = (SPOT * 100, 0_i64);
    let mut drift = 0;
    for (from, to) in stretches {
        let (mut at, end) = (clock(day, from), clock(day, to));
        while at < end {
            at = at + Age::from_millis(rng.random_range(200..1_800));
            if rng.random_range(0..90) == 0 {
                drift = rng.random_range(-250..=250);
            }
            if rng.random_range(0..400) == 0 {
                at = at + Age::from_secs(rng.random_range(5..90));
            }
            spot = (spot + drift + rng.random_range(-300..=300)).clamp((SPOT - 120) * 100, (SPOT + 120) * 100);
            noise = (noise + rng.random_range(-150..=150)).clamp(-3_000, 4_000);
            if rng.random_range(0..500) == 0 {
                noise = rng.random_range(-3_000..4_000);
            }
            for (slot, instrument) in instruments.iter().enumerate() {
                let id = InstrumentId(slot as u32);
                let at = at + Age::from_millis(slot as i64);
                let Some(contract) = instrument.option() else {
                    ticks.push(Tick::last_price(id, at, at, spot, TickSource::Feed));
                    continue;
                };
                if rng.random_range(0..12) == 0 {
                    continue;
                }
                let inside = match contract.right {
                    Right::Call => spot - contract.strike.paise(),
                    Right::Put => contract.strike.paise() - spot,
                };
                let mid = ((inside.max(0) + 8_000 - inside.abs() / 4 + noise) / 5 * 5).max(10);
                let mut tick = Tick::last_price(id, at, at, mid, TickSource::Feed);
                tick.oi = 1_000_000;
                let half = 5 * rng.random_range(1..=8);
                for (i, level) in tick.bids.iter_mut().enumerate().take(rng.random_range(1..=5)) {
                    let price = (mid - half - 5 * i as i64).max(0) as i32;
                    *level = BookLevel { price, qty: (LOT * rng.random_range(1..=3)) as u32 };
                }
                for (i, level) in tick.asks.iter_mut().enumerate().take(rng.random_range(1..=5)) {
                    let price = (mid + half + 5 * i as i64) as i32;
                    *level = BookLevel { price, qty: (LOT * rng.random_range(1..=3)) as u32 };
                }
                match rng.random_range(0..60) {
                    0..=2 => tick.bids = Default::default(),
                    3..=5 => tick.asks = Default::default(),
                    6..=8 => (tick.bids, tick.asks) = Default::default(),
                    9 => tick.ltp_paise = 0,
                    10 => std::mem::swap(&mut tick.bids, &mut tick.asks),
                    11 => tick.exchange_at = tick.exchange_at - Age::from_secs(9),
                    _ => {}
                }
                ticks.push(tick);
            }
        }
    }
    ticks.sort_by_key(|t| t.received_at);
    MemoryDay { instruments, ticks, ..MemoryDay::default() }
}

/// Settings that trade all the time and meet every limit: tight stops, few modifications, slices of two lots.
fn eager(model: FillModelKind) -> BacktestRequest {
    let mut request = support::request(&["production"]);
    request.headline = model;
    let p = &mut request.params;
    p.indices = vec![Underlying::Nifty];
    p.signal_by_index.clear();
    let s = &mut p.signal;
    (s.primary, s.confirmation, s.trigger) = (Timeframe::M1, None, SignalTrigger::State);
    s.supertrend = SupertrendParams::Classic { period: 2, multiplier: 1.0 };
    (s.adx_period, s.adx_min_primary, s.warmup_bars) = (2, 0.0, 4);
    (s.trend_bars, s.theta_cutoff, s.min_minutes_to_expiry, s.opening_no_trade_minutes) = (None, None, 0, 0);
    s.iv_rank.enabled = false;
    let ages = QuoteAgeLimits { feed: Age::from_secs(60), snapshot: Age::from_secs(90), bar: Age::from_secs(60) };
    let c = &mut p.chain;
    (c.iv_min_pct, c.iv_max_pct, c.min_oi, c.max_spread) = (0.1, 400.0, Qty::ZERO, Bps::from_percent(50));
    (c.min_abs_delta, c.max_abs_delta, c.min_score, c.min_minutes_to_expiry) = (0.0, 1.0, 0, 0);
    c.premium_band.clear();
    c.quote_age = ages;
    p.capital.opening_balance = Some(Money::from_rupees(1_000_000));
    p.capital.bands = vec![CapitalBand {
        up_to: None,
        allocation: Bps::from_percent(20),
        risk_per_trade: Bps::from_percent(20),
        day_loss: Bps::from_percent(5),
    }];
    p.capital.index_allocation.clear();
    (p.capital.max_lots, p.capital.max_trade_cost) = (Lots::new(7), None);
    let g = &mut p.entry_guard;
    (g.max_positions_per_contract, g.max_positions_per_index, g.max_positions_total) = (2, 4, 4);
    (g.cooldown_direction, g.cooldown_strike) = (Age::ZERO, Age::ZERO);
    (g.index_age, g.option_age, g.max_spread, g.slippage_cap) =
        (ages, ages, Bps::from_percent(50), Bps::from_percent(5));
    (g.max_trades_per_index, g.max_trades_per_day) = (500, 500);
    let r = &mut p.risk;
    r.stop = StopDistance::Percent { pct: Bps::from_percent(4) };
    (r.target, r.break_even_after) = (Some(Bps::from_percent(6)), Some(Bps::from_percent(2)));
    r.trail = Some(TrailParams { arm_after: Bps::from_percent(2), drop: Bps::from_percent(1) });
    (r.profit_lock, r.time_stop, r.day_profit, r.loss_streak) = (None, Some(Age::from_secs(50)), None, None);
    r.day_loss = Some(Bps::from_percent(40));
    r.index_day_loss.clear();
    r.expiry_limits.clear();
    let o = &mut p.orders;
    (o.entry_timeout, o.exit_chase) = (Age::from_secs(3), Age::from_millis(500));
    (o.max_modifications, o.modifications_for_exit, o.stop_move_min) = (4, 2, Bps::new(0));
    request
}

/// What the fills alone say about one position.
#[derive(Debug, Default)]
struct Ledger {
    bought: i64,
    sold: i64,
    gross: i64,
    charges: ChargeHeads,
}

/// Adds the fills up by position and checks every trade and unresolved position against them.
fn audit(result: &BacktestResult) {
    let tables = config::tables::load(None).expect("shipped tables load");
    let mut turnover: BTreeMap<&str, i64> = BTreeMap::new();
    for fill in &result.fills {
        *turnover.entry(&fill.order).or_default() += fill.price.paise() * fill.qty.get();
    }
    let mut ledgers: BTreeMap<u64, Ledger> = BTreeMap::new();
    for order in &result.orders {
        let qty: i64 = result.fills.iter().filter(|f| f.order == order.id).map(|f| f.qty.get()).sum();
        assert_eq!(qty, order.filled.get(), "fills of {}", order.id);
        assert!(order.filled <= order.qty && order.qty.get() <= 2 * LOT, "{order:?}");
        assert_eq!(order.side == OrderSide::Buy, order.purpose == OrderPurpose::Entry, "{order:?}");
        let ledger = ledgers.entry(order.position).or_default();
        let money = turnover.get(order.id.as_str()).copied().unwrap_or(0);
        match order.side {
            OrderSide::Buy => (ledger.bought, ledger.gross) = (ledger.bought + qty, ledger.gross - money),
            OrderSide::Sell => (ledger.sold, ledger.gross) = (ledger.sold + qty, ledger.gross + money),
        }
        let rates = tables.charges.on(Exchange::Nse, order.sent_at.ist_date()).expect("covered");
        // Once per executed order, on everything it executed.
        ledger.charges += rates.for_order(order.side, Money::from_paise(money));
    }
    for trade in &result.trades {
        let ledger = ledgers.remove(&trade.position).expect("a trade has orders");
        assert_eq!(ledger.bought, trade.qty.get(), "{trade:?}");
        assert!(trade.mae <= trade.gross && trade.gross <= trade.mfe, "{trade:?}");
        assert!(trade.decided_at <= trade.entry_at && trade.entry_at <= trade.exit_at, "{trade:?}");
        assert_eq!(trade.net, trade.gross - trade.charges.total());
        if trade.reason != ExitReason::ExpirySettlement {
            assert_eq!((ledger.sold, ledger.gross), (ledger.bought, trade.gross.paise()), "{trade:?}");
            assert_eq!(ledger.charges, trade.charges, "{trade:?}");
        }
    }
    for position in &result.unresolved {
        let ledger = ledgers.remove(&position.position).expect("an unresolved position has orders");
        assert_eq!(ledger.bought - ledger.sold, position.qty.get(), "{position:?}");
        assert_eq!(ledger.gross - ledger.charges.total().paise(), position.worst_case.paise(), "{position:?}");
    }
    assert!(ledgers.values().all(|l| l.bought == 0 && l.sold == 0), "a position is missing: {ledgers:?}");
    let net: Money = result.trades.iter().map(|t| t.net).sum();
    let last = result.days.last().expect("days were replayed");
    assert_eq!(last.closing_balance, result.meta.opening_balance + net);
}

fn commands_per_order(result: &BacktestResult) -> u8 {
    result.orders.iter().map(|o| o.modifications).max().unwrap_or(0)
}

#[test]
fn hostile_markets_never_break_the_books() {
    // I2, I4, I18, F-14, F-15, F-40, F-89: whatever the books do, fills, trades, charges and the account agree.
    let (mut trades, mut partial, mut unfilled) = (0, 0, 0);
    let mut reasons: BTreeMap<ExitReason, usize> = BTreeMap::new();
    for seed in 0..6 {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut feed = MemoryFeed::default();
        let (monday, expiry) = (date("2026-01-12"), date("2026-01-13"));
        let normal: &[(&str, &str)] = &[("09:15", "09:40"), ("14:55", "15:31")];
        // The second day goes silent for good in the middle: nothing held by then can be sold.
        let silent: &[(&str, &str)] = &[("09:15", "09:50")];
        feed.days.insert(monday, wild_day(&mut rng, monday, expiry, if seed % 2 == 0 { normal } else { silent }));
        feed.days.insert(expiry, wild_day(&mut rng, expiry, expiry, normal));
        for model in [FillModelKind::Base, FillModelKind::Pessimistic, FillModelKind::Stressed] {
            let result = support::replay(&feed, &eager(model));
            audit(&result);
            assert!(commands_per_order(&result) <= 4);
            trades += result.trades.len();
            unfilled += result.unfilled_entries;
            partial += result.orders.iter().filter(|o| o.filled > Qty::ZERO && o.filled < o.qty).count();
            for trade in &result.trades {
                *reasons.entry(trade.reason).or_default() += 1;
            }
        }
    }
    assert!(trades > 300 && partial > 20 && unfilled > 5, "{trades} trades, {partial} partial, {unfilled} unfilled");
    let seen = |reason| reasons.get(&reason).copied().unwrap_or(0);
    for reason in [ExitReason::StopLoss, ExitReason::Target, ExitReason::TrailingStop, ExitReason::TimeStop] {
        assert!(seen(reason) > 5, "{reason}: {reasons:?}");
    }
}

#[test]
fn a_day_of_two_windows_sends_nothing_in_its_break_and_loses_no_position() {
    // F-23: the hours of the drills of 2024, on a day whose charges are known.
    let day = date("2026-01-12");
    let mut tables = config::tables::load(None).expect("shipped tables load");
    let time = |text: &str| TimeOfDay::try_from(text.to_owned()).expect("a time");
    let window = |open, close| Window { open: time(open), close: time(close) };
    let DayKind::Open(regular) = tables.calendar.day(day).unwrap() else { panic!("a trading day") };
    let regime = HoursRegime {
        from: day,
        window: regular.windows[0],
        index_continuous_close: regular.index_continuous_close,
        cutoffs: regular.cutoffs,
    };
    let drill =
        SpecialDay::Session { name: "drill".into(), windows: vec![window("09:15", "10:00"), window("11:30", "12:30")] };
    tables.calendar =
        SessionCalendar::new(day, date("2026-01-31"), vec![regime], [(day, drill)].into()).expect("a calendar");
    let (from, to) = (clock(day, "10:00"), clock(day, "11:30"));
    let mut carried = 0;
    for seed in 10..16 {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut feed = MemoryFeed::default();
        let stretches: &[(&str, &str)] = &[("09:40", "09:59:58"), ("11:30", "12:20")];
        feed.days.insert(day, wild_day(&mut rng, day, date("2026-01-13"), stretches));
        let mut request = eager(FillModelKind::Base);
        // Long enough to be carried over the break by some, short enough to fall due inside it for others.
        request.params.risk.time_stop = Some(Age::from_mins(if seed % 2 == 0 { 30 } else { 4 }));
        request.params.risk.stop = StopDistance::Percent { pct: Bps::from_percent(40) };
        (request.params.risk.trail, request.params.risk.break_even_after, request.params.risk.target) =
            (None, None, None);
        let result = run(&request, &feed, &tables, &Default::default(), None).expect("the replay runs");
        audit(&result);
        assert!(result.orders.iter().all(|o| o.sent_at < from || to <= o.sent_at), "an order in the break");
        assert!(commands_per_order(&result) <= 4);
        carried += result.trades.iter().filter(|t| t.entry_at < from && to <= t.exit_at).count();
    }
    assert!(carried > 0, "no position was carried over the break");
}

#[test]
fn a_day_without_ticks_is_a_day_without_trades() {
    let day = date("2026-01-13");
    let mut feed = MemoryFeed::default();
    feed.days.insert(day, MemoryDay { instruments: instruments(day), ..MemoryDay::default() });
    let result = support::replay(&feed, &eager(FillModelKind::Base));
    assert_eq!((result.trades.len(), result.days.len(), result.data.ticks), (0, 1, 0));
}

#[test]
fn a_wild_index_print_near_the_close_does_not_settle_anything() {
    // P22, P30: what no decision may rest on must not set the settlement value either.
    let day = date("2026-01-13");
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    let mut feed = MemoryFeed::default();
    // Options fall silent at once after entries; the index goes on alone to the close.
    let mut wild = wild_day(&mut rng, day, day, &[("09:15", "09:30")]);
    let index = |at: &str, points: i64| {
        let at = clock(day, at);
        Tick::last_price(InstrumentId(0), at, at, points * 100, TickSource::Feed)
    };
    wild.ticks.extend([index("15:05", SPOT), index("15:10", 4 * SPOT), index("15:20", SPOT)]);
    feed.days.insert(day, wild);
    let mut request = eager(FillModelKind::Base);
    request.params.risk.stop = StopDistance::Percent { pct: Bps::from_percent(90) };
    (request.params.risk.trail, request.params.risk.break_even_after, request.params.risk.target) = (None, None, None);
    request.params.risk.time_stop = None;
    let result = support::replay(&feed, &request);
    let settled: Vec<_> = result.trades.iter().filter(|t| t.reason == ExitReason::ExpirySettlement).collect();
    assert!(!settled.is_empty(), "nothing was held into the settlement");
    for trade in settled {
        let value = trade.strike.intrinsic(trade.right, IndexPrice::from_rupees(SPOT));
        assert_eq!(trade.exit_price, value, "settled at a value that includes the wild print");
    }
}
