//! Whatever the quotes, an answer is total and a pick keeps every filter.

use proptest::prelude::*;

use super::*;

fn any_level(limit: i32) -> impl Strategy<Value = Option<BookLevel>> {
    prop_oneof![1 => Just(None), 4 => (0..limit, 0u32..5_000).prop_map(|(price, qty)| {
        let level = BookLevel { price, qty };
        (!level.is_empty()).then_some(level)
    })]
}

fn any_source() -> impl Strategy<Value = TickSource> {
    (0u8..5).prop_map(|code| TickSource::from_code(code).unwrap())
}

/// Anything a cache could hold, sane or not.
fn any_quote(limit: i32) -> impl Strategy<Value = Quote> {
    let prices = (0..limit, any_level(limit), any_level(limit));
    let rest = (proptest::option::of(0i64..200_000), -2_000i64..130_000, any_source(), 0u16..64);
    (prices, rest).prop_map(|((ltp, bid, ask), (oi, age, source, flags))| Quote {
        bid,
        ask,
        oi: oi.map(Qty::new),
        received_at: now().at - Age::from_millis(age),
        source,
        flags: TickFlags(flags),
        ..quote(i64::from(ltp))
    })
}

/// One thing that can be wrong with an otherwise sound quote.
#[derive(Debug, Clone)]
enum Flaw {
    Replaced(Option<Quote>),
    Source(TickSource),
    Age(i64),
    Oi(Option<i64>),
    Flags(u16),
    NoBook,
    NoBid,
    HalfSpread(i32),
}

fn any_flaw() -> impl Strategy<Value = Flaw> {
    prop_oneof![
        proptest::option::of(any_quote(60_000)).prop_map(Flaw::Replaced),
        any_source().prop_map(Flaw::Source),
        (-500i64..3_000).prop_map(Flaw::Age),
        proptest::option::of(0i64..100_000).prop_map(Flaw::Oi),
        (0u16..64).prop_map(Flaw::Flags),
        Just(Flaw::NoBook),
        Just(Flaw::NoBid),
        (-20i32..400).prop_map(Flaw::HalfSpread),
    ]
}

fn inflict(slot: &mut Option<Quote>, flaw: Flaw) {
    let Some(quote) = slot.as_mut() else { return };
    match flaw {
        Flaw::Replaced(other) => *slot = other,
        Flaw::Source(source) => quote.source = source,
        Flaw::Age(millis) => quote.received_at = now().at - Age::from_millis(millis),
        Flaw::Oi(oi) => quote.oi = oi.map(Qty::new),
        Flaw::Flags(flags) => quote.flags = TickFlags(flags),
        Flaw::NoBook => (quote.bid, quote.ask) = (None, None),
        Flaw::NoBid => quote.bid = None,
        Flaw::HalfSpread(half) => {
            let side = |paise: i64| Some(BookLevel { price: paise.max(5) as i32, qty: 65 });
            (quote.bid, quote.ask) = (side(quote.ltp_paise - i64::from(half)), side(quote.ltp_paise + i64::from(half)));
        }
    }
}

/// A sound chain with flaws; those at the money matter most, so half of them fall there.
fn any_chain() -> impl Strategy<Value = ChainSnapshot> {
    let place = prop_oneof![0usize..54, 20usize..34];
    let flaws = prop::collection::vec((place, any_flaw()), 0..12);
    let spot = prop_oneof![12 => Just(None), 1 => any_quote(3_000_000).prop_map(Some)];
    let future = prop_oneof![6 => Just(None), 1 => any_quote(3_000_000).prop_map(Some)];
    (25_500i64..25_850, -60.0f64..60.0, flaws, spot, future).prop_map(|(level, basis, flaws, spot, future)| {
        let mut chain = chain(level, level as f64 + basis);
        for (place, flaw) in flaws {
            inflict(&mut chain.legs[place].quote, flaw);
        }
        if spot.is_some() {
            chain.spot = spot;
        }
        chain.future = future.map(|quote| (expiry(), quote));
        chain
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, ..ProptestConfig::default() })]

    #[test]
    fn a_pick_keeps_every_filter_and_every_candidate_is_accounted_for(
        chain in any_chain(),
        up in any::<bool>(),
        max_offset in 0u8..4,
        preferred in proptest::option::of(0u8..4),
    ) {
        // F-5, F-44, F-48, F-88
        let direction = if up { Direction::Up } else { Direction::Down };
        let params = ChainParams { max_offset, preferred_offset: preferred, ..params() };
        match rank(&params, now(), direction, &chain) {
            Ok(pick) => {
                let c = &pick.chosen;
                prop_assert_eq!(pick.runners_up.len(), usize::from(max_offset));
                prop_assert_eq!(c.contract.right, direction.right());
                prop_assert!((c.contract.strike.paise() - pick.atm.paise()) * direction.sign() >= 0);
                prop_assert!((params.iv_min_pct..=params.iv_max_pct).contains(&c.greeks.iv_pct));
                prop_assert!((params.min_abs_delta..=params.max_abs_delta).contains(&c.greeks.delta.abs()));
                prop_assert!(c.confidence > Confidence::Low);
                prop_assert!(c.quote.received_at <= now().at && c.quote.is_fresh(now().at, &params.quote_age));
                prop_assert!(c.quote.source != TickSource::Derived && c.quote.flags.is_decidable());
                prop_assert_eq!(c.quote.oi.is_none(), c.gaps.contains(&Gap::NoOi));
                prop_assert!(c.quote.oi.is_none_or(|oi| oi >= params.min_oi));
                match (c.quote.bid, c.quote.ask) {
                    (Some(bid), Some(ask)) => {
                        prop_assert!(bid.price <= ask.price && (ask.price - bid.price) * 100 <= bid.price * 3);
                    }
                    (None, None) => prop_assert!(c.gaps.contains(&Gap::NoBook)),
                    other => prop_assert!(false, "one-sided {:?}", other),
                }
                prop_assert!(c.score == c.components.total() && c.score <= MAX_SCORE);
                let outranked = |j: &JudgedCandidate| matches!(j.outcome, Outcome::Outranked(_));
                let had_preferred =
                    pick.runners_up.iter().any(|j| outranked(j) && Some(j.offset) == params.preferred_offset);
                prop_assert!(!had_preferred, "a passing preferred offset was not taken");
            }
            Err(none) => {
                let judged = none.candidates().len();
                prop_assert!(judged == 0 || judged == usize::from(max_offset) + 1);
                prop_assert!(!none.code().is_empty() && !none.to_string().is_empty());
            }
        }
        if let Some(iv) = atm_iv(&params, now(), &chain) {
            prop_assert!(iv.is_finite() && iv > 0.0);
        }
    }
}
