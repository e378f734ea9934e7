//! The turns of a trading day: pre-open, bell, halts, square-off, close, settlement, the next day.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use scalper_decide::domain::{Instant, Underlying};

use super::board::Board;
use super::market::{Halt, MarketError, TickQueue};
use super::{DAY_END, PRE_OPEN, Simulator, Step};

/// A turn of the day, for market-status packets and logs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    /// A day begins: instruments are new, slots mean something else.
    DayBegan {
        /// The day.
        day: NaiveDate,
        /// When.
        at: Instant,
    },
    /// Continuous trading begins.
    Opened {
        /// When.
        at: Instant,
    },
    /// Trading stands still.
    Halted {
        /// When.
        at: Instant,
    },
    /// Trading goes on.
    Resumed {
        /// When.
        at: Instant,
    },
    /// The broker squares intraday positions off.
    SquareOff {
        /// When.
        at: Instant,
    },
    /// Trading is over for the day.
    Closed {
        /// When.
        at: Instant,
    },
    /// Expired series are settled, books are final.
    DayEnded {
        /// The day.
        day: NaiveDate,
        /// When.
        at: Instant,
    },
}

/// What the simulator's own agenda holds.
#[derive(Debug, Clone)]
pub(super) enum Bell {
    DayBegins,
    Open,
    Halt(Halt),
    Resume,
    SquareOff,
    Close,
    DayEnds,
}

impl Simulator {
    /// Does what is due by `now`.
    pub(super) fn ring(&mut self, now: Instant, step: &mut Step) -> Result<(), MarketError> {
        let Some(bell) = self.bells.take_due(now) else { return Ok(()) };
        let notice = match bell {
            Bell::DayBegins => Notice::DayBegan { day: self.begin_day()?, at: now },
            Bell::Open => {
                self.oms.bell();
                Notice::Opened { at: now }
            }
            Bell::Halt(halt) => {
                self.halted = true;
                self.oms.halt(true, halt.purges, now);
                Notice::Halted { at: now }
            }
            Bell::Resume => {
                self.halted = false;
                self.oms.halt(false, false, now);
                Notice::Resumed { at: now }
            }
            Bell::SquareOff => {
                self.oms.square_off(now);
                Notice::SquareOff { at: now }
            }
            Bell::Close => {
                self.oms.close(now);
                Notice::Closed { at: now }
            }
            Bell::DayEnds => Notice::DayEnded { day: self.end_day(now)?, at: now },
        };
        step.notices.push(notice);
        Ok(())
    }

    fn begin_day(&mut self) -> Result<NaiveDate, MarketError> {
        let planned = self.planned.take().expect("a day begins only when one is planned");
        if self.day.is_some() {
            self.past.push_back(self.board.close());
            self.trim();
        }
        let hours = planned.hours;
        self.board = Board::default();
        self.board.open(&hours, &planned.instruments);
        if let Some(before) = self.past.back() {
            self.board.remember(before);
        }
        self.oms.open_day(&hours, &self.board)?;
        self.queue = TickQueue::new(planned.ticks)?;
        self.settlements = planned.settlements;
        self.halted = false;
        for window in &hours.windows {
            self.bells.add(hours.at(window.open), Bell::Open);
        }
        for halt in planned.halts {
            self.bells.add(hours.at(halt.from), Bell::Halt(halt));
            self.bells.add(hours.at(halt.to), Bell::Resume);
        }
        if self.oms.squares_off() {
            self.bells.add(hours.at(hours.cutoffs.broker_square_off), Bell::SquareOff);
        }
        self.bells.add(hours.close_at(), Bell::Close);
        self.bells.add(hours.close_at() + DAY_END, Bell::DayEnds);
        let day = hours.day;
        self.day = Some(hours);
        Ok(day)
    }

    fn end_day(&mut self, now: Instant) -> Result<NaiveDate, MarketError> {
        let mut values: BTreeMap<_, _> =
            Underlying::ALL.into_iter().filter_map(|u| self.board.settlement(u).map(|value| (u, value))).collect();
        values.append(&mut self.settlements);
        self.oms.settle(&values, now);
        self.oms.end_day();
        // Ticks after the close that nobody saw are dropped with the day.
        self.queue = TickQueue::empty();
        self.planned = self.market.next_day()?;
        if let Some(next) = &self.planned {
            self.bells.add(next.hours.open_at() - PRE_OPEN, Bell::DayBegins);
        }
        Ok(self.day.as_ref().expect("a day ends after it began").day)
    }

    /// Keeps bars of indices for as long as asked for, those of contracts for one day.
    pub(super) fn trim(&mut self) {
        while self.past.len() > self.history_days {
            self.past.pop_front();
        }
        let older = self.past.len().saturating_sub(1);
        for day in self.past.iter_mut().take(older) {
            day.bars.retain(|(segment, _), _| *segment == scalper_decide::domain::Segment::IdxI);
            day.closings.retain(|(segment, _), _| *segment == scalper_decide::domain::Segment::IdxI);
        }
    }
}
