//! Every incremental indicator against its whole-window twin on random bars, flat stretches and gaps included.

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use scalper_decide::domain::{Age, Instant};
use scalper_decide::indicators::{AdaptiveSupertrend, Adx, Atr, Bar, Ema, Rsi, Supertrend, SupertrendModel, Vwap};
use scalper_decide::params::SupertrendParams;
use ta::{Next, Period, Reset};

use crate::naive::{self, Series};
use crate::shared_data::close;

/// Random walks with quiet bars, flat stretches and gaps; two sessions' worth of minutes crosses a day.
fn random_bars(most: usize) -> impl Strategy<Value = Vec<Bar>> {
    let step = (-30.0..30.0_f64, 0.0..25.0_f64, 0.0..25.0_f64, 0.0..1.0_f64, 0_u8..12, 0_u32..500);
    prop::collection::vec(step, 1..most).prop_map(|steps| {
        // 15:00 IST, so that a long walk passes midnight and VWAP starts anew.
        let start = Instant::from_secs(1_768_210_200);
        let mut last = 25_000.0_f64;
        let mut bars = Vec::new();
        for (i, (drift, up, down, share, kind, units)) in steps.into_iter().enumerate() {
            let at = start + Age::from_mins(5 * i as i64);
            let volume = (units % 3 > 0).then_some(f64::from(units));
            let bar = match kind {
                0..3 => Bar::new(at, last, last, last, last, volume),
                _ => {
                    let jump = if kind == 11 { 15.0 } else { 1.0 };
                    let open = (last + drift * jump).max(500.0);
                    let (high, low) = (open + up, open - down);
                    let end = low + (high - low) * share;
                    Bar::new(at, open, high, low, end.clamp(low, high), volume)
                }
            };
            let bar = bar.expect("the walk makes bars");
            last = bar.close();
            bars.push(bar);
        }
        bars
    })
}

fn run<I, T>(mut indicator: I, bars: &[Bar]) -> Vec<T>
where
    I: for<'a> Next<&'a Bar, Output = T>,
{
    bars.iter().map(|bar| indicator.next(bar)).collect()
}

fn same(name: &str, got: &[Option<f64>], expected: &Series) -> Result<(), TestCaseError> {
    prop_assert_eq!(got.len(), expected.len());
    for (i, pair) in got.iter().zip(expected).enumerate() {
        match pair {
            (None, None) => {}
            (Some(got), Some(expected)) => {
                prop_assert!(got.is_finite(), "{} bar {}: {}", name, i, got);
                prop_assert!(close(*got, *expected, 1e-9, 1e-9), "{} bar {}: {} against {}", name, i, got, expected);
            }
            _ => prop_assert!(false, "{} bar {}: {:?} against {:?}", name, i, pair.0, pair.1),
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(160))]

    #[test]
    fn averages_and_strength_agree_with_their_twins(bars in random_bars(220), n in 1_usize..25) {
        same("atr", &run(Atr::new(n), &bars), &naive::atr(&bars, n))?;
        same("ema", &run(Ema::new(n), &bars), &naive::ema(&bars, n))?;
        same("rsi", &run(Rsi::new(n), &bars), &naive::rsi(&bars, n))?;
        same("vwap", &run(Vwap::new(), &bars), &naive::vwap(&bars))?;
    }

    #[test]
    fn directional_movement_agrees_with_its_twin(bars in random_bars(220), n in 1_usize..20) {
        let got = run(Adx::new(n), &bars);
        let (plus, minus, adx) = naive::dmi(&bars, n);
        same("+di", &got.iter().map(|v| v.map(|v| v.plus_di)).collect::<Vec<_>>(), &plus)?;
        same("-di", &got.iter().map(|v| v.map(|v| v.minus_di)).collect::<Vec<_>>(), &minus)?;
        same("adx", &got.iter().map(|v| v.and_then(|v| v.adx)).collect::<Vec<_>>(), &adx)?;
    }

    #[test]
    fn supertrend_agrees_with_its_twin(bars in random_bars(220), n in 1_usize..15, k in 0.3..4.0_f64) {
        let got = run(Supertrend::new(n, k), &bars);
        let expected = naive::supertrend(&bars, n, k);
        same("line", &got.iter().map(|v| v.map(|v| v.line)).collect::<Vec<_>>(),
            &expected.iter().map(|v| v.map(|v| v.0)).collect())?;
        let mut last = None;
        for (i, (got, expected)) in got.iter().zip(&expected).enumerate() {
            let Some(got) = got else { continue };
            prop_assert_eq!(Some(got.direction), expected.map(|e| e.1), "bar {}", i);
            prop_assert_eq!(got.flipped, last.is_some_and(|last| last != got.direction), "bar {}", i);
            last = Some(got.direction);
        }
    }

    #[test]
    fn adaptive_supertrend_agrees_with_its_twin(bars in random_bars(150), n in 2_usize..12, base in 1.0..4.5_f64) {
        let training = 20;
        let got = run(AdaptiveSupertrend::new(n, base, training), &bars);
        let expected = naive::adaptive(&bars, n, base, training);
        same("line", &got.iter().map(|v| v.map(|v| v.trend.line)).collect::<Vec<_>>(),
            &expected.iter().map(|v| v.map(|v| v.0)).collect())?;
        for (i, (got, expected)) in got.iter().zip(&expected).enumerate() {
            if let (Some(got), Some((_, direction, multiplier, regime))) = (got, expected) {
                prop_assert_eq!(got.trend.direction, *direction, "bar {}", i);
                prop_assert_eq!(got.regime, *regime, "bar {}", i);
                prop_assert_eq!(got.multiplier, *multiplier, "bar {}", i);
            }
        }
    }

    /// Prices in another unit must not change a decision; doubling is exact in binary, so neither may rounding.
    #[test]
    fn adaptive_supertrend_does_not_depend_on_the_unit_of_price(bars in random_bars(150)) {
        let doubled: Vec<Bar> = bars.iter()
            .map(|b| Bar::new(b.start(), 2.0 * b.open(), 2.0 * b.high(), 2.0 * b.low(), 2.0 * b.close(), None).unwrap())
            .collect();
        let plain = run(AdaptiveSupertrend::new(10, 2.0, 30), &bars);
        let scaled = run(AdaptiveSupertrend::new(10, 2.0, 30), &doubled);
        for (plain, scaled) in plain.iter().zip(&scaled) {
            prop_assert_eq!(plain.map(|v| (v.trend.direction, v.trend.flipped, v.multiplier, v.regime)),
                scaled.map(|v| (v.trend.direction, v.trend.flipped, v.multiplier, v.regime)));
            prop_assert_eq!(plain.map(|v| 2.0 * v.trend.line), scaled.map(|v| v.trend.line));
        }
    }

    /// N13: what an indicator said about a bar cannot depend on bars after it.
    #[test]
    fn n13_no_value_changes_when_the_future_does(bars in random_bars(120), other in random_bars(60), cut in 0_usize..120) {
        let cut = cut.min(bars.len());
        let mut changed = bars[..cut].to_vec();
        changed.extend(other);
        let model = || SupertrendModel::new(&SupertrendParams::Adaptive { period: 5, base_multiplier: 2.0, training: 15 });
        prop_assert_eq!(&run(model(), &bars)[..cut], &run(model(), &changed)[..cut]);
        prop_assert_eq!(&run(Adx::new(5), &bars)[..cut], &run(Adx::new(5), &changed)[..cut]);
    }

    #[test]
    fn a_reset_indicator_is_a_new_one(bars in random_bars(90)) {
        fn check<I, T>(name: &str, mut used: I, fresh: I, bars: &[Bar]) -> Result<(), TestCaseError>
        where
            I: for<'a> Next<&'a Bar, Output = T> + Reset,
            T: PartialEq + std::fmt::Debug,
        {
            for bar in bars {
                used.next(bar);
            }
            used.reset();
            prop_assert_eq!(run(used, bars), run(fresh, bars), "{}", name);
            Ok(())
        }
        let adaptive = || AdaptiveSupertrend::new(5, 2.0, 20);
        check("atr", Atr::new(5), Atr::new(5), &bars)?;
        check("adx", Adx::new(5), Adx::new(5), &bars)?;
        check("ema", Ema::new(5), Ema::new(5), &bars)?;
        check("rsi", Rsi::new(5), Rsi::new(5), &bars)?;
        check("vwap", Vwap::new(), Vwap::new(), &bars)?;
        check("supertrend", Supertrend::new(5, 2.0), Supertrend::new(5, 2.0), &bars)?;
        check("adaptive", adaptive(), adaptive(), &bars)?;
    }
}

#[test]
fn every_multiplier_and_regime_is_reachable() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let mut seen = std::collections::BTreeSet::new();
    for _ in 0..40 {
        let bars = random_bars(250).new_tree(&mut runner).expect("a walk").current();
        let model = AdaptiveSupertrend::new(5, 2.0, 20);
        seen.extend(run(model, &bars).into_iter().flatten().map(|v| (v.regime, format!("{:.1}", v.multiplier))));
    }
    let regimes: std::collections::BTreeSet<_> = seen.iter().map(|(regime, _)| *regime).collect();
    let multipliers: Vec<_> = seen.iter().map(|(_, multiplier)| multiplier.as_str()).collect();
    assert_eq!(regimes.len(), 3, "{seen:?}");
    for multiplier in ["1.5", "2.0", "2.5", "3.0", "3.5"] {
        assert!(multipliers.contains(&multiplier), "{multiplier} never chosen: {seen:?}");
    }
}

#[test]
fn the_model_of_the_settings_is_the_indicator_they_name() {
    let classic = SupertrendModel::new(&SupertrendParams::Classic { period: 7, multiplier: 3.0 });
    assert!(matches!(&classic, SupertrendModel::Classic(model) if model.period() == 7 && model.multiplier() == 3.0));
    let params = SupertrendParams::Adaptive { period: 10, base_multiplier: 2.0, training: 50 };
    let adaptive = SupertrendModel::new(&params);
    assert!(matches!(&adaptive, SupertrendModel::Adaptive(model) if model.period() == 10 && model.training() == 50));
}
