//! Bars built from ticks against plain grouping, and against a broker's own five-minute bars.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use proptest::prelude::*;
use scalper_decide::domain::calendar::Window;
use scalper_decide::domain::{Age, Cutoffs, Instant, SessionHours, TimeOfDay};
use scalper_decide::indicators::{Bar, BarBuilder, TickFit};
use scalper_decide::params::Timeframe;

use crate::indicator_reference::bar_of;
use crate::shared_data::{read_csv, shared_data};

fn regular(day: NaiveDate) -> SessionHours {
    let t = |hour, minute| TimeOfDay::hm(hour, minute).expect("a time");
    SessionHours {
        day,
        windows: vec![Window { open: t(9, 15), close: t(15, 30) }],
        index_continuous_close: t(15, 30),
        cutoffs: Cutoffs {
            no_new_entry: t(14, 50),
            expiry_force_exit: t(15, 0),
            square_off_start: t(15, 12),
            square_off_deadline: t(15, 18),
            broker_square_off: t(15, 20),
        },
    }
}

/// F-83: ticks of the one-minute file, built into five-minute bars, give the broker's five-minute file.
#[test]
fn f83_five_minute_bars_from_ticks_are_the_brokers_own() {
    let Some(data) = shared_data("f83_five_minute_bars_from_ticks_are_the_brokers_own") else { return };
    let minutes = read_csv(&data.join("index/nifty_1m_dhan_2025-10-24_2025-10-31.csv.gz"));
    let fives = read_csv(&data.join("index/nifty_5m_dhan_2025-10-24_2025-10-31.csv.gz"));
    let mut builder = BarBuilder::new(Timeframe::M5);
    let mut same_length = BarBuilder::new(Timeframe::M1);
    let mut got = Vec::new();
    let (mut got_minutes, mut wanted_minutes) = (Vec::new(), Vec::new());
    let mut strays = 0;
    for row in &minutes {
        let bar = bar_of(row);
        let hours = regular(bar.start().ist_date());
        for builder in [&mut builder, &mut same_length] {
            builder.open_session(&hours);
        }
        let stray = bar.start() >= hours.close_at();
        for (i, price) in [bar.open(), bar.high(), bar.low(), bar.close()].into_iter().enumerate() {
            let at = bar.start() + Age::from_secs(15 * i as i64);
            let expected = if stray { TickFit::OutOfSession } else { TickFit::Accepted };
            assert_eq!(builder.on_tick(at, price, None), expected);
            assert_eq!(same_length.on_tick(at, price, None), expected);
        }
        strays += usize::from(stray);
        if !stray {
            wanted_minutes.push(bar);
        }
        let now = bar.start() + Age::from_mins(1);
        got.extend(std::iter::from_fn(|| builder.close_due(now)));
        got_minutes.extend(std::iter::from_fn(|| same_length.close_due(now)));
    }
    let wanted: Vec<Bar> =
        fives.iter().map(bar_of).filter(|bar| bar.start() < regular(bar.start().ist_date()).close_at()).collect();
    assert_eq!(strays, 1, "the file's one 15:30 bar");
    assert!(wanted.len() >= 450 && got.len() == wanted.len());
    assert_eq!(got, wanted);
    assert_eq!(got_minutes, wanted_minutes);
    assert_eq!(builder.missing_bars() + same_length.missing_bars(), 0);
}

proptest! {
    #[test]
    fn bars_are_the_ticks_grouped_by_their_slot(
        gaps in prop::collection::vec((0_i64..200_000, 1_u32..5_000, 0_i64..3_000), 1..300),
        timeframe in prop::sample::select(Timeframe::ALL.to_vec()),
    ) {
        let hours = regular(NaiveDate::from_ymd_opt(2026, 1, 12).expect("a date"));
        let mut builder = BarBuilder::new(timeframe);
        builder.open_session(&hours);
        let length = timeframe.length().nanos();
        let mut groups: BTreeMap<i64, Vec<f64>> = BTreeMap::new();
        let mut closed = Vec::new();
        let mut at = hours.open_at();
        for (millis, price, lag) in gaps {
            at = at + Age::from_millis(millis);
            if at >= hours.close_at() {
                prop_assert_eq!(builder.on_tick(at, f64::from(price), None), TickFit::OutOfSession);
                continue;
            }
            // Our clock is behind the exchange's by `lag`, so no bar closes before its last tick.
            let now = at - Age::from_millis(lag);
            while let Some(bar) = builder.close_due(now) {
                prop_assert!(bar.start() + timeframe.length() <= now);
                closed.push(bar);
            }
            prop_assert_eq!(builder.on_tick(at, f64::from(price), None), TickFit::Accepted);
            groups.entry((at.nanos() - hours.open_at().nanos()) / length).or_default().push(f64::from(price));
            let due = builder.next_close().expect("a bar in progress");
            prop_assert!(due > now);
        }
        closed.extend(std::iter::from_fn(|| builder.close_due(hours.close_at())));
        let expected: Vec<(Instant, [f64; 4])> = groups
            .iter()
            .map(|(slot, prices)| {
                let high = prices.iter().copied().fold(f64::MIN, f64::max);
                let low = prices.iter().copied().fold(f64::MAX, f64::min);
                let start = hours.open_at() + Age::from_nanos(slot * length);
                (start, [prices[0], high, low, prices[prices.len() - 1]])
            })
            .collect();
        let got: Vec<_> =
            closed.iter().map(|bar| (bar.start(), [bar.open(), bar.high(), bar.low(), bar.close()])).collect();
        prop_assert_eq!(got, expected);
        let missing = match (groups.keys().next(), groups.keys().next_back()) {
            (Some(first), Some(last)) => (last - first + 1) as u64 - groups.len() as u64,
            _ => 0,
        };
        prop_assert_eq!(builder.missing_bars(), missing);
    }
}
