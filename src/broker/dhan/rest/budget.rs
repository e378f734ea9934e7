//! Asking before calling: the client sends nothing without a grant of the rate budget.

use chrono::NaiveDate;
use futures_util::future::BoxFuture;
use scalper_decide::domain::ClientOrderId;
use scalper_decide::rate_budget::OrderUse;

/// Which of the broker's limits a call counts against (dhan-v2.md 9.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CallClass {
    /// Place, modify, cancel of all order families.
    Order {
        /// May use the share that is kept for exits (B6).
        exit: bool,
    },
    /// A change of one order.
    Change {
        /// Which order: its changes are counted.
        id: ClientOrderId,
        /// What for.
        purpose: OrderUse,
    },
    /// Candles and instrument lists.
    Data,
    /// The three marketfeed calls.
    Quote,
    /// Books, positions, funds, profile.
    NonTrading,
    /// Option chain and expiry list: one request per key and 3 s.
    OptionChain {
        /// What makes a request unique.
        key: ChainKey,
    },
}

/// What makes an option chain request unique.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChainKey {
    /// Id of the index.
    pub underlying: u32,
    /// Expiry; `None` for the list of expiries.
    pub expiry: Option<NaiveDate>,
}

/// The budget says no, and the caller should not wait longer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no budget: {0}")]
pub struct NotGranted(pub String);

/// The rate budget, as the client sees it. It may wait for a slot of the next second.
pub trait BudgetPort: Send + Sync {
    /// Waits for a slot and takes it.
    fn acquire(&self, class: CallClass) -> BoxFuture<'_, Result<(), NotGranted>>;

    /// The broker answered "too many" to a call that was granted (B6).
    fn refused_for_rate(&self, _class: CallClass) {}
}

/// A budget without limits, for one-shot commands of a person.
#[derive(Debug, Clone, Copy, Default)]
pub struct Unlimited;

impl BudgetPort for Unlimited {
    fn acquire(&self, _: CallClass) -> BoxFuture<'_, Result<(), NotGranted>> {
        Box::pin(std::future::ready(Ok(())))
    }
}
