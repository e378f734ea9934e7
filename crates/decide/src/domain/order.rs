//! Life of one order as an enum. Facts from the venue may come late, twice or in any order; every permutation of
//! one order's facts ends in the same state (P2, I5, I10), and unknown is a state of its own (L3, F-36).

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::event::{OrderReport, VenueRefusal};
use super::ids::{ClientOrderId, PositionId, TradeId};
use super::instrument::InstrumentId;
use super::money::{Money, Premium, Qty};
use super::time::Instant;

/// Buy or sell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum OrderSide {
    /// Buy.
    Buy,
    /// Sell.
    Sell,
}

impl fmt::Display for OrderSide {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            OrderSide::Buy => "BUY",
            OrderSide::Sell => "SELL",
        })
    }
}

/// What an order is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OrderPurpose {
    /// Opens a position.
    Entry,
    /// The stop that rests at the venue. An exit modifies it into a marketable limit.
    Protection,
    /// Closes quantity that no protection order covers.
    Exit,
}

impl OrderPurpose {
    /// The letter in a client order id.
    pub const fn letter(self) -> char {
        match self {
            OrderPurpose::Entry => 'E',
            OrderPurpose::Protection => 'P',
            OrderPurpose::Exit => 'X',
        }
    }
}

/// The only two order types the engine sends, both tick-rounded (design decision 4, X-20).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum OrderType {
    /// Limit order.
    Limit {
        /// Worst acceptable price.
        price: Premium,
    },
    /// Stop order that becomes a limit order when the trigger trades.
    StopLimit {
        /// Trigger price.
        trigger: Premium,
        /// Worst acceptable price after the trigger.
        price: Premium,
    },
}

impl OrderType {
    /// The limit price.
    pub const fn limit(self) -> Premium {
        match self {
            OrderType::Limit { price } | OrderType::StopLimit { price, .. } => price,
        }
    }
    /// The trigger of a stop.
    pub const fn trigger(self) -> Option<Premium> {
        match self {
            OrderType::Limit { .. } => None,
            OrderType::StopLimit { trigger, .. } => Some(trigger),
        }
    }
}

/// Everything about an order that was decided before it was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderSpec {
    /// Derived id; one POST per id, ever (L2).
    pub id: ClientOrderId,
    /// The position it belongs to.
    pub position: PositionId,
    /// What is traded.
    pub instrument: InstrumentId,
    /// Why.
    pub purpose: OrderPurpose,
    /// Buy or sell.
    pub side: OrderSide,
    /// Units.
    pub qty: Qty,
    /// Limit or stop-limit with prices.
    pub order_type: OrderType,
}

/// One execution.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fill {
    /// Exchange trade id.
    pub trade: TradeId,
    /// Units.
    pub qty: Qty,
    /// Price per unit.
    pub price: Premium,
    /// Exchange time.
    pub at: Instant,
}

/// Where an order stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum OrderState {
    /// Sent, nothing heard yet.
    Sent {
        /// When the command left.
        at: Instant,
    },
    /// The answer did not come; the order may or may not exist. Only evidence or proof of absence ends this (L3).
    InDoubt {
        /// Since when.
        since: Instant,
    },
    /// At the venue.
    Working {
        /// A stop whose trigger has traded.
        triggered: bool,
    },
    /// Completely executed.
    Filled,
    /// Taken back; `filled` units were executed before.
    Cancelled {
        /// Units executed according to the venue.
        filled: Qty,
    },
    /// Refused by the venue.
    Rejected {
        /// Why.
        refusal: VenueRefusal,
    },
    /// Proven never to have reached the venue.
    Absent,
}

impl OrderState {
    /// Whether nothing more can happen except late facts about what already did.
    pub const fn is_terminal(&self) -> bool {
        matches!(
            self,
            OrderState::Filled | OrderState::Cancelled { .. } | OrderState::Rejected { .. } | OrderState::Absent
        )
    }
}

/// A report that contradicts what is known: a bug here or at the venue, never silently absorbed (F-62).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("order {id}: {report} is impossible while {state}")]
pub struct IllegalTransition {
    /// The order.
    pub id: ClientOrderId,
    /// State it was in.
    pub state: String,
    /// What was reported.
    pub report: String,
}

/// An order and everything reported about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Order {
    /// As decided, with the latest confirmed type and quantity.
    pub spec: OrderSpec,
    /// When the first command for it left.
    pub sent_at: Instant,
    /// Where it stands.
    pub state: OrderState,
    fills: BTreeMap<TradeId, Fill>,
    /// Highest modification the venue confirmed.
    confirmed_version: u8,
}

impl Order {
    /// An order that has just been sent.
    pub const fn sent(spec: OrderSpec, at: Instant) -> Order {
        Order { spec, sent_at: at, state: OrderState::Sent { at }, fills: BTreeMap::new(), confirmed_version: 0 }
    }

    /// Units executed so far.
    pub fn filled(&self) -> Qty {
        self.fills.values().map(|f| f.qty).sum()
    }

    /// Money executed so far: sum of price x quantity.
    pub fn turnover(&self) -> Money {
        self.fills.values().map(|f| f.price * f.qty).sum()
    }

    /// Executions in order of trade id.
    pub fn fills(&self) -> impl Iterator<Item = &Fill> {
        self.fills.values()
    }

    /// Units still open at the venue, or possibly so while in doubt; zero once terminal.
    pub fn open_qty(&self) -> Qty {
        if self.state.is_terminal() { Qty::ZERO } else { self.spec.qty - self.filled() }
    }

    /// Units the venue says were executed but whose fill has not arrived yet.
    pub fn missing_fills(&self) -> Qty {
        match self.state {
            OrderState::Cancelled { filled } => filled - self.filled(),
            _ => Qty::ZERO,
        }
    }

    fn illegal(&self, report: &OrderReport) -> IllegalTransition {
        IllegalTransition { id: self.spec.id, state: format!("{:?}", self.state), report: format!("{report:?}") }
    }

    /// The order after one more report. Repeated and late reports change nothing that is already known.
    ///
    /// # Errors
    /// [`IllegalTransition`] when the report contradicts known facts: executed more than ordered, executed although
    /// rejected, two different executions under one trade id.
    pub fn apply(mut self, report: &OrderReport) -> Result<Order, IllegalTransition> {
        match report {
            OrderReport::Accepted => self.evidence(false),
            OrderReport::Triggered => self.evidence(true),
            OrderReport::Unanswered { since } => {
                if matches!(self.state, OrderState::Sent { .. }) {
                    self.state = OrderState::InDoubt { since: *since };
                }
            }
            OrderReport::ProvenAbsent => match self.state {
                OrderState::InDoubt { .. } => self.state = OrderState::Absent,
                OrderState::Absent => {}
                _ => return Err(self.illegal(report)),
            },
            OrderReport::Filled(fill) => {
                match self.fills.get(&fill.trade) {
                    Some(known) if known == fill => return Ok(self),
                    Some(_) => return Err(self.illegal(report)),
                    None => {}
                }
                if matches!(self.state, OrderState::Rejected { .. }) || self.filled() + fill.qty > self.spec.qty {
                    return Err(self.illegal(report));
                }
                self.fills.insert(fill.trade, *fill);
                let triggered = self.spec.order_type.trigger().is_some();
                self.evidence(triggered);
                if self.filled() == self.spec.qty {
                    self.state = OrderState::Filled;
                }
            }
            OrderReport::Modified { version, order_type, qty } => {
                self.evidence(false);
                if *version > self.confirmed_version {
                    self.confirmed_version = *version;
                    self.spec.order_type = *order_type;
                    if *qty < self.filled() {
                        return Err(self.illegal(report));
                    }
                    self.spec.qty = *qty;
                }
            }
            OrderReport::ModifyRefused { .. } | OrderReport::CancelRefused { .. } => self.evidence(false),
            OrderReport::Cancelled { filled } => match self.state {
                OrderState::Rejected { .. } => return Err(self.illegal(report)),
                // An order that filled completely was not cancelled, whatever arrives later.
                OrderState::Filled => {}
                _ if self.filled() > *filled => return Err(self.illegal(report)),
                _ => self.state = OrderState::Cancelled { filled: *filled },
            },
            OrderReport::Rejected { refusal } => match self.state {
                OrderState::Sent { .. } | OrderState::InDoubt { .. } => {
                    self.state = OrderState::Rejected { refusal: refusal.clone() };
                }
                OrderState::Working { .. } if self.fills.is_empty() => {
                    self.state = OrderState::Rejected { refusal: refusal.clone() };
                }
                OrderState::Rejected { .. } => {}
                _ => return Err(self.illegal(report)),
            },
        }
        Ok(self)
    }

    /// The venue knows the order: ends waiting, doubt and even a proven absence, but never reopens an end.
    fn evidence(&mut self, now_triggered: bool) {
        match &mut self.state {
            OrderState::Sent { .. } | OrderState::InDoubt { .. } | OrderState::Absent => {
                self.state = OrderState::Working { triggered: now_triggered };
            }
            OrderState::Working { triggered } => *triggered |= now_triggered,
            OrderState::Filled | OrderState::Cancelled { .. } | OrderState::Rejected { .. } => {}
        }
    }
}
