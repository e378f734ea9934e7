//! A market made from a seed: any calendar day, one trading day after another for as long as the dated tables reach.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use scalper_decide::domain::{ContractBook, SessionCalendar, TimeOfDay, Underlying};

use super::recorded::lived;
use super::{Key, Market, MarketDay, MarketError, master};
use crate::sample::script::{Move, Segment as Stretch};
use crate::sample::{DayScript, Planner, SampleDay, SampleSpec, Script};
use crate::simulator::bars::PastDay;

/// A stretch in which the exchange stands still: no ticks, no matching, no new orders.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Halt {
    /// Which trading day, 0 = the first one.
    pub day: usize,
    /// First still second.
    pub from: TimeOfDay,
    /// First second of trading again.
    pub to: TimeOfDay,
    /// Whether resting orders are purged when it begins (F10).
    pub purges: bool,
}

/// A jump of an index that stays.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Jump {
    /// Which trading day, 0 = the first one.
    pub day: usize,
    /// The index.
    pub index: Underlying,
    /// When; it happens where the next stretch of the day's course begins, at most an hour later.
    pub at: TimeOfDay,
    /// Points, negative for down.
    pub points: f64,
}

/// What to generate.
#[derive(Debug, Clone, PartialEq)]
pub struct GeneratedSpec {
    /// Names the market: the same seed and spec give the same days.
    pub seed: u64,
    /// The first trading day is the first one on or after this.
    pub first_day: NaiveDate,
    /// Trading days before the first one that give history; at least 1. The last of them has contracts as well, so
    /// that options have a previous close.
    pub history_days: usize,
    /// Indices in order of listing.
    pub indices: Vec<Underlying>,
    /// Strikes to each side of the one at the money at the open.
    pub strikes_each_side: u32,
    /// Option expiries per index.
    pub expiries: usize,
    /// Ticks wanted a day; `None` = the natural pace.
    pub target_ticks: Option<usize>,
    /// Scripts of the first trading days; the days after them draw their regimes.
    pub scripts: Vec<DayScript>,
    /// Jumps.
    pub jumps: Vec<Jump>,
    /// Halts.
    pub halts: Vec<Halt>,
}

impl GeneratedSpec {
    /// Three indices, 20 strikes to each side, two expiries, five days of history, nothing unusual.
    pub fn usual(seed: u64, first_day: NaiveDate) -> GeneratedSpec {
        GeneratedSpec {
            seed,
            first_day,
            history_days: 5,
            indices: vec![Underlying::Nifty, Underlying::BankNifty, Underlying::Sensex],
            strikes_each_side: 20,
            expiries: 2,
            target_ticks: None,
            scripts: Vec::new(),
            jumps: Vec::new(),
            halts: Vec::new(),
        }
    }
}

/// A market made from a seed.
pub struct GeneratedMarket {
    spec: GeneratedSpec,
    calendar: SessionCalendar,
    contracts: ContractBook,
    planner: Planner,
    /// Days planned so far that are traded.
    day: usize,
}

impl GeneratedMarket {
    /// Plans nothing yet.
    ///
    /// # Errors
    /// The spec is unusable, or the calendar does not reach back over the history.
    pub fn new(
        spec: GeneratedSpec,
        calendar: &SessionCalendar,
        contracts: &ContractBook,
    ) -> Result<GeneratedMarket, MarketError> {
        let history = spec.history_days.max(1);
        let mut first = spec.first_day;
        for _ in 0..history {
            let before = first.pred_opt().ok_or_else(|| no_room(&spec))?;
            first = calendar.trading_day_on_or_before(before)?;
        }
        let planner = Planner::new(
            spec.seed,
            SampleSpec {
                first_day: first,
                days: 1,
                indices: spec.indices.clone(),
                strikes_each_side: spec.strikes_each_side,
                expiries: spec.expiries,
                target_ticks: spec.target_ticks,
                script: Script { warmup_days: history - 1, days: Vec::new() },
            },
        )?;
        let spec = GeneratedSpec { history_days: history, ..spec };
        Ok(GeneratedMarket { spec, calendar: calendar.clone(), contracts: contracts.clone(), planner, day: 0 })
    }

    fn day(&mut self, traded: Option<usize>) -> Result<MarketDay, MarketError> {
        let spec = &self.spec;
        let sample = self.planner.next_day(&self.calendar, &self.contracts, |_, script| {
            let Some(number) = traded else { return };
            if let Some(given) = spec.scripts.get(number) {
                *script = given.clone();
            }
            for jump in spec.jumps.iter().filter(|j| j.day == number) {
                lay_in(script.segments.entry(jump.index).or_default(), jump);
            }
        })?;
        let halts = spec.halts.iter().filter(|h| Some(h.day) == traded).copied().collect();
        self.listed(&sample, halts)
    }

    fn listed(&self, sample: &SampleDay, halts: Vec<Halt>) -> Result<MarketDay, MarketError> {
        let instruments = master::list(sample.instruments.clone(), sample.day, &self.contracts)?;
        let slots: BTreeMap<Key, _> = instruments.iter().map(|l| (l.key(), l.slot())).collect();
        let ticks = sample.ticks(|segment, id| slots[&(segment, id)]);
        Ok(MarketDay {
            hours: sample.hours.clone(),
            instruments,
            ticks: Box::new(ticks.map(Ok)),
            halts,
            settlements: BTreeMap::new(),
        })
    }
}

impl Market for GeneratedMarket {
    fn title(&self) -> String {
        format!("generated market, seed {}", self.spec.seed)
    }

    fn history(&mut self) -> Result<Vec<PastDay>, MarketError> {
        (0..self.spec.history_days).map(|_| lived(self.day(None)?)).collect()
    }

    fn next_day(&mut self) -> Result<Option<MarketDay>, MarketError> {
        let day = self.day(Some(self.day))?;
        self.day += 1;
        Ok(Some(day))
    }
}

/// Puts a jump where the first stretch at or after its time begins; that stretch starts a second later.
fn lay_in(stretches: &mut Vec<Stretch>, jump: &Jump) {
    let place = stretches.partition_point(|s| s.from < jump.at);
    let from = stretches.get(place).map_or(jump.at, |s| s.from);
    let free_from = place.checked_sub(1).map_or(from, |before| stretches[before].to).max(from);
    let Some(to) = TimeOfDay::from_secs(free_from.secs() + 1) else { return };
    if let Some(next) = stretches.get_mut(place) {
        next.from = to;
        if next.to <= next.from {
            stretches.remove(place);
        }
    }
    stretches.insert(place, Stretch { from: free_from, to, kind: Move::Gap { points: jump.points }, vol: 1.0 });
}

fn no_room(spec: &GeneratedSpec) -> MarketError {
    MarketError::NoDay { title: "the calendar".to_owned(), from: spec.first_day }
}
