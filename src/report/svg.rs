//! Axes of the charts: round ticks that do not overlap, and coordinates as short text.

use super::format::number;

/// A linear map from values to pixels.
#[derive(Clone, Copy)]
pub(super) struct Axis {
    lo: f64,
    span: f64,
    from: f64,
    to: f64,
}

impl Axis {
    /// Values `lo..hi` to pixels `from..to`; an empty range is widened so that it has a length.
    pub(super) fn new(lo: f64, hi: f64, from: f64, to: f64) -> Axis {
        let span = hi - lo;
        let (lo, span) = if span > lo.abs() * 1e-12 && span > 0.0 {
            (lo, span)
        } else {
            let room = lo.abs().max(1.0) * 0.01;
            (lo - room, room * 2.0)
        };
        Axis { lo, span, from, to }
    }

    /// The pixel of a value, kept inside the axis.
    pub(super) fn at(&self, value: f64) -> f64 {
        let share = ((value - self.lo) / self.span).clamp(0.0, 1.0);
        self.from + share * (self.to - self.from)
    }

    /// Round values inside the range, at least `min_gap` pixels apart, with their labels.
    pub(super) fn ticks(&self, min_gap: f64) -> Vec<(f64, String)> {
        let room = ((self.to - self.from).abs() / min_gap).floor().max(1.0);
        let step = round_step(self.span / room);
        let decimals = (-step.log10().floor()).max(0.0) as usize;
        let first = (self.lo / step).ceil();
        (0..=room as usize)
            .map(|i| (first + i as f64) * step)
            .take_while(|v| *v <= self.lo + self.span * (1.0 + 1e-9))
            .map(|v| (v, number(v, decimals)))
            .collect()
    }
}

/// The smallest of 1, 2, 2.5, 5 times a power of ten that is not below `least`; 2.5 only where it is whole.
fn round_step(least: f64) -> f64 {
    let power = 10f64.powf(least.log10().floor());
    let quarter = if power >= 10.0 { 2.5 } else { 5.0 };
    // A hair of tolerance keeps 0.2 from becoming 0.5 because of 0.20000000000000001.
    [1.0, 2.0, quarter, 5.0, 10.0]
        .map(|m| m * power)
        .into_iter()
        .find(|s| *s >= least * (1.0 - 1e-9))
        .unwrap_or(power * 10.0)
}

/// A coordinate with one decimal at most.
pub(super) fn px(value: f64) -> String {
    let text = format!("{value:.1}");
    match text.strip_suffix(".0") {
        Some("-0") => "0".to_owned(),
        Some(whole) => whole.to_owned(),
        None => text,
    }
}

/// A bar that grows right from the middle for gains and left for losses; `share` in -1..1.
pub(super) fn diverging_bar(share: f64) -> String {
    let share = if share.is_finite() { share.clamp(-1.0, 1.0) } else { 0.0 };
    let (x, width) = if share < 0.0 { (60.0 + share * 58.0, -share * 58.0) } else { (60.0, share * 58.0) };
    let class = if share < 0.0 { "downf" } else { "upf" };
    format!(
        "<svg class=\"bar\" viewBox=\"0 0 120 12\" aria-hidden=\"true\"><rect class=\"{class}\" x=\"{}\" y=\"1\" \
         width=\"{}\" height=\"10\"/><path class=\"zero\" d=\"M60 0V12\"/></svg>",
        px(x),
        px(width)
    )
}

/// A bar that grows from the left; `share` in 0..1.
pub(super) fn share_bar(share: f64) -> String {
    let share = if share.is_finite() { share.clamp(0.0, 1.0) } else { 0.0 };
    format!(
        "<svg class=\"bar\" viewBox=\"0 0 120 12\" aria-hidden=\"true\"><rect class=\"neutralf\" x=\"0\" y=\"1\" \
         width=\"{}\" height=\"10\"/></svg>",
        px(share * 120.0)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_inside_the_range_and_keep_their_distance() {
        let labels = |lo, hi, px, gap| -> Vec<String> {
            Axis::new(lo, hi, 0.0, px).ticks(gap).into_iter().map(|(_, label)| label).collect()
        };
        assert_eq!(
            labels(494_375.1, 506_702.19, 300.0, 60.0),
            ["4,95,000", "4,97,500", "5,00,000", "5,02,500", "5,05,000"]
        );
        assert_eq!(labels(0.0, 1.0, 300.0, 60.0), ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]);
        assert_eq!(labels(-3.0, 3.0, 100.0, 40.0), ["0"]);
        assert_eq!(labels(25_600.0, 25_600.0, 300.0, 60.0), ["25,400", "25,600", "25,800"], "a flat line has an axis");
        for (lo, hi) in [(0.0, 1e-7), (-1e15, 1e15), (25_000.03, 25_000.09), (0.0, 0.0), (-5.0, -5.0)] {
            for width in [60.0, 150.0, 300.0] {
                let axis = Axis::new(lo, hi, 0.0, width);
                let ticks = axis.ticks(50.0);
                for pair in ticks.windows(2) {
                    assert!(axis.at(pair[1].0) - axis.at(pair[0].0) > 49.9, "{lo} {hi} {width}: {ticks:?}");
                    assert_ne!(pair[0].1, pair[1].1, "labels must differ");
                }
            }
        }
    }

    #[test]
    fn coordinates_are_short() {
        assert_eq!((px(12.0), px(12.34), px(-0.01)), ("12".to_owned(), "12.3".to_owned(), "0".to_owned()));
    }
}
