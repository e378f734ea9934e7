//! A plain option buyer, written only for this test: one-minute Supertrend flips (10, 3.0) confirmed by the
//! five-minute trend, ADX of 18 on both; one position per index; the usual ways out. He knows nothing of the
//! engine, so he can tell whether the first demo day offers what it promises.

use std::collections::BTreeMap;

use scalper_decide::domain::{
    Instant, InstrumentId, InstrumentKind, OptionContract, Right, Tick, TimeOfDay, Underlying, Universe,
};

use super::super::demo::DEMO_SEED;
use super::super::{Sample, SampleSpec};
use super::tables::{calendar, contracts, time};

#[derive(Clone, Copy)]
struct Bar {
    start: i64,
    high: f64,
    low: f64,
    close: f64,
}

/// Supertrend and ADX, recomputed bar by bar.
#[derive(Default)]
struct Frame {
    bars: Vec<Bar>,
    open: Option<Bar>,
    atr: f64,
    upper: f64,
    lower: f64,
    up: bool,
    flipped: bool,
    smooth: [f64; 3],
    dx_sum: f64,
    adx: f64,
}

impl Frame {
    /// Feeds one price; `true` when that closed a bar.
    fn feed(&mut self, minutes: i64, at: Instant, price: f64) -> bool {
        let start = (at.nanos() / 60_000_000_000) / minutes * minutes;
        let closed = match &mut self.open {
            Some(bar) if bar.start == start => {
                bar.high = bar.high.max(price);
                bar.low = bar.low.min(price);
                bar.close = price;
                return false;
            }
            open => open.replace(Bar { start, high: price, low: price, close: price }),
        };
        if let Some(bar) = closed {
            self.close(bar);
        }
        closed.is_some()
    }

    fn close(&mut self, bar: Bar) {
        let n = self.bars.len();
        let before = self.bars.last().copied().unwrap_or(bar);
        let range = (bar.high - bar.low).max((bar.high - before.close).abs()).max((bar.low - before.close).abs());
        self.atr = if n < 10 { (self.atr * n as f64 + range) / (n + 1) as f64 } else { self.atr * 0.9 + range * 0.1 };
        let middle = (bar.high + bar.low) / 2.0;
        let (upper, lower) = (middle + 3.0 * self.atr, middle - 3.0 * self.atr);
        self.upper = if n == 0 || upper < self.upper || before.close > self.upper { upper } else { self.upper };
        self.lower = if n == 0 || lower > self.lower || before.close < self.lower { lower } else { self.lower };
        let was = self.up;
        if self.up && bar.close < self.lower {
            self.up = false;
        } else if !self.up && bar.close > self.upper {
            self.up = true;
        }
        self.flipped = was != self.up;
        if self.flipped {
            (self.upper, self.lower) = (upper, lower);
        }
        let (rise, fall) = (bar.high - before.high, before.low - bar.low);
        let plus = if rise > fall && rise > 0.0 { rise } else { 0.0 };
        let minus = if fall > rise && fall > 0.0 { fall } else { 0.0 };
        for (sum, new) in self.smooth.iter_mut().zip([range, plus, minus]) {
            *sum += new - *sum / 14.0;
        }
        let [_, p, m] = self.smooth;
        let dx = if p + m > 0.0 { 100.0 * (p - m).abs() / (p + m) } else { 0.0 };
        self.dx_sum += 1.0;
        self.adx += (dx - self.adx) / self.dx_sum.min(14.0);
        self.bars.push(bar);
    }
}

#[derive(Debug, Clone)]
struct Trade {
    index: Underlying,
    symbol: String,
    entered: TimeOfDay,
    left: TimeOfDay,
    entry: f64,
    exit: f64,
    qty: i64,
    reason: &'static str,
}

struct Holding {
    slot: InstrumentId,
    expires_today: bool,
    entered: Instant,
    entry: f64,
    peak: f64,
    qty: i64,
}

#[derive(Default)]
struct Buyer {
    frames: BTreeMap<(Underlying, i64), Frame>,
    holding: BTreeMap<Underlying, Vec<Holding>>,
    signal_left: BTreeMap<Underlying, u32>,
    trades: Vec<Trade>,
    last: BTreeMap<InstrumentId, Tick>,
}

impl Buyer {
    fn exit(&self, h: &Holding, tick: &Tick) -> Option<&'static str> {
        let bid = f64::from(tick.bids[0].price) / 100.0;
        let (gain, peak) = (bid / h.entry - 1.0, h.peak / h.entry - 1.0);
        let now = tick.received_at.ist_time();
        let profit = |price: f64| (price - h.entry) * h.qty as f64;
        Some(if now >= time(15, 5) {
            "square_off"
        } else if h.expires_today && now >= time(14, 55) {
            "expiry_forced"
        } else if gain <= -0.30 {
            "stop"
        } else if gain >= 0.60 {
            "target"
        } else if peak >= 0.30 && bid <= h.peak * 0.88 {
            "trail"
        } else if profit(h.peak) >= 1_000.0 && profit(bid) <= 0.6 * profit(h.peak) {
            "profit_lock"
        } else if peak >= 0.10 && gain <= 0.0 {
            "break_even"
        } else if tick.received_at.age_of(h.entered).secs() >= 25 * 60 {
            "time_stop"
        } else {
            return None;
        })
    }

    fn on_option(&mut self, universe: &Universe, tick: &Tick) {
        self.last.insert(tick.instrument, *tick);
        let Some(contract) = universe.get(tick.instrument).option().copied() else { return };
        let mut held = self.holding.remove(&contract.underlying).unwrap_or_default();
        held.retain_mut(|h| {
            if h.slot != tick.instrument {
                return true;
            }
            h.peak = h.peak.max(f64::from(tick.bids[0].price) / 100.0);
            let Some(reason) = self.exit(h, tick) else { return true };
            self.trades.push(Trade {
                index: contract.underlying,
                symbol: universe.get(h.slot).symbol.clone(),
                entered: h.entered.ist_time(),
                left: tick.received_at.ist_time(),
                entry: h.entry,
                exit: f64::from(tick.bids[0].price) / 100.0,
                qty: h.qty,
                reason,
            });
            false
        });
        self.holding.insert(contract.underlying, held);
    }

    fn on_index(&mut self, universe: &Universe, index: Underlying, tick: &Tick) {
        let price = tick.index_price().as_rupees_f64();
        let mut closed_minute = false;
        for minutes in [5, 1] {
            let closed = self.frames.entry((index, minutes)).or_default().feed(minutes, tick.exchange_at, price);
            closed_minute = minutes == 1 && closed;
        }
        let now = tick.received_at.ist_time();
        if !closed_minute || now < time(9, 30) || now >= time(14, 50) {
            return;
        }
        let (one, five) = (&self.frames[&(index, 1)], &self.frames[&(index, 5)]);
        let left = self.signal_left.entry(index).or_default();
        *left = if one.flipped { 3 } else { left.saturating_sub(1) };
        if five.bars.len() < 200 || *left == 0 || one.up != five.up || one.adx < 18.0 || five.adx < 18.0 {
            return;
        }
        *left = 0;
        let right = if one.up { Right::Call } else { Right::Put };
        let day = tick.received_at.ist_date();
        let Some(expiry) = universe.expiries(index, day).next() else { return };
        let chain = universe.chain(index, expiry).unwrap();
        let nearest = chain.keys().min_by_key(|k| (k.paise() - tick.ltp_paise).abs()).unwrap();
        let strike = match right {
            Right::Call => chain.range(nearest..).nth(1),
            Right::Put => chain.range(..nearest).next_back(),
        };
        let slot = strike.unwrap().1.get(right).unwrap();
        let quote = self.last[&slot];
        let held = self.holding.entry(index).or_default();
        if tick.received_at.age_of(quote.received_at).secs() > 5
            || held.iter().any(|h| h.slot == slot)
            || held.len() > 1
        {
            return;
        }
        let entry = f64::from(quote.asks[0].price) / 100.0;
        let lot = universe.get(slot).option().unwrap().lot.get();
        let lots = (1_500.0 / (0.3 * entry * lot as f64)) as i64;
        let held = self.holding.get_mut(&index).unwrap();
        held.push(Holding {
            slot,
            expires_today: expiry == day,
            entered: tick.received_at,
            entry,
            peak: entry,
            qty: lots.max(1) * lot,
        });
    }
}

#[test]
fn the_expiry_day_lets_a_plain_buyer_meet_every_kind_of_exit_of_a_position() {
    let until_expiry = SampleSpec { days: 4, ..SampleSpec::demo() };
    let sample = Sample::new(DEMO_SEED, &until_expiry, &calendar(), &contracts()).unwrap();
    let mut universe = Universe::new();
    let mut buyer = Buyer::default();
    for day in sample.days() {
        for instrument in &day.instruments {
            universe.list(instrument.clone());
        }
        for tick in day.ticks(|segment, id| universe.find(segment, id).unwrap()) {
            match universe.get(tick.instrument).kind {
                InstrumentKind::Index { underlying } => buyer.on_index(&universe, underlying, &tick),
                InstrumentKind::Option(OptionContract { .. }) => buyer.on_option(&universe, &tick),
                InstrumentKind::Future { .. } => {}
            }
        }
    }
    for (index, held) in &buyer.holding {
        for h in held {
            buyer.trades.push(Trade {
                index: *index,
                symbol: universe.get(h.slot).symbol.clone(),
                entered: h.entered.ist_time(),
                left: buyer.last[&h.slot].received_at.ist_time(),
                entry: h.entry,
                exit: 0.0,
                qty: h.qty,
                reason: "settlement",
            });
        }
    }
    buyer.trades.sort_by_key(|t| (t.index, t.entered));
    let mut reasons: BTreeMap<&str, u32> = BTreeMap::new();
    for t in &buyer.trades {
        let gain = (t.exit - t.entry) * t.qty as f64;
        eprintln!(
            "{} {}-{} {:28} {:>7.2} {:>7.2} x{:<4} {:>8.0} {}",
            t.index, t.entered, t.left, t.symbol, t.entry, t.exit, t.qty, gain, t.reason
        );
        *reasons.entry(t.reason).or_default() += 1;
    }
    let met: Vec<&str> = reasons.keys().copied().collect();
    let promised = [
        "break_even",
        "expiry_forced",
        "profit_lock",
        "settlement",
        "square_off",
        "stop",
        "target",
        "time_stop",
        "trail",
    ];
    assert_eq!(met, promised);
    let before_one = |t: &&Trade| t.index == Underlying::Sensex && t.entered < time(12, 30);
    assert!(
        buyer.trades.iter().filter(before_one).all(|t| t.reason == "stop")
            && buyer.trades.iter().filter(before_one).count() == 3,
        "SENSEX stops its buyer three times, then offers one entry too many"
    );
    assert!(buyer.trades.iter().any(|t| t.index == Underlying::Sensex && t.entered > time(12, 30)));
}
