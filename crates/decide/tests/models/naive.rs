//! Whole-window twins of the indicators: every value from all bars so far, by another road than the incremental code.

use scalper_decide::domain::Direction;
use scalper_decide::indicators::{Bar, Regime};

pub(crate) type Series<T = f64> = Vec<Option<T>>;

/// Wilder's average as an explicit weighted sum: `(1 - 1/n)^k` times the seed plus the decayed inputs after it.
pub(crate) fn rma(inputs: &[Option<f64>], n: usize) -> Series {
    let decay = 1.0 - 1.0 / n as f64;
    (0..inputs.len())
        .map(|i| {
            let defined: Vec<f64> = inputs[..=i].iter().flatten().copied().collect();
            if defined.len() < n || inputs[i].is_none() {
                return None;
            }
            let seed = defined[..n].iter().sum::<f64>() / n as f64;
            let rest = &defined[n..];
            let tail: f64 =
                rest.iter().enumerate().map(|(j, x)| x / n as f64 * decay.powi((rest.len() - 1 - j) as i32)).sum();
            Some(seed * decay.powi(rest.len() as i32) + tail)
        })
        .collect()
}

pub(crate) fn true_range(bars: &[Bar]) -> Vec<f64> {
    (0..bars.len())
        .map(|i| {
            let (mut high, mut low) = (bars[i].high(), bars[i].low());
            if i > 0 {
                high = high.max(bars[i - 1].close());
                low = low.min(bars[i - 1].close());
            }
            high - low
        })
        .collect()
}

pub(crate) fn atr(bars: &[Bar], n: usize) -> Series {
    rma(&true_range(bars).into_iter().map(Some).collect::<Vec<_>>(), n)
}

/// (+DI, -DI, ADX).
pub(crate) fn dmi(bars: &[Bar], n: usize) -> (Series, Series, Series) {
    let ranges = true_range(bars);
    let mut plus_dm = vec![None];
    let mut minus_dm = vec![None];
    let mut range = vec![None];
    for i in 1..bars.len() {
        let up = bars[i].high() - bars[i - 1].high();
        let down = bars[i - 1].low() - bars[i].low();
        plus_dm.push(Some(if up > 0.0 && up > down { up } else { 0.0 }));
        minus_dm.push(Some(if down > 0.0 && down > up { down } else { 0.0 }));
        range.push(Some(ranges[i]));
    }
    let range = rma(&range, n);
    let index = |movement: Series| -> Series {
        let mut last = None;
        movement
            .iter()
            .zip(&range)
            .map(|(movement, range)| {
                if let (Some(movement), Some(range)) = (movement, range)
                    && *range != 0.0
                {
                    last = Some(movement / range * 100.0);
                }
                last
            })
            .collect()
    };
    let (plus, minus) = (index(rma(&plus_dm, n)), index(rma(&minus_dm, n)));
    let dx: Series = plus
        .iter()
        .zip(&minus)
        .map(|(plus, minus)| {
            let (plus, minus) = ((*plus)?, (*minus)?);
            Some(if plus + minus == 0.0 { 0.0 } else { (plus - minus).abs() / (plus + minus) * 100.0 })
        })
        .collect();
    (plus, minus, rma(&dx, n))
}

/// Final bands for the multiplier of each bar, `None` where that is `None`.
fn bands(bars: &[Bar], atr: &Series, multipliers: &Series) -> Series<(f64, f64)> {
    let mut out: Series<(f64, f64)> = Vec::new();
    for i in 0..bars.len() {
        let (Some(atr), Some(k)) = (atr[i], multipliers[i]) else {
            out.push(None);
            continue;
        };
        let middle = (bars[i].high() + bars[i].low()) / 2.0;
        let (mut upper, mut lower) = (middle + k * atr, middle - k * atr);
        if let Some(Some((last_upper, last_lower))) = out.last() {
            let close = bars[i - 1].close();
            if close <= *last_upper {
                upper = upper.min(*last_upper);
            }
            if close >= *last_lower {
                lower = lower.max(*last_lower);
            }
        }
        out.push(Some((upper, lower)));
    }
    out
}

/// (line, direction) from bands alone: the last close beyond a band decides, down before any.
fn lines(bars: &[Bar], bands: &Series<(f64, f64)>) -> Series<(f64, Direction)> {
    (0..bars.len())
        .map(|i| {
            let (upper, lower) = bands[i]?;
            let first = bands.iter().position(Option::is_some)?;
            let mut direction = Direction::Down;
            for j in first + 1..=i {
                let (upper, lower) = bands[j]?;
                let close = bars[j].close();
                direction = match (close > upper, close < lower) {
                    (true, true) => direction.opposite(),
                    (true, false) => Direction::Up,
                    (false, true) => Direction::Down,
                    (false, false) => direction,
                };
            }
            Some((if direction == Direction::Up { lower } else { upper }, direction))
        })
        .collect()
}

pub(crate) fn supertrend(bars: &[Bar], n: usize, k: f64) -> Series<(f64, Direction)> {
    lines(bars, &bands(bars, &atr(bars, n), &vec![Some(k); bars.len()]))
}

/// (line, direction, multiplier, regime).
pub(crate) fn adaptive(bars: &[Bar], n: usize, base: f64, training: usize) -> Series<(f64, Direction, f64, Regime)> {
    let candidates = [1.5, 2.0, 2.5, 3.0, 3.5];
    let atr = atr(bars, n);
    let plain: Vec<_> = candidates.iter().map(|k| supertrend(bars, n, *k)).collect();
    let score = |candidate: usize, i: usize| -> f64 {
        (1..=i)
            .filter_map(|j| {
                let (_, direction) = plain[candidate][j - 1]?;
                let range = atr[j - 1]?;
                let gain = if range > 0.0 { (bars[j].close() - bars[j - 1].close()) / range } else { 0.0 };
                Some(0.1 * 0.9_f64.powi((i - j) as i32) * direction.sign() as f64 * gain)
            })
            .sum()
    };
    let chosen: Series<(f64, Regime)> = (0..bars.len())
        .map(|i| {
            let window: Vec<f64> = atr[..=i].iter().flatten().copied().collect();
            if window.len() < training {
                return None;
            }
            let regime = regime(&window[window.len() - training..]);
            let open: Vec<usize> = (0..candidates.len())
                .filter(|c| match regime {
                    Regime::Low => candidates[*c] <= base + 0.5,
                    Regime::Medium => (base..=base + 1.0).contains(&candidates[*c]),
                    Regime::High => candidates[*c] >= base + 0.5,
                })
                .collect();
            let best = open.iter().map(|c| score(*c, i)).fold(f64::NEG_INFINITY, f64::max);
            let distance = |c: &&usize| ((candidates[**c] - base).abs() * 1e6) as i64;
            let pick = open.iter().filter(|c| (score(**c, i) - best).abs() <= 1e-15).min_by_key(distance);
            Some((pick.map_or(base.clamp(1.5, 3.5), |c| candidates[*c]), regime))
        })
        .collect();
    let multipliers: Series = chosen.iter().map(|c| c.map(|(k, _)| k)).collect();
    lines(bars, &bands(bars, &atr, &multipliers))
        .into_iter()
        .zip(chosen)
        .map(|(line, chosen)| {
            let ((line, direction), (k, regime)) = (line?, chosen?);
            Some((line, direction, k, regime))
        })
        .collect()
}

/// k-means by cutting the line halfway between centroids.
fn regime(window: &[f64]) -> Regime {
    let mean = window.iter().sum::<f64>() / window.len() as f64;
    let mut sorted = window.to_vec();
    sorted.sort_by(f64::total_cmp);
    let (low, high) = (sorted[0], sorted[sorted.len() - 1]);
    if high / low - 1.0 <= 1e-9 || high == 0.0 {
        return Regime::Medium;
    }
    let mut seeds = [0.25, 0.5, 0.75].map(|share| low + share * (high - low));
    let cuts = |seeds: [f64; 3]| [(seeds[0] + seeds[1]) / 2.0, (seeds[1] + seeds[2]) / 2.0];
    for _ in 0..20 {
        let [first, second] = cuts(seeds);
        let groups = [
            sorted.iter().filter(|x| **x <= first).collect::<Vec<_>>(),
            sorted.iter().filter(|x| first < **x && **x <= second).collect(),
            sorted.iter().filter(|x| second < **x).collect(),
        ];
        let before = seeds;
        for (seed, group) in seeds.iter_mut().zip(groups) {
            if !group.is_empty() {
                *seed = group.iter().copied().sum::<f64>() / group.len() as f64;
            }
        }
        if seeds.iter().zip(before).all(|(now, then)| (now - then).abs() < 0.001 * mean) {
            break;
        }
    }
    let [first, second] = cuts(seeds);
    let newest = window[window.len() - 1];
    if newest <= first {
        Regime::Low
    } else if newest <= second {
        Regime::Medium
    } else {
        Regime::High
    }
}

pub(crate) fn ema(bars: &[Bar], n: usize) -> Series {
    let alpha = 2.0 / (n as f64 + 1.0);
    let closes: Vec<f64> = bars.iter().map(Bar::close).collect();
    (0..bars.len())
        .map(|i| {
            if i + 1 < n {
                return None;
            }
            let seed = closes[..n].iter().sum::<f64>() / n as f64;
            let tail: f64 = (n..=i).map(|j| alpha * (1.0 - alpha).powi((i - j) as i32) * closes[j]).sum();
            Some(seed * (1.0 - alpha).powi((i + 1 - n) as i32) + tail)
        })
        .collect()
}

pub(crate) fn rsi(bars: &[Bar], n: usize) -> Series {
    let change = |i: usize, sign: f64| -> Option<f64> {
        (i > 0).then(|| (sign * (bars[i].close() - bars[i - 1].close())).max(0.0))
    };
    let gains = rma(&(0..bars.len()).map(|i| change(i, 1.0)).collect::<Vec<_>>(), n);
    let losses = rma(&(0..bars.len()).map(|i| change(i, -1.0)).collect::<Vec<_>>(), n);
    let mut last = None;
    gains
        .into_iter()
        .zip(losses)
        .map(|pair| {
            if let (Some(gain), Some(loss)) = pair {
                if loss > 0.0 {
                    last = Some(100.0 - 100.0 / (1.0 + gain / loss));
                } else if gain > 0.0 {
                    last = Some(100.0);
                }
            }
            last
        })
        .collect()
}

pub(crate) fn vwap(bars: &[Bar]) -> Series {
    (0..bars.len())
        .map(|i| {
            let day = bars[i].start().ist_date();
            let today = bars[..=i].iter().filter(|bar| bar.start().ist_date() == day);
            let (mut traded, mut volume) = (0.0, 0.0);
            for bar in today {
                let units = bar.volume().unwrap_or(0.0);
                traded += (bar.high() + bar.low() + bar.close()) / 3.0 * units;
                volume += units;
            }
            (volume > 0.0).then(|| traded / volume)
        })
        .collect()
}
