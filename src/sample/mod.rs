//! Generated trading days for the demo, the benches and the tests: believable, offline, and the same for the same
//! seed and spec on every machine. Every tick says so: its source is [`TickSource::Generated`].
//!
//! A [`Script`] fixes where each index goes; noise, volatility, books and delays come from seeded streams, one per
//! purpose. Reading order: [`script`] and [`demo`], then `path` (index), `price` and `chain` (options), `day` (ticks).
//!
//! [`TickSource::Generated`]: scalper_decide::domain::TickSource::Generated

mod chain;
mod day;
pub mod demo;
mod listing;
mod maths;
mod path;
mod price;
mod profile;
mod random;
pub mod script;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use chrono::{Days, NaiveDate};
use scalper_decide::domain::calendar::OutsideCalendar;
use scalper_decide::domain::contracts::OutsideContracts;
use scalper_decide::domain::{
    ContractBook, Instrument, OptionContract, Right, SessionCalendar, SessionHours, Strike, Underlying,
};

pub use day::{SampleDay, Ticks};
pub use script::{DayScript, IvShock, Move, Outage, Script, Segment};

use day::{IndexPlan, Line};
use profile::profile;
use random::{Purpose, Stream};
use script::Course;

/// What to generate.
#[derive(Debug, Clone, PartialEq)]
pub struct SampleSpec {
    /// First calendar day looked at; the sample starts on the first trading day from here.
    pub first_day: NaiveDate,
    /// Trading days in all, warm-up days included; at least 1.
    pub days: usize,
    /// Indices, in order of listing; at least one.
    pub indices: Vec<Underlying>,
    /// Strikes listed above and below the one at the money at the open.
    pub strikes_each_side: u32,
    /// Option expiries per index, nearest first; at least 1.
    pub expiries: usize,
    /// Ticks wanted on each day that is not a warm-up day; met within a tenth (options tick less as
    /// the index leaves the strikes listed at the open) unless instruments would need more than four a second. `None` = the natural pace of the instruments.
    pub target_ticks: Option<usize>,
    /// Where the days go.
    pub script: Script,
}

/// Why a sample cannot be generated.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum SampleError {
    /// The spec asks for nothing.
    #[error("sample: {0}")]
    Spec(String),
    /// A day of the script is unusable.
    #[error("sample script, day {day}: {reason}")]
    Script {
        /// Place in [`Script::days`], from 1.
        day: usize,
        /// What is wrong.
        reason: String,
    },
    /// The calendar ends too early.
    #[error(transparent)]
    Calendar(#[from] OutsideCalendar),
    /// The contract table ends too early.
    #[error(transparent)]
    Contracts(#[from] OutsideContracts),
    /// No rule says which weekday contracts expired on back then.
    #[error("sample: {day} lies before {from}, from when on NSE options expire on Tuesdays and BSE ones on Thursdays")]
    BeforeExpiryRule {
        /// The first day asked for.
        day: NaiveDate,
        /// First possible day.
        from: NaiveDate,
    },
    /// An expiry fell on a closed day.
    #[error("sample: {day} is no trading day")]
    NotATradingDay {
        /// The day.
        day: NaiveDate,
    },
    /// A strike that ids cannot hold.
    #[error("sample: strike {strike} of {underlying} is no multiple of 25 points under 204,800; check its strike step")]
    OddStrike {
        /// The index.
        underlying: Underlying,
        /// The strike.
        strike: Strike,
    },
}

/// The days of a sample, listed and ready to tick.
#[derive(Debug, Clone)]
pub struct Sample {
    days: Vec<SampleDay>,
}

impl Sample {
    /// Plans every day of `spec`. Fails before the first tick when the tables end too early or the spec is unusable.
    pub fn new(
        seed: u64,
        spec: &SampleSpec,
        calendar: &SessionCalendar,
        contracts: &ContractBook,
    ) -> Result<Sample, SampleError> {
        let mut planner = Planner::new(seed, spec.clone())?;
        let mut days = Vec::with_capacity(spec.days);
        while days.len() < spec.days {
            days.push(planner.next_day(calendar, contracts, |_, _| {})?);
        }
        Ok(Sample { days })
    }

    /// The days in order.
    pub fn days(&self) -> &[SampleDay] {
        &self.days
    }
}

/// Plans one trading day after another, for as long as the tables reach. [`SampleSpec::days`] does not bind it.
#[derive(Debug, Clone)]
pub struct Planner {
    seed: u64,
    spec: SampleSpec,
    /// Where each index's course closed last.
    levels: BTreeMap<Underlying, f64>,
    date: NaiveDate,
    planned: usize,
}

impl Planner {
    /// A planner whose first day is the first trading day from [`SampleSpec::first_day`] on.
    ///
    /// # Errors
    /// The spec is unusable.
    pub fn new(seed: u64, spec: SampleSpec) -> Result<Planner, SampleError> {
        check(&spec)?;
        let levels = spec.indices.iter().map(|u| (*u, profile(*u).level)).collect();
        Ok(Planner { seed, date: spec.first_day, spec, levels, planned: 0 })
    }

    /// Plans the next trading day. `shape` may change its script, drawn or given, before anything follows from it.
    ///
    /// # Errors
    /// The tables end, or the changed script is unusable. The day is then not consumed.
    pub fn next_day(
        &mut self,
        calendar: &SessionCalendar,
        contracts: &ContractBook,
        shape: impl FnOnce(&SessionHours, &mut DayScript),
    ) -> Result<SampleDay, SampleError> {
        let hours = loop {
            if let Some(hours) = calendar.hours(self.date)? {
                break hours;
            }
            self.date = self.date + Days::new(1);
        };
        let (number, date) = (self.planned, hours.day);
        let mut levels = self.levels.clone();
        let day = plan_day(self.seed, &self.spec, number, hours, &mut levels, (calendar, contracts), shape)?;
        self.levels = levels;
        self.planned += 1;
        self.date = date + Days::new(1);
        Ok(day)
    }
}

fn check(spec: &SampleSpec) -> Result<(), SampleError> {
    let complain = |text: &str| Err(SampleError::Spec(text.to_owned()));
    if spec.days == 0 || spec.indices.is_empty() || spec.expiries == 0 {
        return complain("needs at least one day, one index and one expiry");
    }
    if spec.indices.iter().enumerate().any(|(i, u)| spec.indices[..i].contains(u)) {
        return complain("names an index twice");
    }
    if spec.strikes_each_side > 200 || spec.expiries > 12 {
        return complain("lists at most 200 strikes to each side and 12 expiries");
    }
    if spec.target_ticks == Some(0) {
        return complain("target_ticks must be above 0");
    }
    for (i, day) in spec.script.days.iter().enumerate() {
        day.check().map_err(|reason| SampleError::Script { day: i + 1, reason })?;
    }
    listing::check_rule(spec.first_day)
}

/// Plans day `number` and leaves in `levels` where each index's course closes.
fn plan_day(
    seed: u64,
    spec: &SampleSpec,
    number: usize,
    hours: SessionHours,
    levels: &mut BTreeMap<Underlying, f64>,
    (calendar, contracts): (&SessionCalendar, &ContractBook),
    shape: impl FnOnce(&SessionHours, &mut DayScript),
) -> Result<SampleDay, SampleError> {
    let warm_up = number < spec.script.warmup_days;
    let scripted = number.checked_sub(spec.script.warmup_days).and_then(|n| spec.script.days.get(n)).cloned();
    let mut regimes = Stream::new(seed, hours.day, Purpose::Regimes);
    let overnight = 0.0015 * regimes.gauss();
    let first = spec.indices[0];
    let stretched = levels[&first] / profile(first).level - 1.0;
    let liveliness = if warm_up { 0.75 } else { 1.0 };
    let mut script = scripted.unwrap_or_else(|| DayScript {
        segments: script::drawn_segments(&mut regimes, &hours, &spec.indices, liveliness, stretched),
        ..DayScript::default()
    });
    shape(&hours, &mut script);
    script.check().map_err(|reason| SampleError::Script { day: number + 1, reason })?;

    let mut day = SampleDay {
        day: hours.day,
        hours,
        warm_up,
        instruments: Vec::new(),
        seed,
        target_ticks: spec.target_ticks,
        indices: Vec::with_capacity(spec.indices.len()),
        iv_shocks: script.iv_shocks,
        lines: Vec::new(),
    };
    for underlying in &spec.indices {
        let habits = profile(*underlying);
        let open = levels[underlying] * (1.0 + overnight);
        let course = Course::new(script.segments.get(underlying).map_or(&[], Vec::as_slice));
        levels.insert(*underlying, open + course.total());
        day.indices.push(IndexPlan {
            underlying: *underlying,
            open,
            course,
            atm_iv: script.atm_iv.get(underlying).copied().unwrap_or(habits.atm_iv),
            expiries: Vec::new(),
            step: 1.0,
        });
        let nothing = Line { index: day.indices.len() - 1, expiry: 0, tick: 5, lot: 1, silent: Vec::new() };
        day.add(listing::index_instrument(*underlying), nothing);
        if !warm_up {
            list_contracts(&mut day, spec, &script.outages, calendar, contracts)?;
        }
    }
    Ok(day)
}

/// Lists the future and the options of the index planned last.
fn list_contracts(
    day: &mut SampleDay,
    spec: &SampleSpec,
    outages: &[Outage],
    calendar: &SessionCalendar,
    contracts: &ContractBook,
) -> Result<(), SampleError> {
    let (date, index) = (day.day, day.indices.len() - 1);
    let (underlying, open) = (day.indices[index].underlying, day.indices[index].open);
    let habits = profile(underlying);
    let tick = contracts.tick(underlying, date)?;
    let step = contracts.strike_step(underlying, date)?;
    let line = |expiry: usize, lot: i64| Line { index, expiry, tick: tick.paise(), lot, silent: Vec::new() };
    day.indices[index].step = step.as_points_f64();

    let monthly = listing::future_expiry(&habits, date, calendar)?;
    day.indices[index].expiries.push(listing::horizon(date, monthly, calendar)?);
    let lot = contracts.lot(underlying, monthly)?;
    day.add(listing::future_instrument(underlying, monthly), line(0, lot.get()));

    let at_money = listing::strike_at(open, step);
    for (rank, expiry) in listing::option_expiries(&habits, date, spec.expiries, calendar)?.into_iter().enumerate() {
        day.indices[index].expiries.push(listing::horizon(date, expiry, calendar)?);
        let lot = contracts.lot(underlying, expiry)?;
        let max_order_qty = contracts.max_order_qty(underlying, date, lot)?;
        let side = spec.strikes_each_side as i32;
        for away in -side..=side {
            let strike = Strike::from_paise(at_money.paise() + i64::from(away) * step.paise());
            for right in [Right::Call, Right::Put] {
                let contract = OptionContract { underlying, expiry, strike, right, lot, tick, max_order_qty };
                let mut line = line(rank + 1, lot.get());
                line.silent = outages
                    .iter()
                    .filter(|o| o.index == underlying && o.expiry_rank == rank && o.right.is_none_or(|r| r == right))
                    .filter(|o| (o.steps.0..=o.steps.1).contains(&away))
                    .map(|o| (o.from, o.to))
                    .collect();
                day.add(listing::option_instrument(contract)?, line);
            }
        }
    }
    Ok(())
}

impl SampleDay {
    fn add(&mut self, instrument: Instrument, line: Line) {
        self.instruments.push(instrument);
        self.lines.push(line);
    }
}
