//! Prices, Greeks and implied volatilities against 17-digit references (`data/reference/README.md`).

use std::collections::BTreeMap;

use scalper_decide::domain::{Instant, Right};
use scalper_decide::greeks::{IvRefusal, Model, Pricer, implied_vol, years_to};

use crate::indicator_reference::instant;
use crate::shared_data::{Row, close, read_csv, shared_data};

fn right(row: &Row) -> Right {
    Right::from_code(row.text("flag")).expect("CE or PE")
}

/// Prices to abs 1e-8 + rel 1e-9. Greeks to rel 1e-9 with a floor of 1e-12 of what the figure can be at most (1 for
/// delta, the underlying for vega and rho ...): far out in the tails the figure itself is 1e-200 and still agrees.
#[test]
fn prices_and_greeks_agree_with_seventeen_digits() {
    let Some(data) = shared_data("prices_and_greeks_agree_with_seventeen_digits") else { return };
    let rows = read_csv(&data.join("reference/options/bs_black76_price_greeks.csv.gz"));
    assert!(rows.len() >= 700);
    let mut worst: BTreeMap<&str, (f64, String)> = BTreeMap::new();
    for row in &rows {
        let model = Model::from_code(row.text("model")).expect("bsm or b76");
        let underlying = row.number("S_or_F");
        let pricer =
            Pricer::new(model, underlying, row.number("t_years"), row.number("r"), row.number("q")).expect("a market");
        let got = pricer.greeks(right(row), row.number("strike"), row.number("sigma")).expect("figures");
        let place = format!("case {} ({})", row.text("case_id"), row.text("category"));
        for (column, value, relative, absolute) in [
            ("price", got.price, 1e-9, 1e-8),
            ("delta", got.delta, 1e-9, 1e-12),
            ("gamma", got.gamma, 1e-9, 1e-300),
            ("vega_1", got.vega, 1e-9, 1e-300),
            ("theta_year", got.theta, 1e-9, 1e-7),
            ("rho_1", got.rho, 1e-9, 1e-9),
        ] {
            let expected = row.number(column);
            assert!(close(value, expected, relative, absolute), "{place} {column}: {value:e} against {expected:e}");
            let error = (value - expected).abs() / expected.abs().max(absolute / relative);
            let held = worst.entry(column).or_default();
            if error > held.0 {
                *held = (error, place.clone());
            }
        }
    }
    eprintln!("{} cases, worst relative error per figure: {worst:?}", rows.len());
}

/// `ok` rows by repricing (1e-6) or by lying inside the half-tick bracket; every other row by its exact reason.
#[test]
fn implied_volatility_agrees_and_every_refusal_has_its_reason() {
    let Some(data) = shared_data("implied_volatility_agrees_and_every_refusal_has_its_reason") else { return };
    let rows = read_csv(&data.join("reference/options/implied_vol.csv.gz"));
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    let mut worst_repricing = 0.0_f64;
    for row in &rows {
        let [spot, strike, t_years, rate, dividend, price] =
            ["S", "strike", "t_years", "r", "q", "price"].map(|column| row.number(column));
        let got = implied_vol(Model::BlackScholes, right(row), spot, strike, t_years, rate, dividend, price);
        let status = row.text("status");
        let place = format!("case {} ({})", row.text("case_id"), row.text("category"));
        *counts.entry(got.err().map_or("ok", IvRefusal::code)).or_default() += 1;
        match got {
            Ok(sigma) => {
                assert_eq!(status, "ok", "{place}: found {sigma}");
                assert!(sigma.is_finite() && sigma > 0.0, "{place}: {sigma}");
                let pricer = Pricer::new(Model::BlackScholes, spot, t_years, rate, dividend).expect("a market");
                let repriced = pricer.greeks(right(row), strike, sigma).expect("figures").price;
                worst_repricing = worst_repricing.max((repriced - price).abs());
                // Where half a tick leaves the possible prices, the file holds the reason instead of a number.
                let low = row.text("iv_for_price_minus_half_tick").parse().unwrap_or(0.0);
                let high = row.text("iv_for_price_plus_half_tick").parse().unwrap_or(f64::INFINITY);
                let is_inside = low <= sigma && sigma <= high;
                assert!((repriced - price).abs() <= 1e-6 || is_inside, "{place}: {sigma} reprices to {repriced}");
            }
            Err(refusal) => assert_eq!(refusal.code(), status, "{place}: iv {:?}", row.text("iv")),
        }
    }
    assert!(rows.len() >= 500 && counts["ok"] > 350 && counts.len() >= 6, "{counts:?}");
    eprintln!("{} cases: {counts:?}, worst repricing {worst_repricing:e}", rows.len());
}

/// Dhan's own convention (r = 10 %, expiry 5 h 30 min late) and the true one, both on real minutes.
#[test]
fn dhans_convention_and_the_true_one_reproduce_on_real_minutes() {
    let Some(data) = shared_data("dhans_convention_and_the_true_one_reproduce_on_real_minutes") else { return };
    let rows = read_csv(&data.join("reference/options/dhan_iv_convention_real.csv.gz"));
    let mut agreed = [0; 2];
    let mut refused = 0;
    for row in &rows {
        let [spot, strike, price] = ["spot", "strike", "price"].map(|column| row.number(column));
        let bar_end = instant(row.text("ts")) + scalper_decide::domain::Age::from_mins(1);
        let close_at: Instant = instant(&format!("{}T15:30:00+05:30", row.text("expiry")));
        let t_true = years_to(bar_end, close_at);
        let t_dhan = years_to(bar_end, close_at + scalper_decide::domain::Age::from_secs(19_800));
        assert_eq!(t_true, row.number("t_true_years"), "{}", row.text("ts"));
        assert_eq!(t_dhan, row.number("t_dhan_years"), "{}", row.text("ts"));
        for (i, (rate, t_years, column)) in
            [(0.10, t_dhan, "iv_pct_r10_tdhan"), (0.065, t_true, "iv_pct_r6p5_ttrue")].into_iter().enumerate()
        {
            let got = implied_vol(Model::BlackScholes, right(row), spot, strike, t_years, rate, 0.0, price);
            let place = format!("{} {} {} {column}", row.text("ts"), row.text("strike"), row.text("flag"));
            match (got, row.maybe(column)) {
                (Ok(sigma), Some(expected)) => {
                    assert!(
                        close(100.0 * sigma, expected, 1e-9, 1e-6),
                        "{place}: {} against {expected}",
                        100.0 * sigma
                    );
                    agreed[i] += 1;
                    if i == 0 && row.text("reproduces_dhan") == "1" {
                        let dhan = row.number("dhan_iv_pct");
                        assert!(
                            close(100.0 * sigma, dhan, 0.0, 2e-4),
                            "{place}: {} against Dhan's {dhan}",
                            100.0 * sigma
                        );
                    }
                }
                (Err(IvRefusal::BelowIntrinsic), None) => refused += 1,
                (got, expected) => panic!("{place}: {got:?} against {expected:?}"),
            }
        }
    }
    assert!(agreed[0] > 500 && agreed[1] > 500 && refused >= 2, "{agreed:?}, {refused} refused");
    eprintln!("{} minutes: {agreed:?} volatilities agree, {refused} refused", rows.len());
}
