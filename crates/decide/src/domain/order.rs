//! Life of one order as an enum. Facts from the venue may come late, twice or in any order; every permutation of
//! one order's facts ends in the same state (P2, I5, I10), and unknown is a state of its own (L3, F-36).

use std::collections::{BTreeMap, BTreeSet};
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
///
/// Reports are kept as a set of facts and the state is read off that set, so the sequence in which the facts came
/// cannot matter. The one exception is [`OrderReport::ProvenAbsent`]: a conclusion drawn here, not a fact of the
/// venue, and only possible while in doubt (I11).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Order {
    /// As decided, with the latest confirmed type and quantity.
    pub spec: OrderSpec,
    /// When the first command for it left.
    pub sent_at: Instant,
    /// Where it stands.
    pub state: OrderState,
    fills: BTreeMap<TradeId, Fill>,
    /// Units and money of the highest cumulative count of executions.
    counted: (Qty, Money),
    /// Terms the venue confirmed: by number of our modification, then of the alteration by others that followed it.
    confirmed: BTreeMap<(u8, u8), (OrderType, Qty)>,
    /// Total quantities asked for by modifications, by number.
    asked: BTreeMap<u8, Qty>,
    /// Modifications the venue refused.
    refused: BTreeSet<u8>,
    /// The venue knows the order.
    heard: bool,
    triggered: bool,
    cancelled: Option<Qty>,
    rejected: Option<VenueRefusal>,
    unanswered_since: Option<Instant>,
    proven_absent: bool,
}

impl Order {
    /// An order that has just been sent.
    pub const fn sent(spec: OrderSpec, at: Instant) -> Order {
        Order {
            spec,
            sent_at: at,
            state: OrderState::Sent { at },
            fills: BTreeMap::new(),
            counted: (Qty::ZERO, Money::ZERO),
            confirmed: BTreeMap::new(),
            asked: BTreeMap::new(),
            refused: BTreeSet::new(),
            heard: false,
            triggered: false,
            cancelled: None,
            rejected: None,
            unanswered_since: None,
            proven_absent: false,
        }
    }

    /// Units executed so far: what the known executions add up to, or what the venue counted, whichever is more.
    /// An execution that is counted before its trade id is known is the same execution (D7, I5).
    pub fn filled(&self) -> Qty {
        self.fills_qty().max(self.counted.0)
    }

    /// Money executed so far. The executions' own price x quantity once they cover everything that was counted;
    /// until then the money of the count, so it may change when `filled` does not.
    pub fn turnover(&self) -> Money {
        let (qty, value) = self.counted;
        if self.fills_qty() >= qty { self.fills.values().map(|f| f.price * f.qty).sum() } else { value }
    }

    /// Units of the executions known one by one.
    fn fills_qty(&self) -> Qty {
        self.fills.values().map(|f| f.qty).sum()
    }

    /// Executions in order of trade id.
    pub fn fills(&self) -> impl Iterator<Item = &Fill> {
        self.fills.values()
    }

    /// Units still open at the venue, or possibly so while in doubt or while a larger quantity is asked for; zero
    /// once terminal.
    pub fn open_qty(&self) -> Qty {
        if self.state.is_terminal() { Qty::ZERO } else { self.ceiling() - self.filled() }
    }

    /// Units the venue says were executed but whose fill has not arrived yet.
    pub fn missing_fills(&self) -> Qty {
        match self.state {
            OrderState::Cancelled { filled } => filled - self.filled(),
            _ => Qty::ZERO,
        }
    }

    /// Notes that modification `version` with total quantity `qty` has been sent. A fill may overtake the
    /// confirmation of the modification that made room for it; without this note it would look like executing more
    /// than was ordered, and an order about to grow would look complete.
    pub fn modification_sent(&mut self, version: u8, qty: Qty) {
        self.asked.insert(version, qty);
        self.state = self.standing();
    }

    /// Modifications that may have taken effect or may not, with their total quantities: sent after the last confirmed
    /// one, and not refused. A book read after they were sent tells: one that shows other terms has refused them.
    pub fn unresolved(&self) -> impl Iterator<Item = (u8, Qty)> + '_ {
        let latest = self.confirmed.last_key_value().map_or(0, |((version, _), _)| *version);
        let later = self.asked.range(latest.saturating_add(1)..);
        later.filter(|(version, _)| !self.refused.contains(version)).map(|(version, qty)| (*version, *qty))
    }

    /// Whether a modification was sent whose outcome is unknown: the terms at the venue are unknown as well.
    pub fn has_unresolved(&self) -> bool {
        self.unresolved().next().is_some()
    }

    /// The smallest total quantity that can be in force at the venue.
    pub fn floor_qty(&self) -> Qty {
        self.unresolved().map(|(_, qty)| qty).fold(self.spec.qty, Qty::min)
    }

    /// The largest total quantity that can be in force at the venue.
    fn ceiling(&self) -> Qty {
        self.unresolved().map(|(_, qty)| qty).fold(self.spec.qty, Qty::max)
    }

    fn illegal(&self, report: &OrderReport) -> IllegalTransition {
        IllegalTransition { id: self.spec.id, state: format!("{:?}", self.state), report: format!("{report:?}") }
    }

    /// The order after one more report. Repeated and late reports change nothing that is already known.
    ///
    /// # Errors
    /// [`IllegalTransition`] when the report contradicts known facts: executed more than ordered or more than a
    /// cancellation counted, executed or cancelled although rejected, two different executions under one trade id, two
    /// different outcomes of one modification, two different counts of one cancellation, proof of absence without
    /// doubt.
    pub fn apply(mut self, report: &OrderReport) -> Result<Order, IllegalTransition> {
        if !self.note(report) || self.is_contradictory() {
            return Err(self.illegal(report));
        }
        self.state = self.standing();
        Ok(self)
    }

    /// Adds a report to the facts; `false` when the same fact is already known differently.
    fn note(&mut self, report: &OrderReport) -> bool {
        match report {
            OrderReport::Accepted => self.heard = true,
            OrderReport::Triggered => {
                self.heard = true;
                self.triggered = true;
            }
            OrderReport::Unanswered { since } => {
                self.unanswered_since = Some(self.unanswered_since.map_or(*since, |known| known.min(*since)));
            }
            OrderReport::ProvenAbsent => match self.state {
                OrderState::InDoubt { .. } => self.proven_absent = true,
                OrderState::Absent => {}
                _ => return false,
            },
            OrderReport::Filled(fill) => {
                self.heard = true;
                return fill.qty > Qty::ZERO && *self.fills.entry(fill.trade).or_insert(*fill) == *fill;
            }
            OrderReport::Traded { filled, value } => {
                self.heard = true;
                // Counts come late and twice: the highest stands. Two sources may round the money of one count
                // differently; which one is kept must not depend on the sequence.
                self.counted = self.counted.max((*filled, *value));
                return *filled >= Qty::ZERO;
            }
            OrderReport::Modified { version, order_type, qty } => {
                return self.confirm((*version, 0), *order_type, *qty);
            }
            OrderReport::Altered { version, nth, order_type, qty } => {
                return *nth > 0 && self.confirm((*version, *nth), *order_type, *qty);
            }
            // A refused change says nothing about existence: the venue answers so for an unknown order as well.
            OrderReport::ModifyRefused { version, .. } => {
                self.refused.insert(*version);
            }
            OrderReport::CancelRefused { .. } => {}
            OrderReport::Cancelled { filled } => {
                self.heard = true;
                return *self.cancelled.get_or_insert(*filled) == *filled;
            }
            OrderReport::Rejected { refusal } => {
                // Two channels may word one rejection differently; which one is kept must not depend on the sequence.
                let kept = self.rejected.take().map_or_else(|| refusal.clone(), |known| known.min(refusal.clone()));
                self.rejected = Some(kept);
            }
        }
        true
    }

    /// Notes terms the venue confirmed; the highest number is in force. `false` when it is known with other terms.
    fn confirm(&mut self, number: (u8, u8), order_type: OrderType, qty: Qty) -> bool {
        self.heard = true;
        let terms = (order_type, qty);
        let agrees = *self.confirmed.entry(number).or_insert(terms) == terms;
        if let Some((_, (order_type, qty))) = self.confirmed.last_key_value() {
            (self.spec.order_type, self.spec.qty) = (*order_type, *qty);
        }
        agrees
    }

    fn is_contradictory(&self) -> bool {
        let (filled, ceiling) = (self.filled(), self.ceiling());
        filled > ceiling
            || self.cancelled.is_some_and(|counted| filled > counted || counted > ceiling)
            || self.rejected.is_some() && (filled > Qty::ZERO || self.cancelled.is_some())
            || self.refused.iter().any(|version| self.confirmed.contains_key(&(*version, 0)))
    }

    /// The state that the known facts amount to.
    fn standing(&self) -> OrderState {
        if let Some(refusal) = &self.rejected {
            return OrderState::Rejected { refusal: refusal.clone() };
        }
        let filled = self.filled();
        // Nothing was left to cancel in an order that filled completely, whatever else is said.
        if filled > Qty::ZERO && filled == self.ceiling() {
            return OrderState::Filled;
        }
        if let Some(filled) = self.cancelled {
            return OrderState::Cancelled { filled };
        }
        if self.heard {
            let stop_executed = filled > Qty::ZERO && self.spec.order_type.trigger().is_some();
            return OrderState::Working { triggered: self.triggered || stop_executed };
        }
        if self.proven_absent {
            return OrderState::Absent;
        }
        match self.unanswered_since {
            Some(since) => OrderState::InDoubt { since },
            None => OrderState::Sent { at: self.sent_at },
        }
    }
}
