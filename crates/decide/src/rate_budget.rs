//! How many calls the broker still lets us make (dhan-v2.md 9.1, I16, B6-B8, F-68).
//!
//! Windows slide: a call is counted for a full second, minute and hour after it was made, so no choice of edges finds
//! more calls than the limit. Only the day is a calendar day of IST, which is how the broker counts it.
//!
//! Entries are shed first. In the second, the minute and the hour 30 % of the room is kept for calls that reduce
//! risk; of the day, entries get the first 80 % and trailing the first 95 %. Calls that reduce risk never wait for
//! anything but their own kind, and may use the day up to the broker's limit.

mod params;
#[cfg(test)]
mod tests;
mod window;

use std::collections::BTreeMap;

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use crate::domain::{Age, ClientOrderId, Instant, Underlying};

pub use params::{FamilyLimits, RateParams};
use window::CallLog;

/// The broker counts these separately.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Family {
    /// Placing, changing and cancelling orders.
    Order,
    /// Candles, chains, instruments.
    Data,
    /// Market quotes.
    Quote,
    /// Everything else: books, positions, funds, profile.
    NonTrading,
}

/// What an order call is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OrderUse {
    /// Takes new risk.
    Entry,
    /// Moves a stop that rests already.
    Trail,
    /// Reduces risk: exits, the first stop and its growth, cancellations.
    Exit,
}

/// One call that wants to be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(tag = "call", rename_all = "snake_case")]
pub enum Call {
    /// An order call.
    Order {
        /// What for.
        purpose: OrderUse,
        /// The order it modifies; `None` for placements and cancellations.
        modifies: Option<ClientOrderId>,
    },
    /// A data call.
    Data,
    /// The chain of one expiry: a data call with a rule of its own.
    OptionChain {
        /// Of which index.
        underlying: Underlying,
        /// Which expiry.
        expiry: NaiveDate,
    },
    /// A quote call.
    Quote,
    /// Any other call.
    NonTrading,
}

impl Call {
    /// Which of the broker's counts it goes to.
    pub const fn family(self) -> Family {
        match self {
            Call::Order { .. } => Family::Order,
            Call::Data | Call::OptionChain { .. } => Family::Data,
            Call::Quote => Family::Quote,
            Call::NonTrading => Family::NonTrading,
        }
    }
}

/// Answer to a wish to call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(tag = "permit", rename_all = "snake_case")]
#[must_use = "a call that was let go is counted as made"]
pub enum Permit {
    /// Make it now; it is counted.
    Go,
    /// Ask again then: not counted.
    WaitUntil(Instant),
    /// Not today, or not worth waiting for: not counted.
    Refused(BudgetRefusal),
}

/// Why a call is not made at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, thiserror::Error)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[allow(missing_docs, reason = "the numbers of a refusal are named by their fields and shown by its message")]
pub enum BudgetRefusal {
    /// The day's calls are kept for what reduces risk.
    #[error("{used} calls of {limit} are used today, {purpose:?} calls end at {allowed}")]
    DaySpent { purpose: OrderUse, used: u32, allowed: u32, limit: u32 },
    /// The family's day is used up.
    #[error("{used} calls are used today, limit {limit}")]
    FamilyDaySpent { family: Family, used: u32, limit: u32 },
    /// The order was changed as often as it may be.
    #[error("order {id} was modified {used} times, limit {limit}")]
    ModificationsSpent { id: ClientOrderId, used: u8, limit: u8 },
    /// The broker said "too many"; an entry decided now is worth nothing by the time it may be sent.
    #[error("the broker refused for too many calls; cooling off until {}", until.ist_text())]
    CoolingOff { until: Instant },
}

/// How full the order windows are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct OrderUsage {
    /// Calls in the last second.
    pub second: u32,
    /// Calls in the last minute.
    pub minute: u32,
    /// Calls in the last hour.
    pub hour: u32,
    /// Calls of the day.
    pub day: u32,
}

/// How full one window is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct WindowUse {
    /// Which of the broker's counts.
    pub family: Family,
    /// `second`, `minute`, `hour` or `day`.
    pub window: &'static str,
    /// Calls in it.
    pub used: u32,
    /// Calls it may hold; of the day's orders what the broker itself allows.
    pub limit: u32,
}

/// The budget. Persist it with every call and restore it at start: the broker's counts survive our restarts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RateBudget {
    params: RateParams,
    day: Option<NaiveDate>,
    last: Instant,
    order: CallLog,
    data: CallLog,
    quote: CallLog,
    non_trading: CallLog,
    modifications: BTreeMap<ClientOrderId, u8>,
    chains: Vec<(Underlying, NaiveDate, Instant)>,
    refused_at: BTreeMap<Family, Instant>,
}

impl RateBudget {
    /// A budget of which nothing is used.
    pub fn new(params: RateParams) -> RateBudget {
        RateBudget {
            params,
            day: None,
            last: Instant::default(),
            order: CallLog::default(),
            data: CallLog::default(),
            quote: CallLog::default(),
            non_trading: CallLog::default(),
            modifications: BTreeMap::new(),
            chains: Vec::new(),
            refused_at: BTreeMap::new(),
        }
    }

    /// A restored budget under the settings of today: what was used stays used.
    pub fn with_params(self, params: RateParams) -> RateBudget {
        RateBudget { params, ..self }
    }

    /// Asks for one call. [`Permit::Go`] counts it as made.
    pub fn ask(&mut self, now: Instant, call: Call) -> Permit {
        let now = self.move_to(now);
        let permit = match call {
            Call::Order { purpose, modifies } => self.order_permit(now, purpose, modifies),
            _ => self.read_permit(now, call),
        };
        if permit == Permit::Go {
            self.add(now, call);
        }
        permit
    }

    /// Counts a call that was made already: by an earlier process, or by another one of the same account.
    pub fn count(&mut self, at: Instant, call: Call) {
        let at = self.move_to(at);
        self.add(at, call);
    }

    fn add(&mut self, now: Instant, call: Call) {
        self.log_mut(call.family()).add(now);
        match call {
            Call::Order { modifies: Some(id), .. } => {
                let used = self.modifications.entry(id).or_default();
                *used = used.saturating_add(1);
            }
            Call::OptionChain { underlying, expiry } => self.chains.push((underlying, expiry, now)),
            _ => {}
        }
    }

    /// The broker answered "too many calls" (429, DH-904, 805).
    pub fn refused_for_rate(&mut self, now: Instant, family: Family) {
        let now = self.move_to(now);
        self.refused_at.insert(family, now);
    }

    /// How full the order windows are.
    pub fn order_usage(&self, now: Instant) -> OrderUsage {
        let now = now.max(self.last);
        let is_today = self.day == Some(now.ist_date());
        OrderUsage {
            second: self.order.within(now, SECOND),
            minute: self.order.within(now, MINUTE),
            hour: self.order.within(now, HOUR),
            day: if is_today { self.order.today() } else { 0 },
        }
    }

    /// How full every window with a limit is.
    pub fn usage(&self, now: Instant) -> Vec<WindowUse> {
        let now = now.max(self.last);
        let is_today = self.day == Some(now.ist_date());
        let p = &self.params;
        let order = FamilyLimits { day: p.order_day_limit, ..p.order };
        let families = [
            (Family::Order, &self.order, order),
            (Family::Data, &self.data, p.data),
            (Family::Quote, &self.quote, p.quote),
            (Family::NonTrading, &self.non_trading, p.non_trading),
        ];
        let mut all = Vec::new();
        for (family, log, limits) in families {
            let today = if is_today { log.today() } else { 0 };
            let windows = [
                ("second", log.within(now, SECOND), limits.second),
                ("minute", log.within(now, MINUTE), limits.minute),
                ("hour", log.within(now, HOUR), limits.hour),
                ("day", today, limits.day),
            ];
            let limited = windows.into_iter().filter(|(.., limit)| *limit != FamilyLimits::NONE);
            all.extend(limited.map(|(window, used, limit)| WindowUse { family, window, used, limit }));
        }
        all
    }

    /// Modifications of one order so far.
    pub fn modifications(&self, id: &ClientOrderId) -> u8 {
        self.modifications.get(id).copied().unwrap_or(0)
    }

    /// Time never goes back, and a new day forgets what the broker forgets.
    fn move_to(&mut self, now: Instant) -> Instant {
        self.last = self.last.max(now);
        let now = self.last;
        if self.day != Some(now.ist_date()) {
            self.day = Some(now.ist_date());
            for log in [&mut self.order, &mut self.data, &mut self.quote, &mut self.non_trading] {
                log.new_day();
            }
            self.modifications.clear();
        }
        let p = &self.params;
        self.order.forget(now, p.order.longest_window());
        self.data.forget(now, p.data.longest_window());
        self.quote.forget(now, p.quote.longest_window());
        self.non_trading.forget(now, p.non_trading.longest_window());
        let gap = self.params.chain_gap;
        self.chains.retain(|(.., at)| *at + gap > now);
        now
    }

    fn log_mut(&mut self, family: Family) -> &mut CallLog {
        match family {
            Family::Order => &mut self.order,
            Family::Data => &mut self.data,
            Family::Quote => &mut self.quote,
            Family::NonTrading => &mut self.non_trading,
        }
    }

    fn order_permit(&self, now: Instant, purpose: OrderUse, modifies: Option<ClientOrderId>) -> Permit {
        let p = &self.params;
        let used = self.order.today();
        let limit = p.order_day_limit;
        let allowed = match purpose {
            OrderUse::Entry => share(p.order.day, p.entries_until_percent),
            OrderUse::Trail => share(p.order.day, p.trail_until_percent),
            OrderUse::Exit => limit,
        };
        if used >= allowed {
            return Permit::Refused(BudgetRefusal::DaySpent { purpose, used, allowed, limit });
        }
        if let Some(id) = modifies {
            let used = self.modifications(&id);
            let limit = if purpose == OrderUse::Exit { p.modifications } else { p.modifications_for_trail };
            if used >= limit {
                return Permit::Refused(BudgetRefusal::ModificationsSpent { id, used, limit });
            }
        }
        let mut free_at = now;
        if let Some(refused) = self.refused_at.get(&Family::Order) {
            let until = *refused + p.cool_off;
            match purpose {
                // The refusal says that the second is full, nothing more.
                OrderUse::Exit => free_at = free_at.max(*refused + SECOND),
                OrderUse::Entry | OrderUse::Trail if now < until => {
                    return Permit::Refused(BudgetRefusal::CoolingOff { until });
                }
                OrderUse::Entry | OrderUse::Trail => {}
            }
        }
        for (window, capacity) in [(SECOND, p.order.second), (MINUTE, p.order.minute), (HOUR, p.order.hour)] {
            let room = match purpose {
                OrderUse::Exit => capacity,
                OrderUse::Entry | OrderUse::Trail => (capacity - share_up(capacity, p.kept_for_exits_percent)).max(1),
            };
            free_at = free_at.max(self.order.free_at(now, window, room));
        }
        if free_at > now { Permit::WaitUntil(free_at) } else { Permit::Go }
    }

    fn read_permit(&self, now: Instant, call: Call) -> Permit {
        let (family, p) = (call.family(), &self.params);
        let (log, limits) = match family {
            Family::Data | Family::Order => (&self.data, &p.data),
            Family::Quote => (&self.quote, &p.quote),
            Family::NonTrading => (&self.non_trading, &p.non_trading),
        };
        if log.today() >= limits.day {
            let refusal = BudgetRefusal::FamilyDaySpent { family, used: log.today(), limit: limits.day };
            return Permit::Refused(refusal);
        }
        let mut free_at = self.refused_at.get(&family).map_or(now, |refused| now.max(*refused + p.cool_off));
        if let Call::OptionChain { underlying, expiry } = call {
            let same = self.chains.iter().filter(|(u, e, _)| (*u, *e) == (underlying, expiry));
            free_at = same.map(|(.., at)| *at + p.chain_gap).fold(free_at, Instant::max);
        }
        for (window, room) in [(SECOND, limits.second), (MINUTE, limits.minute), (HOUR, limits.hour)] {
            free_at = free_at.max(log.free_at(now, window, room));
        }
        if free_at > now { Permit::WaitUntil(free_at) } else { Permit::Go }
    }
}

const SECOND: Age = Age::from_secs(1);
const MINUTE: Age = Age::from_mins(1);
const HOUR: Age = Age::from_mins(60);

/// `percent` of `whole`, rounded down.
const fn share(whole: u32, percent: u32) -> u32 {
    whole * percent / 100
}

/// `percent` of `whole`, rounded up.
const fn share_up(whole: u32, percent: u32) -> u32 {
    (whole * percent).div_ceil(100)
}
