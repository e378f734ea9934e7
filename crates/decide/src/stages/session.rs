//! What every stage is told when a session opens: hours with the cut-offs in force, and the day's charges.

use std::collections::BTreeMap;

use crate::capital_allocator::CapitalAllocator;
use crate::domain::order::OrderSide;
use crate::domain::{Age, Bps, ChargeBook, ChargeRates, Event, Money, SessionHours, Stamp, Underlying};
use crate::order_manager::{OrderManager, Outcome};
use crate::params::StrategyParams;

/// Terms of one session.
#[derive(Debug, Clone)]
pub struct SessionTerms {
    /// Hours of the day; their cut-offs are the ones in force, a preset's earlier ones included.
    pub hours: SessionHours,
    /// The day only feeds indicators and history.
    pub warm_up: bool,
    /// Indices of which only bars were recorded, with the length of those bars.
    pub bars_of: BTreeMap<Underlying, Age>,
    /// The day is under way already (a restart opens it again): its prices and bars stay.
    pub goes_on: bool,
    /// Charges of the indices that can be traded today.
    pub rates: BTreeMap<Underlying, ChargeRates>,
    /// Indices that cannot be traded today because a dated table has no answer, with the reason.
    pub missing_rates: BTreeMap<Underlying, String>,
}

impl SessionTerms {
    /// Terms of a day from the settings and the dated tables.
    pub fn of(
        params: &StrategyParams,
        charges: &ChargeBook,
        hours: &SessionHours,
        warm_up: bool,
        bars_of: &BTreeMap<Underlying, Age>,
        goes_on: bool,
    ) -> SessionTerms {
        let mut hours = hours.clone();
        if let Some(wanted) = &params.risk.cutoffs {
            hours.cutoffs = wanted.clamped_to(&hours.cutoffs);
        }
        let mut rates = BTreeMap::new();
        let mut missing_rates = BTreeMap::new();
        for underlying in &params.indices {
            match charges.on(underlying.exchange(), hours.day) {
                Ok(found) => {
                    rates.insert(*underlying, found);
                }
                Err(missing) => {
                    missing_rates.insert(*underlying, missing.to_string());
                }
            }
        }
        SessionTerms { hours, warm_up, bars_of: bars_of.clone(), goes_on, rates, missing_rates }
    }

    /// Charges of a one-lot-independent round trip: two orders' flat fees with their tax, for sizing. Zero where the
    /// rates are missing: such an index is not entered.
    pub fn flat_round_trip(&self, underlying: Underlying) -> Money {
        let Some(rates) = self.rates.get(&underlying) else { return Money::ZERO };
        // Turnover of one paisa: only the flat heads remain.
        let one = Money::from_paise(1);
        rates.for_order(OrderSide::Buy, one).total() + rates.for_order(OrderSide::Sell, one).total()
    }
}

/// Balance at the open and what follows from it, for the day's limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OpeningCapital {
    /// The balance; `None` when unknown.
    pub balance: Option<Money>,
    /// Daily loss limit of the capital band in force.
    pub day_loss: Option<Bps>,
}

/// Opens the allocator's day.
pub fn open_capital(allocator: &mut CapitalAllocator, terms: &SessionTerms) -> OpeningCapital {
    allocator.open_session(terms.hours.day);
    OpeningCapital { balance: allocator.opening_of_day(), day_loss: allocator.opening_band().map(|band| band.day_loss) }
}

/// The order manager's part of a settlement, or of the end of a session.
pub fn settle(orders: &mut OrderManager, now: Stamp, event: &Event) -> Outcome {
    match event {
        Event::Settled { underlying, expiry, value, .. } => orders.settle(now, *underlying, *expiry, *value),
        Event::SessionClosed { .. } => orders.close_session(now),
        _ => Outcome::default(),
    }
}
