//! The last word on every instrument of the day: last tick, the day's range, averages, bars, and the index averages
//! that expiring contracts settle on.

use std::collections::BTreeMap;
use std::sync::Arc;

use scalper_decide::domain::tick::ABSENT;
use scalper_decide::domain::{
    Age, IndexPrice, Instant, InstrumentId, InstrumentKind, OrderSide, Premium, SessionHours, Tick, TickSource,
    TimeOfDay, Underlying,
};

use super::bars::{BarKeeper, Closing, MinuteBar, PastDay};
use super::market::{Key, Listed};

/// The exchange takes the average of the last half hour as closing value.
const SETTLEMENT_WINDOW: Age = Age::from_mins(30);

/// The day of one instrument so far. Prices in paise, quantities in units; 0 where nothing is known.
#[derive(Debug, Clone, Default)]
pub struct Desk {
    /// The last tick in session.
    pub last: Option<Tick>,
    /// First, highest and lowest price.
    pub open: i64,
    /// Highest price.
    pub high: i64,
    /// Lowest price.
    pub low: i64,
    /// Highest open interest.
    pub oi_high: i64,
    /// Lowest open interest.
    pub oi_low: i64,
    /// Units traded last, as last sent.
    pub ltq: i64,
    /// Units traded today.
    pub volume: i64,
    /// The day before.
    pub previous: Option<Closing>,
    traded_value: i128,
    traded_units: i64,
    bars: BarKeeper,
}

impl Desk {
    /// Last price, 0 before the first one.
    pub fn ltp(&self) -> i64 {
        self.last.map_or(0, |tick| tick.ltp_paise)
    }

    /// Open interest, 0 when none is sent.
    pub fn oi(&self) -> i64 {
        self.last.map_or(0, |tick| tick.oi.max(0))
    }

    /// Average price of the units seen trading, rounded down; 0 before the first.
    pub fn average(&self) -> i64 {
        if self.traded_units == 0 { 0 } else { (self.traded_value / i128::from(self.traded_units)) as i64 }
    }

    /// Previous close, 0 when unknown.
    pub fn previous_close(&self) -> i64 {
        self.previous.map_or(0, |c| c.price)
    }

    /// Best price of the other side for an order of this side, else the last price.
    pub fn touch(&self, side: OrderSide) -> Option<Premium> {
        let tick = self.last?;
        let level = match side {
            OrderSide::Buy => tick.best_ask(),
            OrderSide::Sell => tick.best_bid(),
        };
        level.map(|l| l.premium()).or((tick.ltp_paise > 0).then(|| tick.premium()))
    }

    /// Minute bars so far.
    pub fn bars(&self) -> &[MinuteBar] {
        self.bars.bars()
    }

    fn take(&mut self, midnight: Instant, tick: &Tick) {
        let mut units = 0;
        if tick.volume != ABSENT {
            units = (tick.volume - self.volume).max(0);
            self.volume = self.volume.max(tick.volume);
            self.traded_value += i128::from(units) * i128::from(tick.ltp_paise);
            self.traded_units += units;
        }
        if tick.ltq > 0 {
            self.ltq = tick.ltq;
        }
        if tick.oi > 0 {
            self.oi_high = self.oi_high.max(tick.oi);
            self.oi_low = if self.oi_low == 0 { tick.oi } else { self.oi_low.min(tick.oi) };
        }
        if tick.ltp_paise > 0 {
            if self.open == 0 {
                (self.open, self.high, self.low) = (tick.ltp_paise, tick.ltp_paise, tick.ltp_paise);
            }
            self.high = self.high.max(tick.ltp_paise);
            self.low = self.low.min(tick.ltp_paise);
            self.bars.take(midnight, tick, units);
        }
        self.last = Some(*tick);
    }
}

/// Average of an index inside the settlement window.
#[derive(Debug, Clone, Copy, Default)]
struct ClosingAverage {
    sum: i128,
    count: i128,
    derived: bool,
}

/// All desks of a day.
#[derive(Debug, Clone, Default)]
pub struct Board {
    hours: Option<SessionHours>,
    midnight: Instant,
    settles: (Instant, Instant),
    listed: Vec<Arc<Listed>>,
    by_key: BTreeMap<Key, InstrumentId>,
    desks: Vec<Desk>,
    index_of_slot: Vec<Option<Underlying>>,
    closing: [ClosingAverage; Underlying::ALL.len()],
}

impl Board {
    /// A new day: everything known of the one before is gone.
    pub fn open(&mut self, hours: &SessionHours, listed: &[Arc<Listed>]) {
        let settles_until = hours.at(hours.index_continuous_close);
        let index = |l: &Arc<Listed>| match l.instrument.kind {
            InstrumentKind::Index { underlying } => Some(underlying),
            _ => None,
        };
        *self = Board {
            midnight: hours.at(TimeOfDay::from_secs(0).expect("midnight is a time")),
            settles: (settles_until - SETTLEMENT_WINDOW, settles_until),
            hours: Some(hours.clone()),
            by_key: listed.iter().map(|l| (l.key(), l.slot())).collect(),
            desks: vec![Desk::default(); listed.len()],
            index_of_slot: listed.iter().map(index).collect(),
            listed: listed.to_vec(),
            closing: Default::default(),
        };
    }

    /// Notes the closing values of the day before.
    pub fn remember(&mut self, before: &PastDay) {
        for (key, closing) in &before.closings {
            if let Some(slot) = self.by_key.get(key) {
                self.desks[slot.slot()].previous = Some(*closing);
            }
        }
    }

    /// Takes the next tick; one that may drive no decision leaves no trace.
    pub fn take(&mut self, tick: &Tick) {
        if !tick.flags.is_decidable() {
            return;
        }
        let slot = tick.instrument.slot();
        self.desks[slot].take(self.midnight, tick);
        if let Some(underlying) = self.index_of_slot[slot]
            && self.settles.0 <= tick.exchange_at
            && tick.exchange_at < self.settles.1
        {
            let closing = &mut self.closing[underlying.index()];
            closing.sum += i128::from(tick.ltp_paise);
            closing.count += 1;
            closing.derived |= tick.source == TickSource::Derived;
        }
    }

    /// What remains of the day when it is over.
    pub fn close(&self) -> PastDay {
        let hours = self.hours.clone().expect("the day was opened");
        let mut past = PastDay { hours, bars: BTreeMap::new(), closings: BTreeMap::new() };
        for (listed, desk) in self.listed.iter().zip(&self.desks) {
            if desk.last.is_some() {
                let closing = Closing { price: desk.ltp(), oi: desk.oi(), volume: desk.volume };
                past.closings.insert(listed.key(), closing);
            }
            past.bars.insert(listed.key(), desk.bars.bars().to_vec());
        }
        past
    }

    /// Everything listed today, by slot.
    pub fn listed(&self) -> &[Arc<Listed>] {
        &self.listed
    }

    /// One instrument and its day.
    pub fn find(&self, key: Key) -> Option<(&Arc<Listed>, &Desk)> {
        let slot = self.by_key.get(&key)?.slot();
        Some((&self.listed[slot], self.desks.get(slot)?))
    }

    /// The day of a slot.
    pub fn desk(&self, slot: InstrumentId) -> &Desk {
        &self.desks[slot.slot()]
    }

    /// The spot index of a family.
    pub fn index(&self, underlying: Underlying) -> Option<(&Arc<Listed>, &Desk)> {
        let slot = self.index_of_slot.iter().position(|u| *u == Some(underlying))?;
        Some((&self.listed[slot], self.desks.get(slot)?))
    }

    /// The average of an index over the settlement window, rounded down to the paisa, with its source in words.
    pub fn settlement(&self, underlying: Underlying) -> Option<(IndexPrice, String)> {
        let closing = self.closing[underlying.index()];
        if closing.count == 0 {
            return None;
        }
        let index = if closing.derived { "put-call parity forward (no spot was recorded)" } else { "index" };
        let source = format!("average of the {index} over the last 30 minutes of continuous trading");
        Some((IndexPrice::from_paise((closing.sum / closing.count) as i64), source))
    }
}
