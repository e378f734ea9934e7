use super::*;

/// Judges the at-the-money call alone, after one change to the chain and the settings.
fn check(want: &str, change: impl FnOnce(&mut ChainParams, &mut ChainSnapshot)) {
    let mut params = ChainParams { max_offset: 0, ..params() };
    let mut chain = chain(25_650, 25_650.0);
    change(&mut params, &mut chain);
    assert_eq!(story(&params, Direction::Up, &chain), want);
}

fn refused(reason: &str) -> String {
    format!("ALL_FILTERED: no candidate passed: 25650 CE {reason}")
}

fn call(chain: &mut ChainSnapshot) -> &mut Quote {
    leg(chain, 25_650, Right::Call)
}

const PASS: &str = "25650 CE score 203";

#[test]
fn a_sound_candidate_passes() {
    check(PASS, |_, _| ());
}

#[test]
fn a_missing_leg_or_quote_is_refused() {
    check(&refused("NOT_LISTED: not listed"), |_, chain| {
        chain.legs.retain(|l| l.contract.right == Right::Put || l.contract.strike != Strike::from_points(25_650));
    });
    check(&refused("NO_QUOTE: no quote"), |_, chain| {
        for leg in chain.legs.iter_mut().filter(|l| l.contract.right == Right::Call) {
            leg.quote = None;
        }
    });
    check(&refused("NO_PRICE: no trade and no book yet"), |_, chain| *call(chain) = quote(0));
    check(&refused("NO_QUOTE: no quote"), |_, chain| call(chain).flags = TickFlags::STALE);
    check(&refused("DERIVED: its price is derived, not observed"), |_, chain| {
        call(chain).source = TickSource::Derived;
    });
}

#[test]
fn a_quote_is_stale_by_the_limit_of_its_source() {
    // F-42, F-43
    let aged = |millis: i64, source: TickSource| {
        move |_: &mut ChainParams, chain: &mut ChainSnapshot| {
            call(chain).received_at = now().at - Age::from_millis(millis);
            call(chain).source = source;
        }
    };
    check(PASS, aged(2_000, TickSource::Feed));
    check(&refused("STALE: quote is 2001 ms old, limit 2000 ms for source Feed"), aged(2_001, TickSource::Feed));
    check(PASS, aged(120_000, TickSource::Snapshot));
    check(
        &refused("STALE: quote is 120001 ms old, limit 120000 ms for source Snapshot"),
        aged(120_001, TickSource::Snapshot),
    );
    check(&refused("STALE: quote is 0 ms old, limit 2000 ms for source Feed"), aged(-1, TickSource::Feed));
}

#[test]
fn a_book_must_have_both_sides_in_order_and_a_bearable_spread() {
    // F-48
    let book = |bid: Option<i32>, ask: Option<i32>| {
        move |_: &mut ChainParams, chain: &mut ChainSnapshot| {
            let level = |price| BookLevel { price, qty: 65 };
            (call(chain).bid, call(chain).ask) = (bid.map(level), ask.map(level));
        }
    };
    check(&refused("ONE_SIDED_BOOK: no buyers"), book(None, Some(16_000)));
    check(&refused("ONE_SIDED_BOOK: no sellers"), book(Some(16_000), None));
    check(&refused("CROSSED_BOOK: bid 160.05 is above ask 160.00"), book(Some(16_005), Some(16_000)));
    check("25650 CE score 193", book(Some(15_000), Some(15_450)));
    check(
        &refused("SPREAD_WIDE: bid 150.00 ask 154.55: spread above 3.00 % of the bid"),
        book(Some(15_000), Some(15_455)),
    );
}

#[test]
fn open_interest_is_asked_in_units_where_the_tape_has_it() {
    check("25650 CE score 173", |_, chain| call(chain).oi = Some(Qty::new(50_000)));
    check(&refused("OI_THIN: open interest 49999, at least 50000"), |_, chain| {
        call(chain).oi = Some(Qty::new(49_999));
    });
    // No figure on the tape is not a figure below the minimum: noted, and scored as the least.
    let mut without = chain(25_650, 25_650.0);
    call(&mut without).oi = None;
    let chosen = rank(&ChainParams { max_offset: 0, ..params() }, now(), Direction::Up, &without).unwrap().chosen;
    assert_eq!((&chosen.gaps[..], chosen.components.liquidity), (&[Gap::NoOi][..], 20));
}

#[test]
fn a_tape_without_books_is_judged_on_last_trades_and_says_so() {
    let mut chain = chain(25_650, 25_668.0);
    for leg in &mut chain.legs {
        let quote = leg.quote.as_mut().unwrap();
        (quote.bid, quote.ask) = (None, None);
    }
    let pick = rank(&params(), now(), Direction::Up, &chain).unwrap();
    assert_eq!((&pick.chosen.gaps[..], pick.chosen.confidence), (&[Gap::NoBook][..], Confidence::Medium));
    assert_eq!(pick.forward.source, crate::greeks::ForwardSource::Parity);
    assert_eq!(pick.chosen.components.liquidity, 40, "an unknown spread counts as a wide one");

    // Highs and lows drawn through bars are of no known moment, and trades of different seconds not of one.
    let source_of = |chain: &ChainSnapshot| rank(&params(), now(), Direction::Up, chain).unwrap().forward.source;
    let mut drawn = chain.clone();
    for leg in &mut drawn.legs {
        let quote = leg.quote.as_mut().unwrap();
        (quote.source, quote.flags) = (TickSource::Bar, TickFlags::SYNTHESISED);
    }
    assert_eq!(source_of(&drawn), crate::greeks::ForwardSource::SpotCarry);
    for leg in &mut drawn.legs {
        leg.quote.as_mut().unwrap().flags = TickFlags::SYNTHESISED.with(TickFlags::BAR_CLOSE);
    }
    assert_eq!(source_of(&drawn), crate::greeks::ForwardSource::Parity);
    for leg in chain.legs.iter_mut().filter(|l| l.contract.right == Right::Put) {
        let quote = leg.quote.as_mut().unwrap();
        quote.exchange_at = quote.exchange_at - Age::from_millis(1_001);
    }
    assert_eq!(source_of(&chain), crate::greeks::ForwardSource::SpotCarry);
}

#[test]
fn volatility_outside_its_band_or_without_a_solution_is_refused() {
    check(&refused("IV_LOW: IV 14.00 % under 14.10 %"), |p, _| p.iv_min_pct = 14.1);
    check(&refused("IV_HIGH: IV 14.00 % over 13.90 %"), |p, _| p.iv_max_pct = 13.9);
    check(
        &refused("NO_IV: no implied volatility at 100.00: the price lies below the discounted intrinsic value"),
        |_, chain| {
            chain.spot.as_mut().unwrap().ltp_paise = 2_567_400;
            chain.future = Some((expiry(), quote(2_576_000)));
            *call(chain) = booked(100.0, 5);
        },
    );
}

#[test]
fn a_contract_with_low_confidence_is_never_traded() {
    // Two minutes before expiry three steps out there is no time value left to read a volatility from.
    let mut chain = chain(25_650, 25_650.0);
    chain.expires_at = now().at + Age::from_mins(2);
    for leg in &mut chain.legs {
        *leg.quote.as_mut().unwrap() = booked(0.05, 0);
    }
    chain.future = Some((expiry(), quote(2_565_000)));
    let open =
        ChainParams { atm_nearest_quoted: false, iv_min_pct: 0.0, iv_max_pct: 1e6, min_abs_delta: 0.0, ..params() };
    let far = rank(&open, now(), Direction::Up, &chain);
    assert!(far.is_ok(), "one tick of time value is the least that counts: {far:?}");
    // Half a tick of time value over a deep intrinsic value says nothing.
    let deep = leg(&mut chain, 25_650, Right::Call);
    *deep = booked(24.0, 0);
    chain.spot.as_mut().unwrap().ltp_paise = 2_567_400;
    chain.future = Some((expiry(), quote(2_567_397)));
    let only = ChainParams { max_offset: 0, max_abs_delta: 1.0, ..open };
    assert_eq!(
        story(&only, Direction::Up, &chain),
        refused("LOW_CONFIDENCE: confidence is low: price 24.00, time value 0.03, spread 0.00")
    );
}

#[test]
fn delta_and_premium_keep_their_bands() {
    check(&refused("DELTA_LOW: |delta| 0.5026 under 0.5100"), |p, _| p.min_abs_delta = 0.51);
    check(&refused("DELTA_HIGH: |delta| 0.5026 over 0.5000"), |p, _| p.max_abs_delta = 0.50);
    let band = |min: i64, max: i64| {
        move |p: &mut ChainParams, chain: &mut ChainSnapshot| {
            *call(chain) = booked(160.0, 10);
            p.premium_band.insert(Underlying::Nifty, (Premium::from_paise(min), Premium::from_paise(max)));
        }
    };
    check("25650 CE score 201", band(16_000, 16_000));
    check(&refused("PREMIUM_OUTSIDE_BAND: premium 160.00 outside 160.05 to 200.00"), band(16_005, 20_000));
    check(&refused("PREMIUM_OUTSIDE_BAND: premium 160.00 outside 30.00 to 159.95"), band(3_000, 15_995));
}

#[test]
fn the_least_score_counts_itself() {
    check(PASS, |p, _| p.min_score = 203);
    check(&refused("SCORE_LOW: score 203, at least 204"), |p, _| p.min_score = 204);
}

#[test]
fn a_snapshot_without_the_needed_facts_gives_its_own_reason() {
    check("NO_SPOT: no price of NIFTY", |_, chain| chain.spot = None);
    check("SPOT_STALE: NIFTY price is 2001 ms old, limit 2000 ms for source Feed", |_, chain| {
        chain.spot.as_mut().unwrap().received_at = now().at - Age::from_millis(2_001);
    });
    check("NO_CHAIN: no option data on this tape for NIFTY: 0 contracts listed, none quoted", |_, chain| {
        chain.legs.clear();
    });
    check("NO_CHAIN: no option data on this tape for NIFTY: 54 contracts listed, none quoted", |_, chain| {
        for leg in &mut chain.legs {
            leg.quote = None;
        }
    });
    check("EXPIRED: trading in the expiry ended at 2026-01-09T11:00:00+05:30", |_, chain| {
        chain.expires_at = now().at;
    });
    check(
        "NO_ATM: spot 26500.00: nearest listed strike 26300 is more than a step of 50 away from the money",
        |_, chain| chain.spot.as_mut().unwrap().ltp_paise = 2_650_000,
    );
}

#[test]
fn a_chain_of_one_strike_trades_that_strike() {
    let mut chain = chain(25_650, 25_650.0);
    chain.legs.retain(|l| l.contract.strike == Strike::from_points(25_650));
    assert_eq!(story(&params(), Direction::Up, &chain), PASS);
    assert_eq!(rank(&params(), now(), Direction::Up, &chain).unwrap().step, None);
}

#[test]
fn refusals_of_all_candidates_are_listed_with_their_reasons() {
    // F-44
    let mut chain = chain(25_650, 25_650.0);
    leg(&mut chain, 25_650, Right::Call).oi = Some(Qty::new(7));
    chain.legs.retain(|l| l.contract.strike != Strike::from_points(25_700));
    let strict = ChainParams { min_abs_delta: 0.42, ..params() };
    assert_eq!(
        story(&strict, Direction::Up, &chain),
        "ALL_FILTERED: no candidate passed: 25650 CE OI_THIN: open interest 7, at least 50000; \
         25700 CE NOT_LISTED: not listed; 25750 CE DELTA_LOW: |delta| 0.4002 under 0.4200"
    );
}
