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

/// A sound chain in which some quotes are replaced by anything at all.
fn any_chain() -> impl Strategy<Value = ChainSnapshot> {
    let broken = prop::collection::vec((0usize..54, proptest::option::of(any_quote(60_000))), 0..30);
    let spot = prop_oneof![8 => Just(None), 1 => any_quote(3_000_000).prop_map(Some)];
    let future = prop_oneof![3 => Just(None), 1 => any_quote(3_000_000).prop_map(Some)];
    (25_100i64..26_200, -60.0f64..60.0, broken, spot, future, 1i64..6_000).prop_map(
        |(level, basis, broken, spot, future, minutes)| {
            let mut chain = chain(level, level as f64 + basis);
            for (place, quote) in broken {
                chain.legs[place].quote = quote;
            }
            if spot.is_some() {
                chain.spot = spot;
            }
            chain.future = future.map(|quote| (expiry(), quote));
            chain.expires_at = now().at + Age::from_mins(minutes);
            chain
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

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
