//! N13: whatever happens after t, every decision up to t stays the same, byte for byte.

use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use scalper::backtest::memory_feed::MemoryFeed;
use scalper::backtest::result::BacktestResult;
use scalper_decide::domain::{Instant, InstrumentKind, Tick};

use crate::support::{demo_market, demo_request, replay};

/// Decisions that must lie before every t.
const DECISIONS_BEFORE: usize = 100;
const TICKS: usize = 250_000;

/// Random instants tried; 200 with `SCALPER_LOOKAHEAD_RUNS=200`.
fn runs() -> usize {
    std::env::var("SCALPER_LOOKAHEAD_RUNS").ok().and_then(|n| n.parse().ok()).unwrap_or(30)
}

/// Everything decided, sent and filled up to `t`, as text.
fn story(result: &BacktestResult, t: Instant) -> String {
    let mut text = String::new();
    for d in result.decisions.iter().filter(|d| d.at <= t) {
        text.push_str(&format!("{d:?}\n"));
    }
    for f in result.fills.iter().filter(|f| f.at <= t) {
        text.push_str(&format!("{} {} {} {:?}\n", f.order, f.qty, f.price, f.at));
    }
    for b in result.bars.iter().filter(|b| b.start.nanos() + 15 * 60 * 1_000_000_000 <= t.nanos()) {
        text.push_str(&format!("{b:?}\n"));
    }
    text
}

/// Prices, sizes and open interest of a tick replaced by noise.
fn scramble(tick: &mut Tick, rng: &mut ChaCha8Rng) {
    let factor = rng.random_range(900..1_100_i64);
    tick.ltp_paise = (tick.ltp_paise * factor / 1_000 / 5 * 5).max(5);
    for level in tick.bids.iter_mut().chain(&mut tick.asks) {
        level.price = (i64::from(level.price) * factor / 1_000 / 5 * 5) as i32;
        level.qty = rng.random_range(0..5_000);
    }
    tick.oi = rng.random_range(0..10_000_000);
    tick.volume = rng.random_range(0..10_000_000);
}

fn scrambled_after(feed: &MemoryFeed, t: Instant, rng: &mut ChaCha8Rng) -> MemoryFeed {
    let mut changed = feed.clone();
    let ticks = changed.days.values_mut().flat_map(|d| &mut d.ticks).filter(|tick| tick.received_at > t);
    ticks.for_each(|tick| scramble(tick, rng));
    changed
}

/// A leak planted on purpose: every index tick shows the price of the index tick `ahead` later.
fn leaking(feed: &MemoryFeed, ahead: usize) -> MemoryFeed {
    let mut changed = feed.clone();
    for day in changed.days.values_mut() {
        for instrument in &day.instruments {
            if !matches!(instrument.kind, InstrumentKind::Index { .. }) {
                continue;
            }
            let slot = feed.slot_of(instrument.segment, instrument.security_id);
            let places: Vec<usize> = (0..day.ticks.len()).filter(|i| Some(day.ticks[*i].instrument) == slot).collect();
            for pair in places.windows(ahead + 1) {
                day.ticks[pair[0]].ltp_paise = day.ticks[pair[ahead]].ltp_paise;
            }
        }
    }
    changed
}

/// Instants on the traded day with enough decisions before them.
fn instants(result: &BacktestResult, count: usize, rng: &mut ChaCha8Rng) -> Vec<Instant> {
    let real: Vec<Instant> = result.decisions.iter().filter(|d| d.code != "WARM_UP_DAY").map(|d| d.at).collect();
    let earliest = real[DECISIONS_BEFORE].nanos() + 1;
    let latest = real.last().expect("decisions exist").nanos();
    (0..count).map(|_| Instant::from_nanos(rng.random_range(earliest..latest))).collect()
}

#[test]
fn scrambling_the_future_changes_no_decision_before_it() {
    let mut rng = ChaCha8Rng::seed_from_u64(13);
    let feed = MemoryFeed::copy_of(&demo_market(3, TICKS)).unwrap();
    let request = demo_request(&feed);
    let truth = replay(&feed, &request);
    assert!(!truth.trades.is_empty());
    for t in instants(&truth, runs(), &mut rng) {
        let other = replay(&scrambled_after(&feed, t, &mut rng), &request);
        assert_eq!(story(&truth, t), story(&other, t), "a decision before {} knew what came after", t.ist_text());
    }
}

#[test]
fn a_planted_leak_is_caught() {
    let mut rng = ChaCha8Rng::seed_from_u64(14);
    let feed = MemoryFeed::copy_of(&demo_market(3, TICKS)).unwrap();
    let request = demo_request(&feed);
    let truth = replay(&leaking(&feed, 60), &request);
    let caught = instants(&truth, 5, &mut rng).into_iter().any(|t| {
        let other = replay(&leaking(&scrambled_after(&feed, t, &mut rng), 60), &request);
        story(&truth, t) != story(&other, t)
    });
    assert!(caught, "an index that knows its future went unnoticed");
}
