//! A tape as a market. Nothing of a day stays in memory but a few thousand decoded ticks.

use std::collections::BTreeMap;
use std::path::Path;

use chrono::NaiveDate;
use scalper_decide::domain::{ContractBook, SessionCalendar};

use super::{Key, Market, MarketDay, MarketError, TickQueue, master};
use crate::simulator::bars::PastDay;
use crate::simulator::board::Board;
use crate::tape::Tape;

/// A tape lived through from one of its days on.
pub struct RecordedMarket {
    tape: Tape,
    calendar: SessionCalendar,
    contracts: ContractBook,
    /// Days not lived through yet, the next one last.
    ahead: Vec<NaiveDate>,
    /// Days before the first one that history is read from, oldest first.
    before: Vec<NaiveDate>,
}

impl RecordedMarket {
    /// The tape in `dir` from its first day on or after `from`; at most `history_days` days before that give bars.
    ///
    /// # Errors
    /// The tape cannot be opened, or holds no such day.
    pub fn open(
        dir: &Path,
        from: Option<NaiveDate>,
        history_days: usize,
        calendar: &SessionCalendar,
        contracts: &ContractBook,
    ) -> Result<RecordedMarket, MarketError> {
        let tape = Tape::open(dir)?;
        let first = from.unwrap_or(NaiveDate::MIN);
        let (before, ahead): (Vec<_>, Vec<_>) = tape.days().iter().partition(|day| **day < first);
        if ahead.is_empty() {
            return Err(MarketError::NoDay { title: dir.display().to_string(), from: first });
        }
        let mut ahead: Vec<NaiveDate> = ahead;
        ahead.reverse();
        let before = before[before.len().saturating_sub(history_days)..].to_vec();
        Ok(RecordedMarket { tape, calendar: calendar.clone(), contracts: contracts.clone(), ahead, before })
    }

    fn day(&self, day: NaiveDate) -> Result<Option<MarketDay>, MarketError> {
        let Some(hours) = self.calendar.hours(day)? else { return Ok(None) };
        let recorded = self.tape.day(day)?;
        let instruments = master::list(recorded.instruments(), day, &self.contracts)?;
        let slots: BTreeMap<Key, _> = instruments.iter().map(|l| (l.key(), l.slot())).collect();
        let reader = recorded.ticks(|segment, id| slots.get(&(segment, id)).copied())?;
        Ok(Some(MarketDay {
            hours,
            instruments,
            ticks: Box::new(reader.map(|tick| tick.map_err(MarketError::from))),
            halts: Vec::new(),
            settlements: BTreeMap::new(),
        }))
    }
}

impl Market for RecordedMarket {
    fn title(&self) -> String {
        self.tape.dir().file_name().map_or_else(|| "tape".to_owned(), |name| name.to_string_lossy().into_owned())
    }

    fn history(&mut self) -> Result<Vec<PastDay>, MarketError> {
        let mut past = Vec::new();
        for date in std::mem::take(&mut self.before) {
            if let Some(day) = self.day(date)? {
                past.push(lived(day)?);
            }
        }
        Ok(past)
    }

    fn next_day(&mut self) -> Result<Option<MarketDay>, MarketError> {
        // A tape may hold days on which the calendar knows no session; they are not lived through.
        while let Some(date) = self.ahead.pop() {
            if let Some(day) = self.day(date)? {
                return Ok(Some(day));
            }
        }
        Ok(None)
    }
}

/// What remains of a day that nobody traded in.
pub(super) fn lived(day: MarketDay) -> Result<PastDay, MarketError> {
    let mut board = Board::default();
    board.open(&day.hours, &day.instruments);
    let mut queue = TickQueue::new(day.ticks)?;
    while let Some(tick) = queue.pop()? {
        board.take(&tick);
    }
    Ok(board.close())
}
