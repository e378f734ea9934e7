//! Laws that prices, volatilities and Greeks must obey whatever the numbers are.

use proptest::prelude::*;
use scalper_decide::domain::Right;
use scalper_decide::greeks::{IvRefusal, Model, OptionGreeks, Pricer, PricingRefusal};

use crate::shared_data::close;

const RIGHTS: [Right; 2] = [Right::Call, Right::Put];

fn models() -> impl Strategy<Value = Model> {
    prop::sample::select(vec![Model::BlackScholes, Model::Black76])
}

/// Any f64 at all: NaN, infinities, zeros, subnormals, and plain prices.
fn anything() -> impl Strategy<Value = f64> {
    prop_oneof![
        3 => prop::num::f64::ANY,
        1 => prop::sample::select(vec![0.0, -0.0, 1.0, -1.0, f64::NAN, f64::INFINITY, 1e-310, 1e308]),
        3 => -100.0..100_000.0_f64,
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    /// F-88: whatever goes in, a number or a typed refusal comes out, and it comes out at once.
    #[test]
    fn f88_any_input_gives_a_number_or_a_refusal(
        model in models(), underlying in anything(), strike in anything(), t_years in anything(),
        rate in anything(), dividend in anything(), figure in anything(),
    ) {
        let Ok(pricer) = Pricer::new(model, underlying, t_years, rate, dividend) else { return Ok(()) };
        for right in RIGHTS {
            for got in [pricer.greeks(right, strike, figure).ok(), pricer.solve(right, strike, figure).ok()].into_iter().flatten() {
                let OptionGreeks { price, iv, delta, gamma, vega, theta, rho } = got;
                for value in [price, iv, delta, gamma, vega, theta, rho] {
                    prop_assert!(value.is_finite(), "{:?}", got);
                }
                prop_assert!(iv > 0.0);
            }
        }
    }

    /// A price made from a volatility gives that volatility back, as far as the price resolves it.
    #[test]
    fn a_volatility_survives_the_way_through_its_price(
        model in models(), moneyness in 0.8..1.25_f64, minutes in 1.0..60_000.0_f64, sigma in 0.03..2.5_f64,
        rate in -0.02..0.12_f64, dividend in 0.0..0.03_f64, spot in 500.0..90_000.0_f64,
    ) {
        let pricer = Pricer::new(model, spot, minutes / 525_600.0, rate, dividend).unwrap();
        let strike = spot / moneyness;
        for right in RIGHTS {
            let made = pricer.greeks(right, strike, sigma).unwrap();
            if pricer.time_value(right, strike, made.price) < 0.05 {
                continue;
            }
            let got = pricer.solve(right, strike, made.price).unwrap();
            prop_assert!(close(got.price, made.price, 1e-12, 1e-7), "{:?} against {:?}", got, made);
            // What one unit in the last place of the price is worth in volatility.
            let resolution = 1e-11 * spot / made.vega;
            prop_assert!(close(got.iv, sigma, 1e-9, resolution), "{} against {}", got.iv, sigma);
        }
    }

    /// Call minus put is the discounted forward minus strike; the Greeks follow.
    #[test]
    fn put_call_parity_holds_for_price_and_greeks(
        model in models(), moneyness in 0.8..1.25_f64, minutes in 1.0..60_000.0_f64, sigma in 0.03..2.5_f64,
        rate in -0.02..0.12_f64, dividend in 0.0..0.03_f64,
    ) {
        let (spot, t_years) = (25_000.0, minutes / 525_600.0);
        let strike = spot / moneyness;
        let pricer = Pricer::new(model, spot, t_years, rate, dividend).unwrap();
        let [call, put] = RIGHTS.map(|right| pricer.greeks(right, strike, sigma).unwrap());
        let discount = (-rate * t_years).exp();
        let delta = if model == Model::Black76 { discount } else { (-dividend * t_years).exp() };
        prop_assert!(close(call.price - put.price, spot * delta - strike * discount, 1e-12, 1e-8));
        prop_assert!(close(call.delta - put.delta, delta, 1e-12, 1e-12));
        prop_assert_eq!(call.gamma, put.gamma);
        prop_assert_eq!(call.vega, put.vega);
    }

    /// Each Greek is the slope of the price in its own variable, by central differences.
    #[test]
    fn each_greek_is_the_slope_of_the_price(
        model in models(), moneyness in 0.97..1.03_f64, days in 1.0..60.0_f64, sigma in 0.08..0.8_f64,
        rate in 0.0..0.1_f64, dividend in 0.0..0.02_f64,
    ) {
        let (spot, t_years) = (25_000.0, days / 365.0);
        let strike = spot / moneyness;
        let price = |right: Right, ds: f64, dt: f64, dv: f64, dr: f64| {
            let pricer = Pricer::new(model, spot + ds, t_years - dt, rate + dr, dividend).unwrap();
            pricer.greeks(right, strike, sigma + dv).unwrap().price
        };
        for right in RIGHTS {
            let got = Pricer::new(model, spot, t_years, rate, dividend).unwrap().greeks(right, strike, sigma).unwrap();
            let slope = |at: &dyn Fn(f64) -> f64, h: f64| (at(h) - at(-h)) / (2.0 * h);
            let (hs, ht, hv, hr) = (2.5, t_years * 1e-4, 1e-4, 1e-4);
            let delta = slope(&|h| price(right, h, 0.0, 0.0, 0.0), hs);
            let theta = slope(&|h| price(right, 0.0, h, 0.0, 0.0), ht);
            let vega = slope(&|h| price(right, 0.0, 0.0, h, 0.0), hv);
            let rho = slope(&|h| price(right, 0.0, 0.0, 0.0, h), hr);
            let gamma = (price(right, hs, 0.0, 0.0, 0.0) - 2.0 * got.price + price(right, -hs, 0.0, 0.0, 0.0)) / (hs * hs);
            prop_assert!(close(got.delta, delta, 1e-4, 1e-5), "delta {} against {}", got.delta, delta);
            prop_assert!(close(got.gamma, gamma, 1e-2, 1e-7), "gamma {} against {}", got.gamma, gamma);
            prop_assert!(close(got.vega, vega, 1e-4, 1e-2), "vega {} against {}", got.vega, vega);
            prop_assert!(close(got.theta, theta, 1e-4, 1e-1), "theta {} against {}", got.theta, theta);
            prop_assert!(close(got.rho, rho, 1e-4, 1e-2), "rho {} against {}", got.rho, rho);
        }
    }
}

#[test]
fn what_cannot_be_priced_is_refused_by_name() {
    let market = |underlying, t_years| Pricer::new(Model::Black76, underlying, t_years, 0.065, 0.0);
    assert_eq!(market(25_000.0, 0.0).unwrap_err(), PricingRefusal::Expired);
    assert_eq!(market(25_000.0, -1e-9).unwrap_err(), PricingRefusal::Expired);
    assert_eq!(market(0.0, 0.01).unwrap_err(), PricingRefusal::NotFinite);
    assert_eq!(market(f64::NAN, 0.01).unwrap_err(), PricingRefusal::NotFinite);
    let pricer = market(25_000.0, 0.01).unwrap();
    assert_eq!(pricer.greeks(Right::Call, 25_000.0, 0.0).unwrap_err(), PricingRefusal::NoVolatility);
    assert_eq!(pricer.greeks(Right::Call, 0.0, 0.1).unwrap_err(), PricingRefusal::NotFinite);
    for (right, strike, price, refusal) in [
        (Right::Call, 24_000.0, 900.0, IvRefusal::BelowIntrinsic),
        (Right::Call, 24_000.0, 25_000.0, IvRefusal::AboveUpperBound),
        (Right::Put, 26_000.0, 26_000.0, IvRefusal::AboveUpperBound),
        (Right::Put, 24_000.0, 0.0, IvRefusal::NonPositivePrice),
        (Right::Put, 24_000.0, -5.0, IvRefusal::NonPositivePrice),
        (Right::Put, 24_000.0, f64::NAN, IvRefusal::NotFinite),
        (Right::Put, -1.0, 10.0, IvRefusal::NotFinite),
    ] {
        assert_eq!(pricer.implied_vol(right, strike, price), Err(refusal), "{right} {strike} at {price}");
    }
    let undiscounted = Pricer::new(Model::Black76, 25_000.0, 0.01, 0.0, 0.0).unwrap();
    assert_eq!(undiscounted.implied_vol(Right::Call, 24_000.0, 1_000.0), Err(IvRefusal::AtIntrinsic));
}
