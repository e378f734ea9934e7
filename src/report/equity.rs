//! Balance after each exit, and how far it stood under its peak. Nights and weekends take no room: every trading day
//! is equally wide.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use scalper_decide::domain::{Instant, Money};

use super::format::rupees;
use super::html::minus;
use super::svg::{Axis, px};
use crate::backtest::result::BacktestResult;
use crate::backtest::stats::underwater;

const WIDTH: f64 = 1160.0;
const LEFT: f64 = 96.0;
const RIGHT: f64 = 1148.0;
/// Room a day label needs.
const DAY_LABEL: f64 = 64.0;
/// 09:15 and 15:40 in seconds of the day: the longest session of the calendar.
const SESSION: (f64, f64) = (33_300.0, 56_400.0);

/// Places instants on an axis made of trading days.
struct DayAxis {
    days: BTreeMap<NaiveDate, usize>,
    width: f64,
}

impl DayAxis {
    fn of(result: &BacktestResult) -> DayAxis {
        let dates = result.days.iter().map(|d| d.day).chain(result.equity.iter().map(|(at, _)| at.ist_date()));
        let mut days: BTreeMap<NaiveDate, usize> = dates.map(|d| (d, 0)).collect();
        days.values_mut().enumerate().for_each(|(i, place)| *place = i);
        let width = (RIGHT - LEFT) / days.len().max(1) as f64;
        DayAxis { days, width }
    }

    fn at(&self, at: Instant) -> f64 {
        let day = self.days.get(&at.ist_date()).copied().unwrap_or(0) as f64;
        let share = (f64::from(at.ist_time().secs()) - SESSION.0) / (SESSION.1 - SESSION.0);
        LEFT + (day + share.clamp(0.0, 1.0)) * self.width
    }

    /// Lines between days and labels under them, as many as fit.
    fn draw(&self, top: f64, bottom: f64) -> String {
        let every = (DAY_LABEL / self.width).ceil().max(1.0) as usize;
        let years = self.days.keys().next().map(|d| d.format("%y").to_string())
            != self.days.keys().last().map(|d| d.format("%y").to_string());
        let mut out = String::new();
        for (day, place) in &self.days {
            let x = LEFT + *place as f64 * self.width;
            if place % every != 0 {
                continue;
            }
            if x + DAY_LABEL > WIDTH {
                continue;
            }
            if *place > 0 {
                out.push_str(&format!("<path class=\"grid\" d=\"M{} {}V{}\"/>", px(x), px(top), px(bottom)));
            }
            let label = day.format(if years { "%d %b %y" } else { "%d %b" });
            out.push_str(&format!(
                "<text class=\"ax mid\" x=\"{}\" y=\"{}\">{label}</text>",
                px(x + if every == 1 { self.width } else { DAY_LABEL } / 2.0),
                px(bottom + 18.0)
            ));
        }
        out
    }
}

fn value_axis(axis: &Axis, gap: f64) -> String {
    axis.ticks(gap)
        .into_iter()
        .map(|(value, label)| {
            let y = px(axis.at(value));
            format!(
                "<path class=\"grid\" d=\"M{LEFT} {y}H{RIGHT}\"/><text class=\"ax end\" x=\"{}\" y=\"{y}\" dy=\"4\">{}</text>",
                LEFT - 8.0,
                minus(&label)
            )
        })
        .collect()
}

/// A line that keeps its value until the next point, from the left edge to the right one.
fn steps(days: &DayAxis, axis: &Axis, from: f64, points: &[(Instant, Money)]) -> String {
    let mut path = format!("M{LEFT} {}", px(axis.at(from)));
    let mut last = String::new();
    for (at, value) in points {
        let step = format!("H{}V{}", px(days.at(*at)), px(axis.at(value.as_rupees_f64())));
        // Points that fall on the same pixel say nothing new.
        if step != last {
            path.push_str(&step);
            last = step;
        }
    }
    path.push_str(&format!("H{RIGHT}"));
    path
}

/// The curve of the balance.
pub(super) fn balance_chart(result: &BacktestResult) -> String {
    let (top, bottom, height) = (14.0, 266.0, 300.0);
    let opening = result.meta.opening_balance;
    let days = DayAxis::of(result);
    let values = || result.equity.iter().map(|(_, m)| m.as_rupees_f64()).chain([opening.as_rupees_f64()]);
    let (lo, hi) = (values().fold(f64::MAX, f64::min), values().fold(f64::MIN, f64::max));
    let room = (hi - lo) * 0.06;
    let axis = Axis::new(lo - room, hi + room, bottom, top);
    let last = result.equity.last().map_or(opening, |(_, m)| *m);
    let start_y = px(axis.at(opening.as_rupees_f64()));
    format!(
        "<svg class=\"chart\" viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" aria-label=\"Balance from {} to {} rupees\">{}{}\
         <path class=\"ref\" d=\"M{LEFT} {start_y}H{RIGHT}\"/><path class=\"line\" d=\"{}\"/>\
         <circle class=\"dot\" cx=\"{RIGHT}\" cy=\"{}\" r=\"4\"/></svg>",
        rupees(opening),
        rupees(last),
        value_axis(&axis, 34.0),
        days.draw(top, bottom),
        steps(&days, &axis, opening.as_rupees_f64(), &result.equity),
        px(axis.at(last.as_rupees_f64())),
    )
}

/// The distance of the balance from its peak.
pub(super) fn drawdown_chart(result: &BacktestResult) -> String {
    let (top, bottom, height) = (10.0, 126.0, 160.0);
    let days = DayAxis::of(result);
    let points = underwater(result.meta.opening_balance, &result.equity);
    let Some((low_at, low)) = points.iter().min_by_key(|(_, m)| *m).copied() else { return String::new() };
    let axis = Axis::new(low.as_rupees_f64() * 1.06, 0.0, bottom, top);
    let line = steps(&days, &axis, 0.0, &points);
    let zero = px(axis.at(0.0));
    let mark = if low.is_negative() {
        let (x, y) = (days.at(low_at), axis.at(low.as_rupees_f64()));
        format!("<circle class=\"dotdown\" cx=\"{}\" cy=\"{}\" r=\"4\"/>", px(x), px(y))
    } else {
        String::new()
    };
    format!(
        "<svg class=\"chart\" viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" aria-label=\"Distance from the peak, deepest {} rupees\">{}{}\
         <path class=\"area\" d=\"{line}V{zero}H{LEFT}z\"/><path class=\"downline\" d=\"{line}\"/>{mark}</svg>",
        rupees(low),
        value_axis(&axis, 34.0),
        days.draw(top, bottom),
    )
}
