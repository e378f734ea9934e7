//! The rate budget of the core before the client of a drill, in session time (I16).

use std::sync::Mutex;

use futures_util::future::BoxFuture;
use scalper_decide::rate_budget::{Call, OrderUse, Permit, RateBudget, RateParams};

use crate::broker::dhan::rest::budget::{BudgetPort, CallClass, NotGranted};
use crate::clock::SessionClock;

/// A budget that waits for its windows.
pub(super) struct Kept {
    budget: Mutex<RateBudget>,
    clock: SessionClock,
}

impl Kept {
    pub(super) fn new(clock: SessionClock) -> Kept {
        Kept { budget: Mutex::new(RateBudget::new(RateParams::default())), clock }
    }

    fn ask(&self, call: Call) -> Permit {
        self.budget.lock().expect("nothing here panics").ask(self.clock.now(), call)
    }
}

impl BudgetPort for Kept {
    fn acquire(&self, class: CallClass) -> BoxFuture<'_, Result<(), NotGranted>> {
        let call = match class {
            CallClass::Order { exit } => {
                let purpose = if exit { OrderUse::Exit } else { OrderUse::Entry };
                Call::Order { purpose, modifies: None }
            }
            CallClass::Data | CallClass::OptionChain { .. } => Call::Data,
            CallClass::Quote => Call::Quote,
            CallClass::NonTrading => Call::NonTrading,
        };
        Box::pin(async move {
            loop {
                match self.ask(call) {
                    Permit::Go => return Ok(()),
                    Permit::WaitUntil(at) => self.clock.sleep_until(at).await,
                    Permit::Refused(why) => return Err(NotGranted(why.to_string())),
                }
            }
        })
    }
}
