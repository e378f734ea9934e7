//! Taking over what somebody else bought: what is asked, and why it may be refused (E1, F-58).

use serde::{Deserialize, Serialize};

use super::broker::{BrokerOrderId, Product};
use super::instrument::{InstrumentId, OptionContract, Segment};
use super::money::{LotSize, Lots, Money, Premium, Qty};
use super::time::Instant;

/// What a person asks to be taken over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct AdoptRequest {
    /// Segment of the contract; `None` where the token alone tells.
    pub segment: Option<Segment>,
    /// Token of the contract inside its segment.
    pub security_id: u32,
    /// How many lots; `None` for all that is there.
    pub lots: Option<Lots>,
    /// Trigger of the first stop, rounded up to the tick; `None` for the distance of the settings.
    pub stop: Option<Premium>,
    /// Number of the request: a repeated one takes nothing more over. Zero is never a repetition.
    pub request: u64,
}

/// Units of others that the broker's books prove, with what they cost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Adoption {
    /// The contract.
    pub instrument: InstrumentId,
    /// Its terms.
    pub contract: OptionContract,
    /// Units to take over.
    pub qty: Qty,
    /// What they cost, at the average price of everything others bought of the contract today.
    pub cost: Money,
    /// Money of each order that bought them, for the charges.
    pub buys: Vec<Money>,
    /// Units taken over before, and units all these orders bought.
    pub share: (Qty, Qty),
}

/// Why something at the broker is not taken over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(tag = "why", rename_all = "snake_case")]
pub enum AdoptRefusal {
    /// On paper nobody else trades.
    #[error("there is no broker here whose positions could be adopted")]
    NoBroker,
    /// Nothing can be protected now.
    #[error("the market is closed: nothing could be protected")]
    Closed,
    /// Not in the list, not an option, or of an index that is not traded.
    #[error("{security_id} is no option of a traded index in today's list of contracts")]
    UnknownContract {
        /// The token.
        security_id: u32,
    },
    /// The same token names contracts of two exchanges.
    #[error("{security_id} is listed in two segments: ask for NSE_FNO:{security_id} or BSE_FNO:{security_id}")]
    Ambiguous {
        /// The token.
        security_id: u32,
    },
    /// Everything there is ours, or nothing is there.
    #[error("the broker shows nothing of {security_id} that is not ours")]
    NothingThere {
        /// The token.
        security_id: u32,
    },
    /// Written options are not ours to manage.
    #[error("the account is short by {units} units: only bought options are adopted")]
    Short {
        /// Units owed.
        units: i64,
    },
    /// Our sells would open a second position instead of closing this one.
    #[error("it is held as {product:?}: what is sold here is INTRADAY and would not close it")]
    OtherProduct {
        /// The product.
        product: Product,
    },
    /// A number of lots that is not one.
    #[error("{lots} lots cannot be adopted")]
    NotLots {
        /// The number.
        lots: Lots,
    },
    /// More than is there.
    #[error("{asked} lots asked for, {there} units are there that are not ours ({} in a lot)", .lot.get())]
    TooMany {
        /// Lots asked for; one where none was named.
        asked: Lots,
        /// Units of others.
        there: Qty,
        /// Units in a lot.
        lot: LotSize,
    },
    /// One list proves nothing (D11, D12).
    #[error("the broker's books have not settled: they are read again now; ask again in a few seconds")]
    Unsettled,
    /// The books contradict one another.
    #[error("the positions show {shown} units that are not ours, the orders of others explain {explained}")]
    Unexplained {
        /// By the list of positions.
        shown: i64,
        /// By executions of orders that are not ours.
        explained: i64,
    },
    /// Two sellers of the same units would sell them twice (I2).
    #[error("orders of others that would sell {units} of these units come first, cancel them: {}", list(.orders))]
    Selling {
        /// Units they may still sell.
        units: Qty,
        /// The broker's numbers.
        orders: Vec<BrokerOrderId>,
    },
    /// No price is invented.
    #[error("the broker does not say what these units cost")]
    Unpriced,
    /// The broker keeps one average for both.
    #[error("the engine bought in this contract today: the broker's average price mixes its units with the others")]
    Mixed,
    /// It would have to be sold at once.
    #[error("its forced exit at {} has passed", .deadline.ist_time())]
    TooLate {
        /// When it would have had to leave.
        deadline: Instant,
    },
    /// It would be sold at once.
    #[error("it can be sold at {sellable}, which is not above the stop {stop}: name a lower one with --stop")]
    UnderStop {
        /// The stop asked for, or by the settings.
        stop: Premium,
        /// Last price it could be sold at.
        sellable: Premium,
    },
}

fn list(orders: &[BrokerOrderId]) -> String {
    orders.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// Units at the broker that are not ours, of one contract and product.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ForeignPosition {
    /// Segment of the contract.
    pub segment: Segment,
    /// Token inside the segment.
    pub security_id: u32,
    /// Product.
    pub product: Product,
    /// Units that are not ours; negative when short.
    pub units: i64,
    /// Average price of everything bought of the contract today; `None` while the broker does not say.
    pub average: Option<Premium>,
    /// Whether lists of positions agree on it.
    pub is_settled: bool,
}
