//! One candle chart per day and index that had trades: bars, Supertrend, entries and exits on the index.

use std::collections::BTreeSet;

use chrono::NaiveDate;
use scalper_decide::domain::{Direction, Instant, Underlying};

use super::format::{day as day_text, ist_clock, plural, premium, signed};
use super::html::{Col, Grid, esc, gain, minus};
use super::svg::{Axis, px};
use super::words;
use crate::backtest::recorder::{DRAWN_DAYS, drawn_timeframes};
use crate::backtest::result::{BacktestResult, BarRecord, TradeRecord};
use crate::backtest::stats::{is_level, minutes_of};

const WIDTH: f64 = 1160.0;
const HEIGHT: f64 = 380.0;
const LEFT: f64 = 12.0;
const RIGHT: f64 = 1076.0;
const TOP: f64 = 18.0;
const BOTTOM: f64 = 344.0;
/// Average width of a character of a label, pixels.
const CHAR: f64 = 6.6;
const LINE: f64 = 13.0;

/// The charts with their trades, and a note on what was left out.
pub(super) fn charts(result: &BacktestResult) -> String {
    let pairs: BTreeSet<(NaiveDate, Underlying)> = result.trades.iter().map(|t| (t.day, t.underlying)).collect();
    let mut out = String::from(LEGEND);
    for (day, underlying) in pairs.iter().take(DRAWN_DAYS) {
        out.push_str(&one_day(result, *day, *underlying));
    }
    if pairs.len() > DRAWN_DAYS {
        out.push_str(&format!(
            "<p class=\"note\">{} more charts were left out to keep the page small; their trades are in the table below, their \
             bars in the CSV export.</p>",
            pairs.len() - DRAWN_DAYS
        ));
    }
    out
}

const LEGEND: &str = "<p class=\"legend\"><span><svg viewBox=\"0 0 14 14\" aria-hidden=\"true\"><path class=\"cu\" d=\"M3 3h8v8h-8z\"/></svg>rising bar (hollow)</span>\
<span><svg viewBox=\"0 0 14 14\" aria-hidden=\"true\"><path class=\"cd\" d=\"M3 3h8v8h-8z\"/></svg>falling bar (filled)</span>\
<span><svg viewBox=\"0 0 24 14\" aria-hidden=\"true\"><path class=\"stu\" d=\"M1 7H23\"/></svg>Supertrend up (solid)</span>\
<span><svg viewBox=\"0 0 24 14\" aria-hidden=\"true\"><path class=\"std\" d=\"M1 7H23\"/></svg>Supertrend down (dashed)</span>\
<span><svg viewBox=\"0 0 14 14\" aria-hidden=\"true\"><path class=\"mark\" d=\"M7 2l5 10h-10z\"/></svg>call bought</span>\
<span><svg viewBox=\"0 0 14 14\" aria-hidden=\"true\"><path class=\"mark\" d=\"M7 12l5 -10h-10z\"/></svg>put bought</span>\
<span><svg viewBox=\"0 0 14 14\" aria-hidden=\"true\"><path class=\"upf\" d=\"M2 2h10v10h-10z\"/></svg>left with a gain</span>\
<span><svg viewBox=\"0 0 14 14\" aria-hidden=\"true\"><path class=\"crossmark\" d=\"M2 2l10 10M12 2l-10 10\"/></svg>left with a loss</span></p>";

fn one_day(result: &BacktestResult, day: NaiveDate, underlying: Underlying) -> String {
    let of = |timeframe: &str| -> Vec<&BarRecord> {
        let mut bars: Vec<&BarRecord> = result
            .bars
            .iter()
            .filter(|b| {
                b.underlying == underlying && b.timeframe == timeframe && b.start.ist_date() == day && drawable(b)
            })
            .collect();
        bars.sort_by_key(|b| b.start);
        bars
    };
    let trades: Vec<(usize, &TradeRecord)> =
        (1..).zip(&result.trades).filter(|(_, t)| t.day == day && t.underlying == underlying).collect();
    let net = trades.iter().map(|(_, t)| t.net).sum();
    let (timeframe, bars) = drawn_timeframes(result.days.len())
        .into_iter()
        .map(|tf| (tf, of(tf)))
        .find(|(_, bars)| !bars.is_empty())
        .unwrap_or(("", Vec::new()));
    let chart = if bars.is_empty() {
        "<p class=\"note\">No bars of this day were recorded, so there is nothing to draw.</p>".to_owned()
    } else {
        format!(
            "<div class=\"scroll\" tabindex=\"0\">{}</div>",
            draw(&bars, &trades, &format!("{underlying} {}", day_text(day)))
        )
    };
    let bars_text = if bars.is_empty() { String::new() } else { format!(", {timeframe} bars, time in IST") };
    format!(
        "<figure class=\"day\"><figcaption><b>{underlying}</b> {}{bars_text} \u{b7} net {}</figcaption>{chart}{}</figure>\n",
        day_text(day),
        gain(net),
        day_table(&trades)
    )
}

fn day_table(trades: &[(usize, &TradeRecord)]) -> String {
    let mut grid = Grid::new(&[
        ("#", Col::Right),
        ("Contract", Col::Left),
        ("In (IST)", Col::Left),
        ("Paid", Col::Right),
        ("Out (IST)", Col::Left),
        ("Got", Col::Right),
        ("Why out", Col::Left),
        ("Net", Col::Right),
    ]);
    for (n, t) in trades {
        grid.row(&[
            format!("<a href=\"#t{n}\">{n}</a>"),
            esc(&t.symbol),
            ist_clock(t.entry_at),
            premium(t.entry_price),
            ist_clock(t.exit_at),
            premium(t.exit_price),
            words::spelled(t.reason.code()),
            gain(t.net),
        ]);
    }
    grid.html()
}

fn drawable(bar: &BarRecord) -> bool {
    [bar.open, bar.high, bar.low, bar.close].into_iter().all(is_level)
}

fn minute_of(at: Instant) -> f64 {
    f64::from(at.ist_time().secs()) / 60.0
}

/// Left, top, right, bottom.
type Rect = (f64, f64, f64, f64);

fn apart(a: Rect, b: Rect) -> bool {
    a.2 < b.0 || a.0 > b.2 || a.3 < b.1 || a.1 > b.3
}

/// Keeps labels off each other and off marks, and off the bars where there is room.
struct Labels {
    taken: Vec<Rect>,
    bars: Vec<Rect>,
}

impl Labels {
    /// A text near a point, above or below it; nothing when there is no room (the table under the chart has it).
    fn place(&mut self, x: f64, y: f64, up_first: bool, text: &str) -> String {
        let width = text.chars().count() as f64 * CHAR;
        let left = (x - width / 2.0).clamp(LEFT, RIGHT - width);
        for off_bars in [true, false] {
            for away in [16.0, 30.0, 44.0, 58.0, 72.0, 86.0, 100.0] {
                for up in [up_first, !up_first] {
                    let base = if up { y - away + 4.0 } else { y + away + 4.0 };
                    let rect = (left, base - LINE, left + width, base + 2.0);
                    let inside = rect.1 > TOP - 10.0 && rect.3 < BOTTOM;
                    let free = self.taken.iter().all(|o| apart(rect, *o))
                        && (!off_bars || self.bars.iter().all(|o| apart(rect, *o)));
                    if inside && free {
                        self.taken.push(rect);
                        return format!(
                            "<text class=\"tag halo\" x=\"{}\" y=\"{}\">{text}</text>",
                            px(left),
                            px(base - 1.0)
                        );
                    }
                }
            }
        }
        String::new()
    }
}

/// `which` names index and day; it stands in the picture, which may travel without its caption.
fn draw(bars: &[&BarRecord], trades: &[(usize, &TradeRecord)], which: &str) -> String {
    let length = bars.first().map_or(1, |b| minutes_of(b.timeframe).max(1)) as f64;
    let first = bars.iter().map(|b| minute_of(b.start)).fold(f64::MAX, f64::min);
    let last = bars.iter().map(|b| minute_of(b.start) + length).fold(f64::MIN, f64::max);
    let x = Axis::new(first, last, LEFT, RIGHT);
    let trend = |b: &&BarRecord| b.supertrend.filter(|s| is_level(*s));
    let levels = || bars.iter().flat_map(|b| [Some(b.low), Some(b.high), trend(b)]).flatten();
    let (lo, hi) = (levels().fold(f64::MAX, f64::min), levels().fold(f64::MIN, f64::max));
    let room = (hi - lo) * 0.06;
    let y = Axis::new(lo - room, hi + room, BOTTOM, TOP);

    let mut svg = format!(
        "<svg class=\"chart\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{which} candles, {}\">",
        plural(trades.len(), "trade")
    );
    svg.push_str(&grid(&x, &y, first, last));
    svg.push_str(&format!("<text class=\"which halo\" x=\"{}\" y=\"14\">{which}</text>", LEFT + 4.0));
    svg.push_str(&candles(bars, &x, &y, length));
    svg.push_str(&supertrend(bars, &x, &y, length));
    let bar_rects = bars
        .iter()
        .map(|b| {
            let start = minute_of(b.start);
            (x.at(start), y.at(b.high), x.at(start + length), y.at(b.low))
        })
        .collect();
    svg.push_str(&marks(trades, &x, &y, bar_rects));
    svg.push_str("</svg>");
    svg
}

fn grid(x: &Axis, y: &Axis, first: f64, last: f64) -> String {
    let mut out = String::new();
    for (value, label) in y.ticks(44.0) {
        let at = px(y.at(value));
        out.push_str(&format!(
            "<path class=\"grid\" d=\"M{LEFT} {at}H{RIGHT}\"/><text class=\"ax\" x=\"{}\" y=\"{at}\" dy=\"4\">{label}</text>",
            RIGHT + 8.0
        ));
    }
    let minutes = last - first;
    let step = [5.0, 15.0, 30.0, 60.0, 120.0, 240.0]
        .into_iter()
        .find(|s| (RIGHT - LEFT) / minutes * s >= 62.0)
        .unwrap_or(480.0);
    let mut minute = (first / step).ceil() * step;
    while minute <= last {
        let at = px(x.at(minute));
        let whole = minute.round() as u32;
        out.push_str(&format!("<path class=\"grid\" d=\"M{at} {TOP}V{BOTTOM}\"/>"));
        // A label at the very edge would be cut.
        if x.at(minute) > LEFT + 16.0 {
            out.push_str(&format!(
                "<text class=\"ax mid\" x=\"{at}\" y=\"{}\">{:02}:{:02}</text>",
                BOTTOM + 20.0,
                whole / 60,
                whole % 60
            ));
        }
        minute += step;
    }
    out
}

fn candles(bars: &[&BarRecord], x: &Axis, y: &Axis, length: f64) -> String {
    // One path per look keeps a day of one-minute bars at some 20 kB.
    let (mut wicks, mut bodies) = ([String::new(), String::new()], [String::new(), String::new()]);
    for bar in bars {
        let falling = usize::from(bar.close < bar.open);
        let start = minute_of(bar.start);
        let (left, right) = (x.at(start), x.at(start + length));
        let (middle, width) = ((left + right) / 2.0, ((right - left) * 0.7).max(1.0));
        wicks[falling].push_str(&format!("M{} {}V{}", px(middle), px(y.at(bar.high)), px(y.at(bar.low))));
        let (top, bottom) = (y.at(bar.open.max(bar.close)), y.at(bar.open.min(bar.close)));
        let (width, height) = (px(width), px((bottom - top).max(0.8)));
        bodies[falling].push_str(&format!(
            "M{} {}h{width}v{height}h-{width}z",
            px(middle - (right - left) * 0.35),
            px(top)
        ));
    }
    format!(
        "<path class=\"wu\" d=\"{}\"/><path class=\"wd\" d=\"{}\"/><path class=\"cu\" d=\"{}\"/><path class=\"cd\" d=\"{}\"/>",
        wicks[0], wicks[1], bodies[0], bodies[1]
    )
}

fn supertrend(bars: &[&BarRecord], x: &Axis, y: &Axis, length: f64) -> String {
    let (mut up, mut down) = (String::new(), String::new());
    let mut before = None;
    for bar in bars {
        let (Some(line), Some(direction)) = (bar.supertrend.filter(|s| is_level(*s)), bar.direction) else {
            before = None;
            continue;
        };
        let path = if direction > 0 { &mut up } else { &mut down };
        let pen = if before == Some(direction) { 'L' } else { 'M' };
        path.push_str(&format!("{pen}{} {}", px(x.at(minute_of(bar.start) + length / 2.0)), px(y.at(line))));
        before = Some(direction);
    }
    format!("<path class=\"stu\" d=\"{up}\"/><path class=\"std\" d=\"{down}\"/>")
}

fn marks(trades: &[(usize, &TradeRecord)], x: &Axis, y: &Axis, bars: Vec<Rect>) -> String {
    let mut labels = Labels { taken: Vec::new(), bars };
    let place = |at: Instant, level: f64| is_level(level).then(|| (x.at(minute_of(at)), y.at(level)));
    let points: Vec<_> = trades
        .iter()
        .map(|(n, t)| (*n, *t, place(t.decided_at, t.index_at_entry), place(t.exit_at, t.index_at_exit)))
        .collect();
    for (mx, my) in points.iter().flat_map(|(_, _, entry, exit)| [*entry, *exit]).flatten() {
        labels.taken.push((mx - 7.0, my - 7.0, mx + 7.0, my + 7.0));
    }
    let mut out = String::new();
    for (n, t, entry, exit) in points {
        let title = format!(
            "#{n} {}: in {} at {}, out {} at {}, {}, net {}",
            esc(&t.symbol),
            ist_clock(t.entry_at),
            premium(t.entry_price),
            ist_clock(t.exit_at),
            premium(t.exit_price),
            words::exit_reason(t.reason),
            minus(&signed(t.net))
        );
        out.push_str(&format!("<g><title>{title}</title>"));
        if let (Some((ex, ey)), Some((ox, oy))) = (entry, exit) {
            out.push_str(&format!("<path class=\"tie\" d=\"M{} {}L{} {}\"/>", px(ex), px(ey), px(ox), px(oy)));
        }
        if let Some((ex, ey)) = entry {
            let (shape, up) = match t.direction {
                Direction::Up => ("l6 11h-12z", false),
                Direction::Down => ("l6 -11h-12z", true),
            };
            out.push_str(&format!("<path class=\"mark\" d=\"M{} {}{shape}\"/>", px(ex), px(ey)));
            out.push_str(&labels.place(ex, ey, up, &n.to_string()));
        }
        if let Some((ox, oy)) = exit {
            if t.net.is_negative() {
                let (l, top) = (px(ox - 5.0), px(oy - 5.0));
                let right = px(ox + 5.0);
                out.push_str(&format!("<path class=\"crossmark\" d=\"M{l} {top}l10 10M{right} {top}l-10 10\"/>"));
            } else {
                out.push_str(&format!("<path class=\"upf\" d=\"M{} {}h10v10h-10z\"/>", px(ox - 5.0), px(oy - 5.0)));
            }
            let text = format!("{n} {}", words::spelled(t.reason.code()));
            out.push_str(&labels.place(ox, oy, t.direction == Direction::Up, &text));
        }
        out.push_str("</g>");
    }
    out
}
