//! May we enter now? The last questions before an order: is the market open for this, do we hold enough already,
//! did we just leave this trade, are the prices young and tight. Anything unknown closes the door (F-48).
//!
//! Order of checks, first refusal wins: hours (session, entry cut-off, index continuous) - blocks (breaker, locks,
//! pauses) - identity (contract fits the signal, duplicate, in doubt) - exposure (contract, index, total, pyramid) -
//! cool-downs (direction, strike) - trades of the day (index, total) - index price - option price (age, book, spread,
//! slippage). Facts that hold for long come first, so a funnel counts them rather than their noise.

mod quotes;
mod refusal;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use chrono::NaiveDate;
use serde::Serialize;

use crate::domain::{
    Age, Direction, Instant, InstrumentId, OptionContract, Premium, Right, SessionHours, SignalId, Stamp, Strike,
    Underlying,
};
use crate::params::EntryGuardParams;
use crate::tick_cache::Quote;

pub use refusal::EntryRefusal;

/// Positions that count against a new entry; those with a working entry are included (F-34).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct PositionCounts {
    /// In the contract to be bought.
    pub in_contract: u32,
    /// In its index.
    pub in_index: u32,
    /// In all.
    pub total: u32,
    /// Whether every position in the contract shows a profit at the bid; a working or unpriced one does not.
    pub others_in_contract_all_in_profit: bool,
    /// Whether an order of the index is in doubt.
    pub in_doubt_in_underlying: bool,
}

/// A standing reason of the risk manager against any entry: breaker, day profit lock, loss pause, operator pause.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct EntryBlock {
    /// Its stable code.
    pub code: &'static str,
    /// Its words and numbers.
    pub text: String,
}

/// Everything the guard looks at.
#[derive(Debug, Clone)]
pub struct EntryContext<'a> {
    /// The signal behind the entry.
    pub signal: SignalId,
    /// Contract to be bought.
    pub contract: &'a OptionContract,
    /// Its slot.
    pub instrument: InstrumentId,
    /// Hours of the trading day; its cut-offs are the ones in force, a preset's earlier ones included.
    pub hours: &'a SessionHours,
    /// Last quote of the spot index.
    pub index_quote: Option<&'a Quote>,
    /// Last quote of the contract.
    pub option_quote: Option<&'a Quote>,
    /// Worst price the entry would pay.
    pub entry_limit: Premium,
    /// What is open or on its way.
    pub open: PositionCounts,
    /// A standing block.
    pub entries_blocked: Option<EntryBlock>,
    /// Whether the signal was acted on before, as far as the caller knows.
    pub duplicate_signal: bool,
}

/// Permission to enter. Only [`EntryGuard::decide`] makes one:
///
/// ```compile_fail,E0451
/// # fn forge(signal: scalper_decide::domain::SignalId, at: scalper_decide::domain::Stamp,
/// #     contract: scalper_decide::domain::OptionContract) {
/// let instrument = scalper_decide::domain::InstrumentId(1);
/// let entry_limit = scalper_decide::domain::Premium::from_rupees(100);
/// scalper_decide::entry_guard::Guarded { signal, at, contract, instrument, entry_limit };
/// # }
/// ```
#[derive(Debug, PartialEq, Eq, Serialize)]
#[must_use = "a permission that is not used is an entry lost"]
pub struct Guarded {
    signal: SignalId,
    at: Stamp,
    contract: OptionContract,
    instrument: InstrumentId,
    entry_limit: Premium,
}

impl Guarded {
    /// The signal it was given for.
    pub const fn signal(&self) -> SignalId {
        self.signal
    }
    /// The event it was decided in.
    pub const fn at(&self) -> Stamp {
        self.at
    }
    /// The contract it was given for.
    pub const fn contract(&self) -> &OptionContract {
        &self.contract
    }
    /// Slot of the contract.
    pub const fn instrument(&self) -> InstrumentId {
        self.instrument
    }
    /// Worst price it allows.
    pub const fn entry_limit(&self) -> Premium {
        self.entry_limit
    }
}

/// The entry guard: its settings and what it remembers of the day.
#[derive(Debug, Clone, Serialize)]
pub struct EntryGuard {
    params: EntryGuardParams,
    #[serde(serialize_with = "as_rows")]
    left_direction: BTreeMap<(Underlying, Direction), Instant>,
    #[serde(serialize_with = "as_rows")]
    left_strike: BTreeMap<(Underlying, Strike, Right), Instant>,
    #[serde(serialize_with = "as_rows")]
    acted_on: BTreeMap<SignalId, Stamp>,
    day: Option<NaiveDate>,
}

/// Maps whose keys are not text are written as rows.
fn as_rows<K: Serialize, V: Serialize, S: serde::Serializer>(map: &BTreeMap<K, V>, to: S) -> Result<S::Ok, S::Error> {
    to.collect_seq(map)
}

impl EntryGuard {
    /// A guard that remembers nothing yet.
    pub const fn new(params: EntryGuardParams) -> EntryGuard {
        EntryGuard {
            params,
            left_direction: BTreeMap::new(),
            left_strike: BTreeMap::new(),
            acted_on: BTreeMap::new(),
            day: None,
        }
    }

    /// Forgets the day before: its trades are counted and its cool-downs are over. Opening the same day again forgets
    /// nothing (J12).
    pub fn open_session(&mut self, day: NaiveDate) {
        if self.day.is_some_and(|known| day <= known) {
            return;
        }
        self.day = Some(day);
        self.left_direction.clear();
        self.left_strike.clear();
        self.acted_on.clear();
    }

    /// Takes changed limits over.
    pub fn configure(&mut self, params: EntryGuardParams) {
        self.params = params;
    }

    /// An entry order for `signal` goes out. Counts as a trade of the day from here on, filled or not: a working
    /// entry is exposure (F-34).
    pub fn entered(&mut self, now: Stamp, signal: SignalId) {
        self.acted_on.insert(signal, now);
    }

    /// A position is flat again: the cool-downs of its direction and strike start (F-54).
    pub fn exited(&mut self, now: Stamp, underlying: Underlying, direction: Direction, strike: Strike, right: Right) {
        self.left_direction.insert((underlying, direction), now.at);
        self.left_strike.insert((underlying, strike, right), now.at);
    }

    /// Entries sent today in an index.
    pub fn trades_in(&self, underlying: Underlying) -> u32 {
        count(self.acted_on.keys().filter(|s| s.underlying == underlying).count())
    }

    /// Entries sent today.
    pub fn trades(&self) -> u32 {
        count(self.acted_on.len())
    }

    /// Judges an entry at `now`.
    pub fn decide(&self, now: Stamp, ctx: &EntryContext<'_>) -> Result<Guarded, EntryRefusal> {
        self.hours(now.at, ctx)?;
        if let Some(block) = &ctx.entries_blocked {
            return Err(EntryRefusal::Blocked(block.clone()));
        }
        self.identity(now.at, ctx)?;
        self.exposure(ctx)?;
        self.cooldowns(now.at, ctx)?;
        self.trade_counts(ctx)?;
        quotes::check_index(&self.params, now.at, ctx)?;
        quotes::check_option(&self.params, now.at, ctx)?;
        Ok(Guarded {
            signal: ctx.signal,
            at: now,
            contract: *ctx.contract,
            instrument: ctx.instrument,
            entry_limit: ctx.entry_limit,
        })
    }

    /// Is the market in a state in which entries make sense? Cut-offs exclude their own first instant.
    fn hours(&self, now: Instant, ctx: &EntryContext<'_>) -> Result<(), EntryRefusal> {
        let hours = ctx.hours;
        let time = now.ist_time();
        if now.ist_date() != hours.day || !hours.is_open(time) {
            return Err(EntryRefusal::SessionClosed { now });
        }
        let cutoff = hours.cutoffs.no_new_entry;
        if time >= cutoff {
            return Err(EntryRefusal::PastNoNewEntry { time, cutoff });
        }
        if !hours.index_is_live(time) {
            return Err(EntryRefusal::IndexNotContinuous { time, close: hours.index_continuous_close });
        }
        Ok(())
    }

    /// Is this the contract of this signal, and is the signal's story known?
    fn identity(&self, now: Instant, ctx: &EntryContext<'_>) -> Result<(), EntryRefusal> {
        let (signal, contract) = (ctx.signal, ctx.contract);
        if contract.underlying != signal.underlying || contract.right != signal.direction.right() {
            return Err(EntryRefusal::ContractMismatch {
                signal,
                underlying: contract.underlying,
                right: contract.right,
            });
        }
        if contract.expiry < now.ist_date() {
            return Err(EntryRefusal::ContractExpired { expiry: contract.expiry });
        }
        let entered = self.acted_on.get(&signal).map(|s| s.at);
        if entered.is_some() || ctx.duplicate_signal {
            return Err(EntryRefusal::DuplicateSignal { signal, entered });
        }
        if ctx.open.in_doubt_in_underlying {
            return Err(EntryRefusal::InDoubt { underlying: signal.underlying });
        }
        Ok(())
    }

    fn exposure(&self, ctx: &EntryContext<'_>) -> Result<(), EntryRefusal> {
        let (open, limits) = (&ctx.open, &self.params);
        let (contract, underlying) = (*ctx.contract, ctx.contract.underlying);
        if open.in_contract >= limits.max_positions_per_contract {
            let (open, limit) = (open.in_contract, limits.max_positions_per_contract);
            return Err(EntryRefusal::ContractFull { strike: contract.strike, right: contract.right, open, limit });
        }
        if open.in_index >= limits.max_positions_per_index {
            let (open, limit) = (open.in_index, limits.max_positions_per_index);
            return Err(EntryRefusal::IndexFull { underlying, open, limit });
        }
        if open.total >= limits.max_positions_total {
            return Err(EntryRefusal::AllFull { open: open.total, limit: limits.max_positions_total });
        }
        if limits.pyramid_only_in_profit && open.in_contract > 0 && !open.others_in_contract_all_in_profit {
            return Err(EntryRefusal::PyramidNotInProfit { open: open.in_contract });
        }
        Ok(())
    }

    /// A cool-down is over once its full length has passed.
    fn cooldowns(&self, now: Instant, ctx: &EntryContext<'_>) -> Result<(), EntryRefusal> {
        let contract = ctx.contract;
        let running = |left: Option<&Instant>, limit: Age| {
            let since = now.age_of(*left?);
            (since < limit).then_some(since)
        };
        let (underlying, direction) = (contract.underlying, ctx.signal.direction);
        let limit = self.params.cooldown_direction;
        if let Some(since) = running(self.left_direction.get(&(underlying, direction)), limit) {
            return Err(EntryRefusal::DirectionCoolDown { underlying, direction, since, limit });
        }
        let (strike, right, limit) = (contract.strike, contract.right, self.params.cooldown_strike);
        if let Some(since) = running(self.left_strike.get(&(underlying, strike, right)), limit) {
            return Err(EntryRefusal::StrikeCoolDown { strike, right, since, limit });
        }
        Ok(())
    }

    fn trade_counts(&self, ctx: &EntryContext<'_>) -> Result<(), EntryRefusal> {
        let underlying = ctx.signal.underlying;
        let (trades, limit) = (self.trades_in(underlying), self.params.max_trades_per_index);
        if trades >= limit {
            return Err(EntryRefusal::IndexTradesDone { underlying, trades, limit });
        }
        let (trades, limit) = (self.trades(), self.params.max_trades_per_day);
        if trades >= limit {
            return Err(EntryRefusal::DayTradesDone { trades, limit });
        }
        Ok(())
    }
}

fn count(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}
