use super::*;
use crate::greeks::ForwardSource;

#[test]
fn calls_go_up_and_puts_go_down_from_the_money() {
    // F-49, S3-20, X-15: the source's candidate list ignored the direction.
    let chain = chain(25_660, 25_660.0);
    assert_eq!(
        story(&params(), Direction::Up, &chain),
        "25650 CE score 201 | 25700 CE OUTRANKED: score 178 | 25750 CE OUTRANKED: score 178"
    );
    assert_eq!(
        story(&params(), Direction::Down, &chain),
        "25650 PE score 198 | 25600 PE OUTRANKED: score 178 | 25550 PE OUTRANKED: score 173"
    );
}

#[test]
fn the_preferred_offset_is_taken_while_it_passes() {
    // S3-20: at the money plus one step by default, whatever the others score.
    let mut chain = chain(25_650, 25_650.0);
    let one_out = ChainParams { preferred_offset: Some(1), ..params() };
    let pick = rank(&one_out, now(), Direction::Up, &chain).unwrap();
    assert_eq!((pick.chosen.contract.strike, pick.chosen.offset), (Strike::from_points(25_700), 1));
    assert_eq!(pick.runners_up.iter().map(|j| j.offset).collect::<Vec<_>>(), [0, 2]);

    leg(&mut chain, 25_700, Right::Call).oi = Some(Qty::new(49_999));
    let pick = rank(&one_out, now(), Direction::Up, &chain).unwrap();
    assert_eq!(pick.chosen.offset, 0);
    assert_eq!(pick.runners_up[0].to_string(), "25700 CE OI_THIN: open interest 49999, at least 50000");
}

#[test]
fn at_the_money_only_judges_one_candidate() {
    let only = ChainParams { max_offset: 0, ..params() };
    let pick = rank(&only, now(), Direction::Down, &chain(25_650, 25_650.0)).unwrap();
    assert_eq!((pick.chosen.offset, pick.runners_up.len()), (0, 0));
}

#[test]
fn equal_scores_go_to_the_nearer_strike_and_then_to_the_larger_open_interest() {
    //
    let base = rank(&params(), now(), Direction::Up, &chain(25_675, 25_675.0)).unwrap().chosen;
    let candidate = |points: i64, oi: i64| {
        let mut c = Candidate { contract: contract(points, Right::Call), score: 150, ..base.clone() };
        c.quote.oi = Some(Qty::new(oi));
        c
    };
    let first = |passed: &[Candidate]| {
        let place = choose(&params(), IndexPrice::from_rupees(25_675), passed).unwrap();
        (passed[place].contract.strike, passed[place].quote.oi.map(Qty::get))
    };
    let at = Strike::from_points;
    assert_eq!(first(&[candidate(25_750, 9), candidate(25_700, 1)]), (at(25_700), Some(1)));
    assert_eq!(first(&[candidate(25_650, 1), candidate(25_700, 9)]), (at(25_700), Some(9)));
    let mut better = candidate(25_750, 1);
    better.score = 151;
    assert_eq!(first(&[candidate(25_700, 9), better]), (at(25_750), Some(1)));
    assert_eq!(choose(&params(), IndexPrice::ZERO, &[]), None);
}

#[test]
fn a_mirrored_chain_gives_the_mirrored_answer() {
    // F-45: 96 puts and 0 calls in a day. The mirror swaps calls with puts and up with down, nothing else.
    for (spot, forward) in [(25_650, 25_650.0), (25_660, 25_662.5), (25_640, 25_633.0), (25_610, 25_630.0)] {
        let original = chain(spot, forward);
        let image = mirrored(&original, 25_650);
        for (preferred, max_offset) in [(None, 2), (Some(1), 2), (Some(0), 0), (None, 3)] {
            let params = ChainParams { preferred_offset: preferred, max_offset, ..params() };
            for direction in [Direction::Up, Direction::Down] {
                let seen = rank(&params, now(), direction, &original).unwrap();
                let other = rank(&params, now(), direction.opposite(), &image).unwrap();
                let context = format!("{spot} {forward} {preferred:?} {direction}");
                assert_eq!(seen.chosen.offset, other.chosen.offset, "{context}");
                assert_eq!(seen.chosen.components, other.chosen.components, "{context}");
                assert_eq!(seen.chosen.confidence, other.chosen.confidence, "{context}");
                let codes = |pick: &StrikePick| pick.runners_up.iter().map(|j| j.code()).collect::<Vec<_>>();
                assert_eq!(codes(&seen), codes(&other), "{context}");
                assert!((seen.chosen.greeks.iv_pct - other.chosen.greeks.iv_pct).abs() < 0.2, "{context}");
            }
        }
    }
}

#[test]
fn the_forward_comes_from_parity_before_spot_and_from_its_own_future_before_both() {
    let mut chain = chain(25_650, 25_668.0);
    let forward = |chain: &ChainSnapshot| {
        let pick = rank(&params(), now(), Direction::Up, chain).unwrap();
        (pick.forward.source, (pick.forward.value * 10.0).round() / 10.0)
    };
    let (source, value) = forward(&chain);
    assert_eq!(source, ForwardSource::Parity);
    assert!((value - 25_668.0).abs() < 0.2, "{value}");

    chain.future = Some((expiry(), quote(2_566_900)));
    assert_eq!(forward(&chain), (ForwardSource::Future, 25_669.0));
    chain.future = Some((NaiveDate::from_ymd_opt(2026, 1, 27).unwrap(), quote(2_571_000)));
    assert_eq!(forward(&chain).0, ForwardSource::Parity, "a future of another expiry is not this forward");
    chain.future = Some((expiry(), quote(8_340_000)));
    assert_eq!(forward(&chain).0, ForwardSource::Parity, "SENSEX's level is not NIFTY's forward");
}

#[test]
fn spot_with_carry_is_the_last_resort_and_costs_confidence() {
    let mut chain = chain(25_650, 25_668.0);
    let up = |chain: &ChainSnapshot| rank(&params(), now(), Direction::Up, chain).unwrap();
    assert_eq!(up(&chain).chosen.confidence, Confidence::High);
    for leg in &mut chain.legs {
        if leg.contract.right == Right::Put {
            leg.quote = None;
        }
    }
    let pick = up(&chain);
    assert_eq!((pick.forward.source, pick.chosen.confidence), (ForwardSource::SpotCarry, Confidence::Medium));
    let years = years_to(now().at, chain.expires_at);
    assert!((pick.forward.value - 25_650.0 * (RATE * years).exp()).abs() < 1e-9);

    chain.spot.as_mut().unwrap().source = TickSource::Derived;
    assert_eq!(up(&chain).forward.value, 25_650.0, "a spot derived from parity carries already");
}

#[test]
fn own_volatility_and_greeks_come_back_from_model_prices() {
    let chain = chain(25_650, 25_668.0);
    let greeks = rank(&params(), now(), Direction::Up, &chain).unwrap().chosen.greeks;
    let pricer = Pricer::new(Model::Black76, 25_668.0, years_to(now().at, chain.expires_at), RATE, 0.0).unwrap();
    let want = pricer.greeks(Right::Call, 25_650.0, 0.14).unwrap();
    let close = |got: f64, want: f64, by: f64| assert!((got - want).abs() <= by, "{got} is not {want}");
    close(greeks.iv_pct, 14.0, 0.05);
    close(greeks.delta, want.delta, 0.002);
    close(greeks.gamma, want.gamma, want.gamma * 0.01);
    close(greeks.theta_per_day, want.theta / 365.0, 0.1);
    close(greeks.vega_per_point, want.vega / 100.0, 0.05);
    close(atm_iv(&params(), now(), &chain).unwrap(), 14.0, 0.05);
}

#[test]
fn volatility_at_the_money_takes_the_leg_there_is_and_none_from_nothing() {
    let mut chain = chain(25_650, 25_668.0);
    chain.legs.retain(|l| l.contract.strike != Strike::from_points(25_650) || l.contract.right == Right::Put);
    assert!((atm_iv(&params(), now(), &chain).unwrap() - 14.0).abs() < 0.05);
    leg(&mut chain, 25_650, Right::Put).received_at = now().at - Age::from_secs(3);
    assert_eq!(atm_iv(&params(), now(), &chain), None, "a stale quote has no volatility");
    chain.spot = None;
    assert_eq!(atm_iv(&params(), now(), &chain), None);
}
