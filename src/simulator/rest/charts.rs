//! POST /charts/intraday and /charts/historical (dhan-v2.md 10.2).

use std::fmt::Write as _;

use chrono::NaiveDate;
use scalper_decide::domain::{Age, Instant, TimeOfDay};

use super::call::{Call, Outcome, Reply, Room};
use super::refusal;
use crate::broker::dhan::rest::candles::CandleBody;
use crate::broker::dhan::rest::times;
use crate::simulator::answers::INTERVALS;
use crate::simulator::bars::Candle;

/// Longest range of one intraday request.
const LONGEST: Age = Age::from_secs(90 * 24 * 3_600);

fn midnight(day: NaiveDate) -> Instant {
    Instant::from_ist(day, TimeOfDay::from_secs(0).expect("midnight is a time"))
}

/// `YYYY-MM-DD HH:MM:SS`, or a bare date.
fn moment(text: &str) -> Option<Instant> {
    times::ist(text).or_else(|| times::date(text).filter(|_| text.trim().len() == 10).map(midnight))
}

/// POST /charts/intraday.
pub(super) fn intraday(room: &Room<'_>, call: &Call) -> Outcome {
    let body: CandleBody = call.read()?;
    let interval = body.interval.as_deref().and_then(|i| i.parse().ok()).filter(|i| INTERVALS.contains(i));
    let (Some(interval), Some(from), Some(to)) = (interval, moment(&body.from_date), moment(&body.to_date)) else {
        return Err(refusal::bad_input());
    };
    if to < from || to.age_of(from) > LONGEST {
        return Err(refusal::bad_input());
    }
    let goes_on = room.options.today_goes_on_to_now && to.ist_date() >= room.now.ist_date();
    let to = if goes_on { room.now } else { to };
    let key = (body.exchange_segment, body.security_id);
    answer(room, &room.sim.intraday(key, interval, from, to), body.oi)
}

/// POST /charts/historical: the last day asked for is left out.
pub(super) fn historical(room: &Room<'_>, call: &Call) -> Outcome {
    let body: CandleBody = call.read()?;
    let (Some(from), Some(to)) = (times::date(&body.from_date), times::date(&body.to_date)) else {
        return Err(refusal::bad_input());
    };
    let key = (body.exchange_segment, body.security_id);
    answer(room, &room.sim.daily(key, from, to), body.oi)
}

fn answer(room: &Room<'_>, candles: &[Candle], oi: bool) -> Outcome {
    if candles.is_empty() {
        return Err(refusal::no_data());
    }
    let rupees = |paise: i64| paise as f64 / 100.0;
    let array = |get: &dyn Fn(&Candle) -> f64| {
        let numbers = candles.iter().map(|candle| number(get(candle), room.options.exponents));
        numbers.collect::<Vec<_>>().join(",")
    };
    let mut text = String::from("{");
    let mut add = |name: &str, numbers: String| {
        let comma = if text.len() > 1 { "," } else { "" };
        write!(text, "{comma}\"{name}\":[{numbers}]").expect("text grows");
    };
    add("open", array(&|c| rupees(c.open)));
    add("high", array(&|c| rupees(c.high)));
    add("low", array(&|c| rupees(c.low)));
    add("close", array(&|c| rupees(c.close)));
    add("volume", array(&|c| c.volume as f64));
    add("timestamp", array(&|c| (c.start.nanos() / 1_000_000_000) as f64));
    if oi {
        add("open_interest", array(&|c| c.oi as f64));
    }
    text.push('}');
    Ok(Reply::raw_json(text))
}

/// A double as Java prints it: with an exponent from ten million up and below a thousandth.
fn number(x: f64, exponents: bool) -> String {
    let plain = x == 0.0 || (1e-3..1e7).contains(&x.abs());
    if plain || !exponents {
        return format!("{x:?}");
    }
    let text = format!("{x:E}");
    match text.split_once('E') {
        Some((mantissa, power)) if !mantissa.contains('.') => format!("{mantissa}.0E{power}"),
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_print_as_java_prints_doubles() {
        // 4.1, 10.2: "volume":[1.7454579E7],"timestamp":[1.7375706E9].
        for (x, text) in [
            (17_454_579.0, "1.7454579E7"),
            (1_737_570_600.0, "1.7375706E9"),
            (1e9, "1.0E9"),
            (0.0, "0.0"),
            (24_512.35, "24512.35"),
            (9_999_999.0, "9999999.0"),
        ] {
            assert_eq!(number(x, true), text);
            assert_eq!(serde_json::from_str::<f64>(&number(x, true)).unwrap(), x);
        }
        assert_eq!(number(1_737_570_600.0, false), "1737570600.0");
    }

    #[test]
    fn a_moment_is_a_time_or_a_bare_date() {
        assert_eq!(moment("2026-01-12 09:15:00").unwrap().ist_text(), "2026-01-12T09:15:00+05:30");
        assert_eq!(moment("2026-01-12").unwrap().ist_text(), "2026-01-12T00:00:00+05:30");
        assert_eq!(moment("2026-01-12 9"), None);
        assert_eq!(moment("12/01/2026"), None);
    }
}
