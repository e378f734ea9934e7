//! Which contracts are listed on a generated day: expiries by each exchange's rule, moved to the previous trading
//! day when that day is closed; strikes around the open; ids that a contract keeps for life.

use chrono::{Datelike, Days, NaiveDate};
use scalper_decide::domain::{
    Instrument, InstrumentId, InstrumentKind, OptionContract, Right, Segment, SessionCalendar, Strike, Underlying,
};

use super::SampleError;
use super::price::Horizon;
use super::profile::{Profile, profile};

/// The id of an instrument that no universe has listed yet.
pub(crate) const UNLISTED: InstrumentId = InstrumentId(u32::MAX);
/// Day from which both exchanges' present expiry weekdays hold (NSE Tuesday, BSE Thursday).
const RULE_FROM: (i32, u32, u32) = (2025, 9, 1);
/// Strikes are numbered in units of 25 points, the finest step any of the indices has.
const STRIKE_UNIT: i64 = 2_500;

/// First day whose expiries the rule can name.
pub(crate) fn rule_from() -> NaiveDate {
    NaiveDate::from_ymd_opt(RULE_FROM.0, RULE_FROM.1, RULE_FROM.2).expect("a real date")
}

/// The next `count` option expiries on or after `day`, nearest first.
pub(crate) fn option_expiries(
    profile: &Profile,
    day: NaiveDate,
    count: usize,
    calendar: &SessionCalendar,
) -> Result<Vec<NaiveDate>, SampleError> {
    let mut found = Vec::with_capacity(count);
    let mut nominal = day;
    while found.len() < count {
        if nominal.weekday() == profile.expiry_weekday && (profile.weekly || is_last_of_month(nominal)) {
            let actual = calendar.trading_day_on_or_before(nominal)?;
            if actual >= day && found.last() != Some(&actual) {
                found.push(actual);
            }
        }
        nominal = nominal + Days::new(1);
    }
    Ok(found)
}

/// The nearest monthly expiry on or after `day`: futures have no weekly ones.
pub(crate) fn future_expiry(
    profile: &Profile,
    day: NaiveDate,
    calendar: &SessionCalendar,
) -> Result<NaiveDate, SampleError> {
    let monthly = Profile { weekly: false, ..*profile };
    Ok(option_expiries(&monthly, day, 1, calendar)?[0])
}

fn is_last_of_month(day: NaiveDate) -> bool {
    (day + Days::new(7)).month() != day.month()
}

/// Trading and clock time from the close of `day` to the close of `expiry`.
pub(crate) fn horizon(day: NaiveDate, expiry: NaiveDate, calendar: &SessionCalendar) -> Result<Horizon, SampleError> {
    let mut sessions = 0;
    let mut last = day;
    while last < expiry {
        last = last + Days::new(1);
        if let Some(hours) = calendar.hours(last)? {
            sessions += hours.windows.iter().map(|w| w.close.secs() - w.open.secs()).sum::<u32>();
        }
    }
    let close = |day| -> Result<i64, SampleError> {
        let hours = calendar.hours(day)?.ok_or(SampleError::NotATradingDay { day })?;
        Ok(hours.close_at().nanos() / 1_000_000_000)
    };
    Ok(Horizon { later_session_secs: f64::from(sessions), after_close_secs: (close(expiry)? - close(day)?) as f64 })
}

/// The spot index.
pub(crate) fn index_instrument(underlying: Underlying) -> Instrument {
    Instrument {
        id: UNLISTED,
        segment: Segment::IdxI,
        security_id: profile(underlying).index_id,
        symbol: underlying.symbol().to_owned(),
        kind: InstrumentKind::Index { underlying },
    }
}

/// A future.
pub(crate) fn future_instrument(underlying: Underlying, expiry: NaiveDate) -> Instrument {
    Instrument {
        id: UNLISTED,
        segment: underlying.fno_segment(),
        security_id: contract_id(underlying, expiry, 0, 0),
        symbol: format!("{underlying} {expiry} FUT"),
        kind: InstrumentKind::Future { underlying, expiry },
    }
}

/// An option. `Err` when its strike is no multiple of 25 points, which the ids cannot hold.
pub(crate) fn option_instrument(contract: OptionContract) -> Result<Instrument, SampleError> {
    let OptionContract { underlying, expiry, strike, right, .. } = contract;
    let number = u32::try_from(strike.paise() / STRIKE_UNIT).unwrap_or(0);
    if strike.paise() % STRIKE_UNIT != 0 || !(1..8_192).contains(&number) {
        return Err(SampleError::OddStrike { underlying, strike });
    }
    Ok(Instrument {
        id: UNLISTED,
        segment: underlying.fno_segment(),
        security_id: contract_id(underlying, expiry, number, u32::from(right == Right::Put)),
        symbol: format!("{underlying} {expiry} {strike} {right}"),
        kind: InstrumentKind::Option(contract),
    })
}

/// Index (3 bits), expiry (12 bits of days since 2025-01-01), strike (13 bits), right (1 bit).
fn contract_id(underlying: Underlying, expiry: NaiveDate, strike: u32, right: u32) -> u32 {
    let epoch = NaiveDate::from_ymd_opt(2025, 1, 1).expect("a real date");
    let days = u32::try_from((expiry - epoch).num_days()).expect("expiries follow the rule's first day") & 0xfff;
    ((underlying.index() as u32 + 1) << 26) | (days << 14) | (strike << 1) | right
}

/// The strike nearest to `level` points, halves up.
pub(crate) fn strike_at(level: f64, step: Strike) -> Strike {
    let paise = (level * 100.0).round() as i64;
    Strike::from_paise((paise + step.paise() / 2).div_euclid(step.paise()) * step.paise())
}

/// Whether the weekday rule is known on `day`.
pub(crate) fn check_rule(day: NaiveDate) -> Result<(), SampleError> {
    if day < rule_from() { Err(SampleError::BeforeExpiryRule { day, from: rule_from() }) } else { Ok(()) }
}
